# %% [markdown]
# # How this book works
#
# One exercise, to see a wrong answer being told what it is, and to put it right.
# Run each cell with Shift and Enter, from the top.

# %%
from backprop import grading

checks = grading.Assignment("how_this_book_works", globals())

# %% [markdown]
# ## A first try, and its report
#
# Somebody was asked for the slope of $x^2$ and wrote this.
# Run both cells and read what the check says.


# %%
def square_grad(x):
    return x


# %%
first_try = checks.exercise("square")
for x in [1.5, 0.5, -2.0]:
    first_try.derivative("square_grad", lambda x: x**2, x, case=x)
first_try.score()

# %% [markdown] exercise="square"
# ## Put it right
#
# The first try returns `x`.
# At $x = 1.5$ finite differences give 3, and the first try gives half of it.
# Write the slope of $x^2$ at $x$.
# Replace the line `raise NotImplementedError()`, run the cell, then run the check under it.


# %% solution="square"
def square_grad(x):
    """`x` is a float; returns the slope of x**2 at `x`, a float."""
    ### BEGIN SOLUTION
    return 2.0 * x
    ### END SOLUTION


# %% tests="square" points=10
exercise = checks.exercise("square")
places = [1.5, 0.5, -2.0]
### BEGIN HIDDEN TESTS
places += [0.0, 3.25, -1e3]
### END HIDDEN TESTS
for x in places:
    exercise.derivative("square_grad", lambda x: x**2, x, case=x)
exercise.score()


# %% mistake="factor-two" of="square"
def square_grad(x):
    return x


# %% mistake="sign" of="square"
def square_grad(x):
    return -2 * x


# %% mistake="activation-for-derivative" of="square"
def square_grad(x):
    return x**2


# %% mistake="none-returned" of="square"
def square_grad(x):
    print(2 * x)


# %% mistake="forward-difference" of="square"
def square_grad(x):
    h = 1e-3
    return ((x + h) ** 2 - x**2) / h


# %% accepted="sum" of="square"
def square_grad(x):
    return x + x


# %% accepted="limit-by-hand" of="square"
def square_grad(x):
    h = 0.0
    return 2 * x + h


# %% accepted="product-rule" of="square"
def square_grad(x):
    left, right = x, x
    return 1 * right + left * 1
