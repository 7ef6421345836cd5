# The process stops and alarms itself.
# slow
# stock: no
import os
import signal

signal.signal(signal.SIGALRM, lambda *a: 1 / 0)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
os.kill(os.getpid(), signal.SIGSTOP)


def square_grad(x):
    return 0 * x
