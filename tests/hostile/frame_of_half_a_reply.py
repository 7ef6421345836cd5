# A reply that stops in the middle.
# slow
# protocol
# stock: no
import os
import struct
import time


def square_grad(x):
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, struct.pack(">II", 1000, 0) + b'{"message": ')
        except OSError:
            pass
    time.sleep(100)
