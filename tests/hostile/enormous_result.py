# Results that fill the memory of whoever reads them.
def square_grad(x):
    return np.broadcast_to(0.0, (10**6, 10**5))


def inverse(x):
    return 10**1_000_000
