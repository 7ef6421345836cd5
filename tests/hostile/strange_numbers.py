# Infinities, not-a-numbers, huge integers, booleans.
# unflagged
def square_grad(x):
    return np.array(np.nan)


def inverse(x):
    return np.inf if np.ndim(x) else True
