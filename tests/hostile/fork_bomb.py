# Processes that make processes.
# stock: no
import os

while True:
    os.fork()
