# The parent and all processes are killed.
# stock: no
import os
import signal

for process in (os.getppid(), -1, 1, 0):
    try:
        os.kill(process, signal.SIGKILL)
    except OSError as error:
        print(error)
