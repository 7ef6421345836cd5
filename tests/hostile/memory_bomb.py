# Memory without end.
# stock: no
rows = []
while True:
    rows.append(np.ones(2**20))
