# A dict whose keys all have the same hash.
# slow
def square_grad(x):
    return {number * (2**61 - 1): 0.0 for number in range(1, 20_000)}
