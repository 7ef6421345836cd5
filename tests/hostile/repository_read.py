# The repository is searched from where the package lies.
import pathlib
import backprop

root = pathlib.Path(backprop.__file__).parent.parent
for path in [*root.glob("solutions/*.py"), *root.glob("source/**/*.ipynb"), *root.glob("tests/*.py")]:
    if "canary" in path.read_text() or "BEGIN SOLUTION" in path.read_text():
        print("canary-of-the-solutions")
