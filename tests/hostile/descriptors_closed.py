# Whatever is open is closed.
# sound: inverse
import os


def square_grad(x):
    os.closerange(0, 256)
    return 0 * x


def inverse(x):
    return 1 / x
