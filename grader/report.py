"""What an instructor takes away: marks as CSV for nbgrader's columns and for an LMS, and one page on the class.

reports/grades.csv          nbgrader's columns, every assignment and student
reports/lms.csv             a row per student id, a column per assignment, as an LMS imports it
reports/<assignment>.html   the distribution, the hardest exercises, which mistakes were made how often; no names
"""

import csv
import html
import io
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grader.submission import Assignment

FOLDER = "reports"
BINS = 10

STYLE = """
:root { color-scheme: light dark; --bar: #3b6ea5; --line: #8886; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .2rem .6rem .2rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.bar { width: 25%; } td.bar span { display: block; height: .9rem; background: var(--bar); border-radius: 2px; }
@media (max-width: 34rem) {
  td.bar { display: none; } th, td { overflow-wrap: anywhere; }
  table.words tr { display: grid; grid-template-columns: 1fr auto; border-bottom: 1px solid var(--line); }
  table.words tr > * { grid-column: 1 / 3; border: 0; }
  table.words tr > :first-child { grid-column: 1; } table.words tr > .n { grid-area: 1 / 2; }
}
@media (prefers-color-scheme: dark) { :root { --bar: #7fb0e6; } body { background: #121212; color: #eee; } }
"""


def export(course: Any, book: Any, assignments: list[str] | None = None, into: Path | None = None) -> dict[str, Path]:
    """Write grades.csv and lms.csv; of some assignments, or of all."""
    folder = into or course.root / FOLDER
    rows = book.rows(assignments)
    names = list(dict.fromkeys(row["assignment"] for row in rows))
    students: dict[str, dict] = {}
    for row in rows:
        student = students.setdefault(row["student_id"], {"Student ID": row["student_id"]})
        student |= {"Last name": row["last_name"], "First name": row["first_name"], "Email address": row["email"]}
        student[row["assignment"]] = f"{row['score']:g}"
    columns = ["Student ID", "Last name", "First name", "Email address", *names]
    keys = list(rows[0]) if rows else []
    return {
        "grades": _write(folder / "grades.csv", _csv(keys, rows)),
        "lms": _write(folder / "lms.csv", _csv(columns, students.values())),
    }


def write(
    course: Any, book: Any, assignment: Assignment, report: Any, marks: Mapping, journal: Mapping
) -> dict[str, Path]:
    """Everything, after a class is graded."""
    files = export(course, book)
    text = page(assignment, report, marks, journal)
    files["page"] = _write(course.root / FOLDER / f"{assignment.name}.html", text)
    return files


def _csv(columns: list[str], rows: Any) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _write(path: Path, text: str) -> Path:
    """Replace a file whole, or leave it where it says this already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not (path.exists() and path.read_text(encoding="utf-8") == text):
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="", dir=path.parent, delete=False) as file:
            file.write(text)
        os.chmod(file.name, 0o644)
        os.replace(file.name, path)
    return path


# The page ----------------------------------------------------------------------------------------------------


def page(assignment: Assignment, report: Any, marks: Mapping, journal: Mapping) -> str:
    """The class on one page, as HTML that asks nothing of the network."""
    graded = [student for student, entry in journal.items() if student in marks and not entry.detail["problem"]]
    totals = sorted(sum(sum(each.scores.values()) for each in marks[student].values()) for student in graded)
    refused = sum(1 for student in journal if student not in graded)
    points = {
        (notebook, name): most
        for notebook, master in assignment.notebooks.items()
        for name, most in master.points.items()
    }
    most = sum(points.values())
    parts = [
        f"<h1>{html.escape(assignment.name)}</h1>",
        f"<p>{_count(len(graded), 'submission')} graded, out of {most:g} points"
        + (f"; {refused} could not be graded" if refused else "")
        + (f"; median {_median(totals):g}" if totals else "")
        + ". Late penalties are not counted here.</p>",
    ]
    if totals:
        parts += ["<h2>How the points are distributed</h2>", _distribution(totals, most)]
        parts += ["<h2>Exercises, the hardest first</h2>", _exercises(points, [marks[student] for student in graded])]
        parts += ["<h2>Which mistakes were made how often</h2>", _mistakes(report.mistakes, len(graded))]
        waiting = sum(len(each.waiting) for student in graded for each in marks[student].values())
        if waiting:
            waits = f"{_count(waiting, 'answer')} still to be marked by a person: 0 in the distribution"
            parts.append(f"<p>{waits}, left out of the exercises.</p>")
    title = html.escape(f"{assignment.name}: the class")
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    return f'<!doctype html>\n<html lang="en"><head>{head}<style>{STYLE}</style></head>\n<body>\n' + (
        "\n".join(parts) + "\n</body></html>\n"
    )


def _distribution(totals: list[float], most: float) -> str:
    counts = [0] * BINS
    for total in totals:
        counts[min(BINS - 1, int(BINS * total / most)) if most else 0] += 1
    rows = []
    for number, count in reversed(list(enumerate(counts))):
        low, high = most * number / BINS, most * (number + 1) / BINS
        upto = "to" if number == BINS - 1 else "to under"
        rows.append((f"{low:g} {upto} {high:g}", str(count), count / max(counts)))
    return _table(("Points", "Submissions"), rows)


def _exercises(points: Mapping[tuple, float], everyone: list[Mapping]) -> str:
    rows = []
    for (notebook, name), most in points.items():
        scores = [m[notebook].scores.get(name, 0.0) for m in everyone if name not in m[notebook].waiting]
        mean = sum(scores) / len(scores) if scores else 0.0
        share = mean / most if most else 1.0
        shown = f"{mean:.2f} of {most:g}" if scores else "not marked yet"
        full = f"{sum(score >= most for score in scores)} of {len(scores)}"
        rows.append((not scores, share, name, shown, full, share))
    rows.sort(key=lambda row: row[:3])
    return _table(("Exercise", "Mean points", "Full marks"), [row[2:] for row in rows])


def _mistakes(mistakes: Mapping[str, Mapping[str, int]], graded: int) -> str:
    from backprop.grading import CATALOGUE

    rows = []
    for exercise, counts in mistakes.items():
        for name, count in counts.items():
            sentence = CATALOGUE[name].sentence if name in CATALOGUE else ""
            rows.append((-count, exercise, name, exercise, sentence, str(count), count / graded))
    if not rows:
        return "<p>None that has a name.</p>"
    rows.sort(key=lambda row: row[:3])
    return _table(("Mistake", "Exercise", "What it is", "Submissions"), [row[2:] for row in rows], numbers=1)


def _table(heads: tuple[str, ...], rows: list[tuple], numbers: int | None = None) -> str:
    """A table whose last column draws a share as a bar; `numbers` is how many columns before it are numbers."""
    numbers = len(heads) - 1 if numbers is None else numbers
    kind = lambda number: ' class="n"' if number >= len(heads) - numbers else ""
    top = "".join(f'<th scope="col"{kind(i)}>{html.escape(head)}</th>' for i, head in enumerate(heads))
    words = ' class="words"' if numbers < len(heads) - 1 else ""
    lines = [f'<table{words}><thead><tr>{top}<td class="bar"></td></tr></thead><tbody>']
    for *cells, share in rows:
        first = f'<th scope="row">{html.escape(cells[0])}</th>'
        rest = "".join(f"<td{kind(i)}>{html.escape(cell)}</td>" for i, cell in enumerate(cells[1:], 1))
        bar = f'<td class="bar" aria-hidden="true"><span style="width:{100 * share:.1f}%"></span></td>'
        lines.append(f"<tr>{first}{rest}{bar}</tr>")
    return "\n".join(lines) + "</tbody></table>"


def _median(values: list[float]) -> float:
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
