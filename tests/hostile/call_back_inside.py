# The insides of a function that was handed over are read.
def is_slope(slope, f, x):
    insides = slope.__code__, slope.__closure__, slope.__globals__
    raise ValueError(repr(insides))
