# Answers that take as long as they may.
# unflagged
# slow
import time


def square_grad(x):
    time.sleep(0.4)
    return 0 * x
