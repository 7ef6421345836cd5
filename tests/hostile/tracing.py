# Another process is traced and rewritten.
# stock: no
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
for process in (os.getppid(), 1, 2):
    if libc.ptrace(16, process, 0, 0) == 0:
        print("canary-of-a-tracer")
        libc.ptrace(17, process, 0, 0)
