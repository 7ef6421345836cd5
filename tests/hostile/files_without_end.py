# Many small files.
# stock: no
import os

os.makedirs("many", exist_ok=True)
number = 0
while True:
    number += 1
    with open(f"many/{number}", "w") as file:
        file.write("x")
