# The process crashes.
# sound: inverse
import ctypes


def square_grad(x):
    ctypes.string_at(0)


def inverse(x):
    return 1 / x
