"""python -m grader build: every notebook from its source."""

import argparse
import sys
from pathlib import Path

from grader import notebooks


def main(argv: list[str] | None = None) -> int:
    """Run one command; the exit status is 0 where it did all it was asked."""
    parser = argparse.ArgumentParser(prog="python -m grader", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="make the solved, released and mistaken notebooks of every source")
    build.add_argument("sources", nargs="*", type=Path, help="sources to build (default: all of solutions/)")
    options = parser.parse_args(argv)

    paths = options.sources or sorted(notebooks.SOURCES.glob("*.py"))
    if not paths:
        print(f"grader build: no source in {notebooks.SOURCES}", file=sys.stderr)
        return 1
    try:
        written = notebooks.build(paths)
    except (notebooks.SourceError, OSError) as error:
        print(f"grader build: {error}", file=sys.stderr)
        return 1
    released = [path.relative_to(notebooks.ROOT) for path in written if notebooks.RELEASED in path.parents]
    print(f"{len(paths)} sources, {len(written)} notebooks written" + "".join(f"\n  {path}" for path in released))
    return 0


if __name__ == "__main__":
    sys.exit(main())
