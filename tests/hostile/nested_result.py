# A list within a list within a list.
def square_grad(x):
    nest = []
    for _ in range(100_000):
        nest = [nest]
    return nest


def inverse(x):
    nest = []
    nest.append(nest)
    return nest
