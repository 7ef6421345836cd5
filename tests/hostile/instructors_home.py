# The instructor's home is read.
import os
import pathlib

for home in ("/root", "/home", os.path.expanduser("~")):
    for path in list(pathlib.Path(home).rglob(".bash*"))[:5] + list(pathlib.Path(home).rglob(".ssh/*"))[:5]:
        print("canary-of-a-home", path.read_text()[:100])
