"""python -m grader build | grade | export | rehearse: notebooks from their sources, and a class graded."""

import argparse
import os
import sys
from pathlib import Path


def main(argv: list[str] | None = None) -> int:
    """Run one command; the exit status is 0 where it did all it was asked."""
    parser = argparse.ArgumentParser(prog="python -m grader", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="make the solved, released and mistaken notebooks of every source")
    build.add_argument("sources", nargs="*", type=Path, help="sources to build (default: all of solutions/)")
    build.set_defaults(run=_build)

    grade = commands.add_parser("grade", help="grade what is new in submitted/, and write feedback pages and marks")
    grade.add_argument("assignment", help="its name, as in source/ and submitted/<student>/")
    _course(grade)
    grade.add_argument("--student", action="append", default=[], help="grade this student alone (may be repeated)")
    grade.add_argument("--force", action="store_true", help="grade again what has not changed, too")
    grade.add_argument("--cell-seconds", type=float, help="wall time for a cell, or for a call of a function")
    grade.add_argument("--workers", type=int, default=0, help="processes (default: one for each core)")
    grade.add_argument("--scheduler", default="", metavar="ADDRESS", help="a Dask scheduler whose workers do the work")
    _sandbox(grade)
    grade.add_argument("--no-pages", dest="pages", action="store_false", help="write no feedback pages")
    grade.set_defaults(run=_grade)

    export = commands.add_parser("export", help="write marks as CSV: nbgrader's columns, and a row per student id")
    export.add_argument("assignments", nargs="*", help="which (default: all)")
    export.add_argument("--to", type=Path, help="the folder (default: reports/ in the course)")
    _course(export)
    export.set_defaults(run=_export)

    rehearse = commands.add_parser("rehearse", help="grade a made-up class from release to export, and check it")
    rehearse.add_argument("chapter", nargs="?", default="scalar_chain_rule", help="default: scalar_chain_rule")
    rehearse.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the course in this new folder, to look at")
    _sandbox(rehearse)
    rehearse.set_defaults(run=_rehearse)

    options = parser.parse_args(argv)
    try:
        return options.run(options)
    except KeyboardInterrupt:
        print(f"\ngrader {options.command}: stopped; what is done is kept, the same command goes on", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever reads what is printed has read enough; Python would complain again when it closes the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _course(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--course", type=Path, default=Path(), help="the course's folder (default: this one)")
    parser.add_argument("--gradebook", default="", metavar="URL", help="default: gradebook.db in the course's folder")


def _sandbox(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--sandbox", choices=["auto", "bubblewrap", "container"], help="default: what there is")
    help_ = "run students' code with your own rights"
    where.add_argument("--no-sandbox", dest="sandbox", action="store_const", const="none", help=help_)


def _build(options: argparse.Namespace) -> int:
    from grader import notebooks

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


def _grade(options: argparse.Namespace) -> int:
    from grader import pool

    if not options.scheduler:
        pool.prepare()
    from grader import classroom

    asked = classroom.Options(
        workers=options.workers,
        scheduler=options.scheduler,
        sandbox=options.sandbox,
        students=tuple(options.student),
        force=options.force,
        pages=options.pages,
        limits={} if options.cell_seconds is None else {"cell_seconds": options.cell_seconds},
    )
    try:
        with classroom.Course(options.course, options.gradebook) as course:
            report = classroom.grade(course, options.assignment, asked)
    except (classroom.CourseError, OSError) as error:
        print(f"grader grade: {error}", file=sys.stderr)
        if not isinstance(error, classroom.NotThere):
            print("What is graded is kept: the same command goes on from there.", file=sys.stderr)
        return 1
    print(report)
    return 1 if report.lost else 0


def _rehearse(options: argparse.Namespace) -> int:
    import contextlib
    import tempfile

    from grader import rehearsal

    with contextlib.ExitStack() as stack:
        if options.keep:
            options.keep.mkdir(parents=True)
            root = options.keep.resolve()
        else:
            root = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="rehearsal-", ignore_cleanup_errors=True))
            )
        try:
            verdicts = rehearsal.rehearse(root, options.chapter, options.sandbox or "auto")
        except (rehearsal.RehearsalError, OSError) as error:
            print(f"grader rehearse: {error}", file=sys.stderr)
            return 1
    print("\n".join(map(str, verdicts)))
    print(f"\n{rehearsal.summary(verdicts)}")
    return 0 if all(verdict.ok for verdict in verdicts) else 1


def _export(options: argparse.Namespace) -> int:
    from grader import classroom, report
    from grader.gradebook import Gradebook, GradebookError

    try:
        with classroom.Course(options.course, options.gradebook) as course:
            with Gradebook(course.gradebook, course.directory.course_id, course.config) as book:
                files = report.export(course, book, options.assignments, options.to)
    except (classroom.CourseError, GradebookError, OSError) as error:
        print(f"grader export: {error}", file=sys.stderr)
        return 1
    print("\n".join(str(path) for path in files.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
