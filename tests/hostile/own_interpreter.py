# The interpreter is overwritten, or run again.
# stock: no
import os
import sys

for path in ("/proc/self/exe", sys.executable, np.__file__, "/usr/lib/x"):
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND))
        print("canary-of-a-written-interpreter")
    except OSError as error:
        print(error)
os.execv(sys.executable, [sys.executable, "-c", "open('LEFT', 'w')"])
