# %% [markdown]
# # A small assignment

# %%
from backprop import grading

checks = grading.Assignment("small", globals())

# %% [markdown] exercise="square"
# ## The slope of a square
#
# Write `square_grad(x)`, the slope of $x^2$.

# %% solution="square"
def square_grad(x):
    """`x` is a float; returns a float."""
    ### BEGIN SOLUTION
    slope_of_square = 2 * x
    return slope_of_square
    ### END SOLUTION


# %% tests="square" points=5
exercise = checks.exercise("square")
points_to_try = [0.5, 1.5]
### BEGIN HIDDEN TESTS
points_to_try += [2.5]
### END HIDDEN TESTS
for x in points_to_try:
    exercise.derivative("square_grad", lambda x: x**2, x, case=x)
exercise.score()


# %% mistake="factor-two" of="square"
def square_grad(x):
    return x


# %% accepted="sum" of="square"
def square_grad(x):
    return x + x


# %% [markdown] marked="why" points=4
# ### Why do slopes multiply along a chain?
#
# ### BEGIN SOLUTION
# A unit at the start becomes `slope` units in the middle, and each of these becomes as many as the next slope says.
# Rubric: 4 exchange rates and why they multiply, 3 a right statement without the reason, 1 an example, 0 nothing.
# ### END SOLUTION
