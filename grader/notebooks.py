"""solutions/<chapter>.py -> solved, released and mistaken notebooks.

A source is a percent-format script.  The tags of a cell say what it is:

    # %% [markdown]                                   text
    # %% [markdown] exercise="neuron"                 the text of an exercise; its first heading is the title
    # %%                                              given code, locked
    # %% solution="neuron"                            an answer, between ### BEGIN SOLUTION and ### END SOLUTION
    # %% tests="neuron" points=6                      the graded cell; hidden seeds in ### BEGIN HIDDEN TESTS
    # %% mistake="sign" of="neuron"                   a known wrong answer, by an id of the catalogue
    # %% mistake="sign" of="neuron" variant="both"    another with the same id
    # %% accepted="by-hand" of="neuron"               another right answer
                                                      (both need only the functions that differ from the answer's)
    # %% [markdown] marked="reflection" points=4      a question that a person marks, model answer between markers

`read` refuses a bad source with file, line and reason.  `solved` is the instructor's notebook, `released` what
nbgrader's own release makes of it, and `filled` a release with answers typed in, right or mistaken.
"""

import ast
import contextlib
import copy
import io
import json
import linecache
import logging
import multiprocessing
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat
import numpy as np
from nbformat import NotebookNode

from backprop.grading import CATALOGUE, matches

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "solutions"
RELEASED = ROOT / "exercises"
SOLVED = ROOT / "source"
MISTAKEN = ROOT / "_build" / "mistaken"

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
TAGS = {
    "exercise": set(),
    "solution": set(),
    "tests": {"points"},
    "mistake": {"of", "variant"},
    "accepted": {"of"},
    "marked": {"points"},
}
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
SOLUTION = ("### BEGIN SOLUTION", "### END SOLUTION")
HIDDEN = ("### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS")
# Shorter lines ("return out", "a = 1") are nobody's secret.
LEAK_LENGTH = 12


class SourceError(Exception):
    """A source that can't be built: file, line, reason."""

    def __init__(self, path: Path, line: int, reason: str):
        super().__init__(path, line, reason)

    def __str__(self) -> str:
        return "{}:{}: {}".format(*self.args)


@dataclass(frozen=True)
class Cell:
    """A cell of a source: `role` is its tag ("text" or "given" without one), `line` where it begins."""

    role: str
    name: str
    text: str
    line: int
    markdown: bool
    of: str = ""
    points: float = 0.0
    variant: str = ""

    @property
    def key(self) -> str:
        """What tells known wrong answers of one exercise apart."""
        return f"{self.name}/{self.variant}" if self.variant else self.name


@dataclass(frozen=True)
class Source:
    """A chapter's assignment as its author wrote it."""

    path: Path
    cells: tuple[Cell, ...]

    @property
    def chapter(self) -> str:
        return self.path.stem

    def role(self, role: str) -> list[Cell]:
        return [cell for cell in self.cells if cell.role == role]

    def of(self, role: str, exercise: str) -> list[Cell]:
        return [cell for cell in self.role(role) if exercise in (cell.of, cell.name)]

    def answers(self, instead: Cell | None = None) -> dict[str, str]:
        """The text of every answer cell, by exercise, with the functions of one cell put in their places."""
        texts = {cell.name: cell.text for cell in self.role("solution")}
        if instead is not None:
            theirs = _functions(instead.text)
            kept = [text for name, text in _functions(texts[instead.of]).items() if name not in theirs]
            texts[instead.of] = "\n\n\n".join([*kept, instead.text])
        return texts

    @property
    def graded(self) -> dict[str, Cell]:
        """The cells that carry points, by name, in order."""
        return {cell.name: cell for cell in self.cells if cell.role in ("tests", "marked")}


def read(path: Path) -> Source:
    """Parse and check one source; raise `SourceError` at the first thing that is wrong with it."""
    path = Path(path)
    text = path.read_text(encoding="utf-8")
    starts = [number for number, line in enumerate(text.splitlines(), 1) if re.match(r"# %%( |$)", line)]
    try:
        notebook = jupytext.reads(text, fmt="py:percent")
    except Exception as error:
        raise SourceError(path, 1, f"is not a percent-format script: {error}") from error
    if len(starts) != len(notebook.cells):
        raise SourceError(path, 1, "text before the first '# %%', or a cell marker that can't be read")
    cells = [_cell(path, node, line) for node, line in zip(notebook.cells, starts, strict=True)]
    source = Source(path, tuple(cells))
    for check in (_check_syntax, _check_names, _check_regions, _check_exercises, _check_leaks):
        check(source)
    return source


def _cell(path: Path, node: NotebookNode, line: int) -> Cell:
    tags = {key: value for key, value in node.metadata.items() if key not in ("title", "lines_to_next_cell")}
    if node.metadata.get("title"):
        raise SourceError(path, line, f"unknown words in the cell's header: {node.metadata['title']!r}")
    roles = [key for key in tags if key in TAGS]
    if len(roles) > 1:
        raise SourceError(path, line, f"a cell has one tag, this one has {' and '.join(roles)}")
    markdown = node.cell_type == "markdown"
    if not roles:
        if tags:
            raise SourceError(path, line, f"unknown tag {', '.join(tags)}; known: {', '.join(TAGS)}")
        return Cell("text" if markdown else "given", "", node.source, line, markdown)
    role = roles[0]
    unknown = set(tags) - {role} - TAGS[role]
    if unknown:
        raise SourceError(path, line, f"unknown tag {', '.join(sorted(unknown))} in a cell tagged {role}")
    if markdown != (role in ("exercise", "marked")):
        kind = "text" if role in ("exercise", "marked") else "code"
        raise SourceError(path, line, f"{role}={tags[role]!r} belongs on a {kind} cell")
    for tag in (role, "of", "variant"):
        if tag in tags and not (isinstance(tags[tag], str) and NAME.fullmatch(tags[tag])):
            raise SourceError(path, line, f"{tag}={tags[tag]!r}: a name is lower-case words joined by hyphens")
    if "of" in TAGS[role] and "of" not in tags:
        raise SourceError(path, line, f'{role}={tags[role]!r} must say of="<exercise>"')
    points = tags.get("points", 0)
    if "points" in TAGS[role]:
        if "points" not in tags:
            raise SourceError(path, line, f"points missing: {role}={tags[role]!r} needs points=<number>")
        if isinstance(points, bool) or not isinstance(points, (int, float)) or not 0 < points < 1000:
            raise SourceError(path, line, f"points={points!r} is not a positive number")
    return Cell(
        role, tags[role], node.source, line, markdown, tags.get("of", ""), float(points), tags.get("variant", "")
    )


def _functions(text: str) -> dict[str, str]:
    """The top-level definitions of a code cell, by name."""
    return {
        node.name: ast.get_source_segment(text, node)
        for node in ast.parse(text).body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    }


def _check_syntax(source: Source) -> None:
    for cell in source.cells:
        if cell.markdown:
            continue
        try:
            ast.parse(cell.text)
        except SyntaxError as error:
            raise SourceError(source.path, cell.line + (error.lineno or 0), f"syntax error: {error.msg}") from error


def _check_names(source: Source) -> None:
    seen: dict[tuple, int] = {}
    for cell in source.cells:
        if not cell.name:
            continue
        # A marked question is graded as tests are, so the two share one set of names; so do their points.
        kind = "tests" if cell.role == "marked" else cell.role
        identity = (kind, cell.of, cell.key)
        if identity in seen:
            what = "points repeated: " if kind == "tests" else ""
            raise SourceError(
                source.path, cell.line, f"{what}two cells named {kind}={cell.key!r}, the first in line {seen[identity]}"
            )
        seen[identity] = cell.line


def _check_regions(source: Source) -> None:
    for cell in source.cells:
        for role, (begin, end) in (("solution", SOLUTION), ("tests", HIDDEN)):
            marks = [line.strip() for line in cell.text.splitlines() if line.strip() in (begin, end)]
            wanted = cell.role == role or (role == "solution" and cell.role == "marked")
            if not wanted and marks:
                raise SourceError(source.path, cell.line, f"{marks[0]!r} in a cell that is not tagged {role}")
            if wanted and not marks:
                raise SourceError(
                    source.path,
                    cell.line,
                    f"{cell.role}={cell.name!r} has no {begin!r} ... {end!r} around what is withheld",
                )
            if marks != [begin, end] * (len(marks) // 2):
                raise SourceError(source.path, cell.line, f"{begin!r} and {end!r} do not pair up")
            if wanted and not any(line.strip() for line in _region(cell.text, (begin, end))):
                raise SourceError(source.path, cell.line, f"nothing between {begin!r} and {end!r}")


def _check_exercises(source: Source) -> None:
    path = source.path
    answers = {cell.name: cell for cell in source.role("solution")}
    tests = {cell.name: cell for cell in source.role("tests")}
    texts = {cell.name: cell for cell in source.role("exercise")}
    if not tests:
        raise SourceError(path, 1, "no graded cell: an assignment has at least one tests=... cell")
    for name, cell in answers.items():
        if name not in tests:
            raise SourceError(path, cell.line, f"solution={name!r} has no tests={name!r}, and so no points")
    for name, cell in tests.items():
        if name not in answers:
            raise SourceError(path, cell.line, f"tests={name!r} has no solution={name!r}")
        if name not in texts:
            raise SourceError(path, cell.line, f"tests={name!r} has no text cell exercise={name!r}")
        if not re.search(r"^#+ \S", texts[name].text, re.MULTILINE):
            raise SourceError(path, texts[name].line, f"exercise={name!r} has no heading for its title")
    for name, cell in texts.items():
        if name not in tests:
            raise SourceError(path, cell.line, f"exercise={name!r} has no tests={name!r}")
    for cell in source.role("mistake") + source.role("accepted"):
        if cell.of not in answers:
            raise SourceError(path, cell.line, f"of={cell.of!r}: no exercise has that name")
    for cell in source.role("mistake"):
        if cell.name not in CATALOGUE:
            raise SourceError(path, cell.line, f"mistake={cell.name!r} is no entry of the catalogue of mistakes")


def _check_leaks(source: Source) -> None:
    """No line of an answer stands in what students see."""
    secret: dict[str, str] = {}
    for cell in source.role("solution") + source.role("marked"):
        for line in withheld(cell):
            secret.setdefault(line, cell.name)
    for cell in source.cells:
        if cell.role in ("mistake", "accepted"):
            continue
        for offset, line in enumerate(_without(_without(cell.text, SOLUTION), HIDDEN).splitlines(), 1):
            plain = lines(line, 0)
            for answer, name in secret.items():
                if plain and answer in plain[0]:
                    raise SourceError(
                        source.path, cell.line + offset, f"a line of the answer to {name!r} leaks: {line.strip()!r}"
                    )


def lines(text: str, least: int = LEAK_LENGTH) -> list[str]:
    """The lines of a text without white space and trailing comments, those of `least` characters or more."""
    plain = (re.sub(r"\s+", "", line.split("  #")[0]) for line in text.splitlines())
    return [line for line in plain if line and len(line) >= least]


def withheld(cell: Cell) -> list[str]:
    """The lines of a cell that students must not see, as `lines` gives them."""
    return lines("\n".join(_region(cell.text, SOLUTION) + _region(cell.text, HIDDEN)))


def _region(text: str, marks: tuple[str, str]) -> list[str]:
    """The lines between the markers."""
    inside, found = False, []
    for line in text.splitlines():
        if line.strip() in marks:
            inside = line.strip() == marks[0]
        elif inside:
            found.append(line)
    return found


def _without(text: str, marks: tuple[str, str]) -> str:
    """The text with a blank line for each line of the regions, so that lines keep their numbers."""
    inside, kept = False, []
    for line in text.splitlines():
        if line.strip() in marks:
            inside = line.strip() == marks[0]
            kept.append("")
        else:
            kept.append("" if inside else line)
    return "\n".join(kept)


# Notebooks ---------------------------------------------------------------------------------------------------


def solved(source: Source, known: Mapping | None = None) -> NotebookNode:
    """The instructor's notebook: answers, hidden tests, nbgrader's metadata, and what `fingerprints` gave."""
    notebook = nbformat.v4.new_notebook()
    notebook.metadata = NotebookNode(
        kernelspec=NotebookNode(KERNEL),
        language_info=NotebookNode(name="python"),
        backprop=NotebookNode(chapter=source.chapter, exercises=_exercises(source)),
    )
    given = 0
    for number, cell in enumerate(source.cells):
        if cell.role in ("mistake", "accepted"):
            continue
        make = nbformat.v4.new_markdown_cell if cell.markdown else nbformat.v4.new_code_cell
        identity = f"{cell.role}-{cell.name}" if cell.name else f"{cell.role}-{number}"
        node = make(cell.text, id=identity[:64])
        if cell.role in ("solution", "tests", "marked", "given"):
            node.metadata["nbgrader"] = _nbgrader(cell, identity)
        notebook.cells.append(node)
        if cell.role == "given":
            given += 1
            if given == 1:
                notebook.cells.append(_table(source, known or {}))
    return notebook


def released(notebook: NotebookNode) -> NotebookNode:
    """What nbgrader's own release makes of a notebook: no answers, no hidden tests, locked cells, checksums."""
    from nbgrader.converters import GenerateAssignment
    from nbgrader.preprocessors import IncludeHeaderFooter, InstantiateTests, SaveCells

    # These three read files or write the gradebook; none changes a notebook of ours.
    left_out = (IncludeHeaderFooter, InstantiateTests, SaveCells)
    notebook, resources = copy.deepcopy(notebook), {}
    for preprocessor in GenerateAssignment.preprocessors.default_args[0]:
        if preprocessor not in left_out:
            notebook, resources = preprocessor(parent=None).preprocess(notebook, resources)
    return notebook


def filled(release: NotebookNode, answers: Mapping[str, str]) -> NotebookNode:
    """A released notebook as a student hands it in: `answers` gives the text of answer cells by name."""
    notebook = copy.deepcopy(release)
    for name, text in answers.items():
        next(cell for cell in notebook.cells if cell.id == f"solution-{name}").source = text
    return notebook


def _exercises(source: Source) -> dict:
    exercises = {}
    for name, cell in source.graded.items():
        text = cell if cell.role == "marked" else source.of("exercise", name)[0]
        title = re.search(r"^#+ +(.+)$", text.text, re.MULTILINE)
        exercises[name] = NotebookNode(
            title=title[1].strip() if title else name,
            points=cell.points,
            text=f"{text.role}-{name}",
            cells=[f"solution-{name}"] if cell.role == "tests" else [],
        )
    return exercises


def _nbgrader(cell: Cell, identity: str) -> NotebookNode:
    graded, answer = cell.role in ("tests", "marked"), cell.role in ("solution", "marked")
    metadata = NotebookNode(
        grade=graded,
        grade_id=cell.name if graded else identity,
        locked=cell.role in ("tests", "given"),
        schema_version=3,
        solution=answer,
        task=False,
    )
    if graded:
        metadata["points"] = cell.points
    return metadata


def _table(source: Source, known: Mapping[str, dict]) -> NotebookNode:
    """The cell that tells the test cells their points and what the known mistakes give."""
    points = {name: cell.points for name, cell in source.graded.items() if cell.role == "tests"}
    text = (
        "# Points, and what known mistakes give on the visible tests, so that a wrong answer can be named.\n"
        # One long line, which pages scroll: nobody reads it.
        f"checks.load({_literal(points)}, known={_literal(known)})"
    )
    node = nbformat.v4.new_code_cell(text, id="given-table")
    node.metadata["jupyter"] = NotebookNode(source_hidden=True)
    node.metadata["nbgrader"] = _nbgrader(Cell("given", "", "", 0, False), "given-table")
    return node


def _literal(table: Mapping) -> str:
    return json.dumps(table, ensure_ascii=False, separators=(",", ":"))


# Running, in this process ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """What the test cells of a notebook gave, by exercise."""

    points: dict[str, float]
    feedback: dict[str, str]
    seen: dict[str, dict]
    named: dict[str, list[str]]
    remarks: dict[str, list]


def run(notebook: NotebookNode, only: Iterable[str] | None = None) -> Run:
    """Run a notebook's code cells in this process (a solution's author is trusted); `only` some exercises' tests."""
    namespace: dict = {"__name__": "__main__"}
    points, feedback, seen, named, remarks = {}, {}, {}, {}, {}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        graded = cell.metadata.get("nbgrader", {}).get("grade", False)
        if graded and only is not None and name not in only:
            continue
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown):
            value = _execute(cell, namespace)
        if graded:
            points[name], feedback[name] = value, shown.getvalue()
            exercise = namespace["checks"].exercises[name]
            seen[name], named[name], remarks[name] = exercise.seen, exercise.named, exercise.remarks
    return Run(points, feedback, seen, named, remarks)


def _execute(cell: NotebookNode, namespace: dict):
    """Run one cell; its value is that of its last line, as in a notebook."""
    file = f"<{cell.id}>"
    linecache.cache[file] = (len(cell.source), None, cell.source.splitlines(keepends=True), file)
    tree = ast.parse(cell.source, filename=file)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, file, "exec"), namespace)
    return None if last is None else eval(compile(ast.Expression(last.value), file, "eval"), namespace)


def fingerprints(source: Source) -> dict[str, dict]:
    """What each known mistake gives on the visible tests: {exercise: {mistake: {function: {case: {output: ...}}}}}.

    Only outputs that differ from the right answer's are kept, so that what travels holds nothing of it.
    A fingerprint that the committed release has, but for rounding, stays as it is there: another machine builds the
    same bytes.
    """
    bare = solved(source)
    visible = released(bare)
    truth = run(filled(visible, source.answers())).seen
    known: dict[str, dict] = {}
    for mistake in source.role("mistake"):
        exercise = mistake.of
        got = run(filled(visible, source.answers(mistake)), only=[exercise]).seen[exercise]
        wrong = {}
        for function, cases in got.items():
            outputs = {
                name
                for case, prints in cases.items()
                for name, print_ in prints.items()
                if not _alike(truth[exercise].get(function, {}).get(case, {}).get(name), print_)
            }
            if outputs:
                wrong[function] = {
                    case: {name: p for name, p in prints.items() if name in outputs} for case, prints in cases.items()
                }
        known.setdefault(exercise, {})[mistake.key] = wrong
    return _settle(known, _committed(source))


def _alike(one: list | None, other: list | None, rtol: float = 1e-7) -> bool:
    return one is not None and other is not None and matches(one, other, rtol)


def _committed(source: Source) -> dict:
    """The fingerprints of the committed release; nothing where there is none."""
    path = RELEASED / source.chapter / f"{source.chapter}.ipynb"
    if not path.exists():
        return {}
    table = next((cell for cell in nbformat.read(path, as_version=4).cells if cell.id == "given-table"), None)
    if table is None:
        return {}
    load = ast.parse(table.source).body[-1].value
    return ast.literal_eval(next(keyword.value for keyword in load.keywords if keyword.arg == "known"))


def _settle(new, old):
    """`new`, with the old fingerprint wherever the two match."""
    if isinstance(new, dict):
        old = old if isinstance(old, dict) else {}
        return {key: _settle(value, old.get(key)) for key, value in new.items()}
    # Looser than what names a mistake: training, and float32, carry rounding further than that.
    return old if isinstance(old, list) and _alike(new, old, rtol=1e-5) else new


def kill_matrix(source: Source, release: NotebookNode) -> dict[str, dict]:
    """What the visible tests make of each mistake: {exercise: {mistake: {"earned", "points", "named", ...}}}.

    "said" is the line that a student reads first, and "shares" the first wrong gradient beside the right one.
    """
    matrix: dict[str, dict] = {name: {} for name, cell in source.graded.items() if cell.role == "tests"}
    for mistake in source.role("mistake"):
        name = mistake.of
        result = run(filled(release, source.answers(mistake)), only=[name])
        first = result.remarks[name][0] if result.remarks[name] else None
        matrix[name][mistake.key] = {
            "earned": result.points[name],
            "points": source.graded[name].points,
            "named": result.named[name],
            "said": first.message if first else "",
            "shares": shares(first.report, first.parameter) if first and first.report else None,
        }
    return matrix


def shares(report, name: str) -> dict | None:
    """A wrong gradient as a small table of text: what each entry is of the right one, "•" where it is right.

    At most 6 x 6 entries; arrays of more axes are laid out with the last one across.  None where there are no numbers.
    """
    if name not in report.numeric or name not in report.analytic or not np.any(report.wrong.get(name, False)):
        return None
    yours, right, wrong = (np.asarray(part[name]) for part in (report.analytic, report.numeric, report.wrong))
    if yours.shape != right.shape:
        return None
    yours, right, wrong = (a.reshape(-1, a.shape[-1] if a.ndim else 1) for a in (yours, right, wrong))
    size = np.nanmax(np.abs(right), initial=0)
    rows = [
        ["•" if not w else _share(y, r, size) for y, r, w in zip(*row, strict=True)]
        for row in zip(yours[:6, :6], right[:6, :6], wrong[:6, :6], strict=True)
    ]
    return {"name": name, "shape": list(np.shape(report.analytic[name])), "rows": rows}


def _share(yours: float, right: float, size: float) -> str:
    """`yours` over `right` with two digits, or "×" where that says nothing."""
    if not (np.isfinite(yours) and np.isfinite(right)) or abs(right) <= 1e-9 * size:
        return "×"
    share = yours / right
    if yours != 0 and not 1e-3 < abs(share) < 1e4:
        return "×"
    return (f"{share:.0f}" if abs(share) >= 100 else f"{share:.2g}").replace("-", "−")


# Files -------------------------------------------------------------------------------------------------------


def build(paths: Iterable[Path], into: Mapping[str, Path] | None = None) -> list[Path]:
    """Build every source; nothing is written unless all of them are good.

    `into` gives the directories of "solved", "released" and "mistaken" notebooks.
    """
    into = into or {"solved": SOLVED, "released": RELEASED, "mistaken": MISTAKEN}
    paths = sorted(paths, key=lambda path: -path.stat().st_size)
    if len(paths) == 1:
        made = [_made(paths[0])]
    else:
        # Every known wrong answer is run: minutes of work, and a source knows nothing of the others.
        with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
            made = list(pool.map(_made, paths))
    files = {into[kind] / path: text for source in made for (kind, path), text in source.items()}
    return sorted(path for path, text in files.items() if _write(path, text))


def _made(path: Path) -> dict[tuple[str, Path], str]:
    """What one source makes: {(kind, path): text}, where the kind is one of `build`'s directories."""
    logging.getLogger("traitlets").setLevel(logging.ERROR)
    source = read(path)
    full = solved(source, fingerprints(source))
    release = released(full)
    folder = Path(source.chapter)
    notebook = folder / f"{source.chapter}.ipynb"
    files = {("solved", notebook): _text(full), ("released", notebook): _text(release)}
    for mistake in source.role("mistake"):
        name = f"{mistake.of}.{mistake.key.replace('/', '.')}.ipynb"
        files["mistaken", folder / name] = _text(filled(release, source.answers(mistake)))
    matrix = json.dumps(kill_matrix(source, release), indent=1)
    files["mistaken", folder / "kill_matrix.json"] = matrix + "\n"
    return files


def _text(notebook: NotebookNode) -> str:
    return nbformat.writes(notebook) + "\n"


def _write(path: Path, text: str) -> bool:
    """Replace a file whole, or leave it alone where it is fresh; True where it was written."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:
        file.write(text)
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)
    return True
