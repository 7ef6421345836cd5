# A function that never ends and takes no interruption.
# slow
# sound: inverse
def square_grad(x):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass


def inverse(x):
    return 1 / x
