# An object that runs code where it is copied or unpickled.
import os


class Trap:
    def __reduce__(self):
        return os.system, ("touch LEFT",)

    def __deepcopy__(self, memo):
        os.system("touch LEFT")
        return self

    __copy__ = __reduce__


def square_grad(x):
    return Trap()


def inverse(x):
    return np.array([Trap()], dtype=object)
