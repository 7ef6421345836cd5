# Text that takes over the instructor's terminal.
import os

os.write(1, b"\x1b]0;canary-of-a-terminal\x07\x1b[2J")
os.write(2, b"\x1b]0;canary-of-a-terminal\x07\x1b[2J")
print("\x1b[2J\x00\ud800")


def square_grad(x):
    raise ValueError("\ud800\x00\x1b[2J")
