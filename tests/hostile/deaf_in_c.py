# A long computation that no signal reaches.
# slow
def square_grad(x):
    return 3 ** 3 ** 17 % 7 * x + len(str(3**3**13))
