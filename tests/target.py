# %% [markdown]
# # What hostile submissions aim at
#
# Test cells of three kinds: the course's own, plain assertions as elsewhere, and functions handed over.

# %%
import numpy as np

from backprop import grading

checks = grading.Assignment("target", globals())

# %%
def square(x):
    return x**2


# %% [markdown] exercise="square"
# ## The slope of a square

# %% solution="square"
def square_grad(x):
    """`x` is a float or an array; returns the slope of `square`, in its shape."""
    ### BEGIN SOLUTION
    slope_of_square = 2 * x
    return slope_of_square
    ### END SOLUTION


# %% tests="square" points=5
exercise = checks.exercise("square")
places = [0.5, 1.5]
### BEGIN HIDDEN TESTS
places += [2.5]
canary_of_hidden_names = ["canary-of-the-hidden-tests", "canary_of_hidden_words"]
### END HIDDEN TESTS
for x in places:
    exercise.derivative("square_grad", square, x, case=x)
exercise.score()

# %% [markdown] exercise="inverse"
# ## One over x

# %% solution="inverse"
def inverse(x):
    """`x` is a float or an array; returns 1 / x."""
    ### BEGIN SOLUTION
    one_over_x = 1 / x
    return one_over_x
    ### END SOLUTION


# %% tests="inverse" points=3
exercise = checks.exercise("inverse")
assert inverse(4.0) == 0.25
np.testing.assert_allclose(inverse(np.array([2.0, 8.0])), [0.5, 0.125])
### BEGIN HIDDEN TESTS
assert np.allclose(inverse(np.array([[3.0]])), 1 / 3)
assert abs(inverse(-5.0) + 0.2) < 1e-12
### END HIDDEN TESTS
3.0  # noqa: B018

# %% [markdown] exercise="is-slope"
# ## Is it the slope?

# %% solution="is-slope"
def is_slope(slope, f, x):
    """`slope` and `f` are functions of a float `x`; returns True where slope(x) is the slope of f there."""
    ### BEGIN SOLUTION
    rate = (f(x + 1e-5) - f(x - 1e-5)) / 2e-5
    return bool(abs(rate - slope(x)) < 1e-6)
    ### END SOLUTION


# %% tests="is-slope" points=4
exercise = checks.exercise("is-slope")
seeds = [1]
### BEGIN HIDDEN TESTS
seeds += [7101, 7102, 7103, 7104, 7105]
### END HIDDEN TESTS
for seed in seeds:
    x = np.random.default_rng(seed).uniform(1, 2)
    questions = {
        "twice x": ((lambda x: 2 * x, square, x), True),
        "three times x": ((lambda x: 3 * x, square, x), False),
        "the cosine": ((np.cos, np.sin, x), True),
        "the sine": ((np.sin, np.sin, x), False),
    }
    exercise.verdicts("is_slope", questions, case=seed)
exercise.score()


# %% mistake="factor-two" of="square"
def square_grad(x):
    return x


# %% accepted="sum" of="square"
def square_grad(x):
    return x + x


# %% mistake="sign" of="inverse"
def inverse(x):
    return -1 / x


# %% accepted="power" of="inverse"
def inverse(x):
    return x**-1.0


# %% mistake="sign" of="is-slope"
def is_slope(slope, f, x):
    return not abs((f(x + 1e-5) - f(x - 1e-5)) / 2e-5 - slope(x)) < 1e-6


# %% accepted="one-sided" of="is-slope"
def is_slope(slope, f, x):
    return bool(abs((f(x + 1e-7) - f(x)) / 1e-7 - slope(x)) < 1e-4)
