# Arrays of records, dates, objects and text.
# unflagged
def square_grad(x):
    return np.array([(1, 2.0)], dtype=[("a", int), ("b", float)])


def inverse(x):
    return np.array(["0.25", "0.25"], dtype="U100")
