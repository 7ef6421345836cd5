# Warnings by the thousand, with names that are code.
import warnings


def square_grad(x):
    for number in range(10_000):
        warnings.warn(f"<script>{number}</script>" * 100, type("DeprecationWarning", (UserWarning,), {}), stacklevel=1)
    return 0 * x
