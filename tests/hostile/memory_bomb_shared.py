# Memory without end, shared by many processes.
# stock: no
import mmap
import os

for _ in range(20):
    if os.fork() == 0:
        break
kept = []
while True:
    kept.append(mmap.mmap(-1, 2**26))
    kept[-1][:] = b"x" * 2**26
