"""Where nbgrader finds this course; every `nbgrader` command and formgrader read it from the root.

    source/      the instructor's notebooks, built by `make exercises` from solutions/
    exercises/   the release, built by the same command and committed
    submitted/   <student>/<assignment>/, collected from the exchange or placed by hand
    autograded/  feedback/  gradebook.db     what grading makes
"""

from pathlib import Path

from nbgrader.converters import Autograde

from grader.executor import Execute

root = Path(__file__).resolve().parent

c = get_config()  # noqa: F821
c.CourseDirectory.root = str(root)
c.CourseDirectory.course_id = "backprop"
c.CourseDirectory.release_directory = "exercises"
c.Exchange.root = str(root / "exchange")

# A cell that trains a network takes longer than the 30 seconds of the default.
c.ExecutePreprocessor.timeout = 300

# Submissions are executed on two sides, the student's in a sandbox; the other steps are nbgrader's own.
steps = Autograde.autograde_preprocessors.default_args[0]
c.Autograde.autograde_preprocessors = [Execute if step.__name__ == "Execute" else step for step in steps]
