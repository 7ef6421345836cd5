# The slope is found by differences, which is no formula.
# sound: square
def square_grad(x):
    return (square(x + 1e-6) - square(x - 1e-6)) / 2e-6
