# A function that never ends.
# slow
# sound: inverse
def square_grad(x):
    while True:
        pass


def inverse(x):
    return 1 / x
