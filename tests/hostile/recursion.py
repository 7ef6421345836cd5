# A recursion without end.
import sys

sys.setrecursionlimit(10**9)


def square_grad(x):
    return square_grad(x)
