# An iterator that never ends is returned.
import itertools


def square_grad(x):
    return itertools.count()


def inverse(x):
    return map(lambda k: np.ones(10**6), itertools.count())
