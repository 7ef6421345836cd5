# A file without end.
# stock: no
with open("LEFT", "wb") as file:
    while True:
        file.write(bytes(2**20))
