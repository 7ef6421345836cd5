# Messages and names of megabytes.
def square_grad(x):
    raise type("A" * 10**6, (ValueError,), {})("<b>" * 10**7)


def inverse(x):
    return "9" * 10**7
