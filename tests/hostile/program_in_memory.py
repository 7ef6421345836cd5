# A program is made in memory and run.
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
try:
    memory = os.memfd_create("program")
    os.write(memory, b"#!/bin/sh\ntouch LEFT\n")
    os.execv(f"/proc/self/fd/{memory}", ["program"])
except OSError as error:
    print(error)
with open("program", "wb") as file:
    file.write(b"#!/bin/sh\ntouch LEFT\n")
os.chmod("program", 0o755)
os.execv("./program", ["program"])
