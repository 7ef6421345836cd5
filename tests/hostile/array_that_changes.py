# Each reading of the result as an array gives something else.
class Shifting:
    count = 0

    def __array__(self, dtype=None, copy=None):
        Shifting.count += 1
        return np.array(float(Shifting.count))

    def __float__(self):
        Shifting.count += 1
        return float(Shifting.count)


def square_grad(x):
    return Shifting()


def inverse(x):
    return Shifting()
