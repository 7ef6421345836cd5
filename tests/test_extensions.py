"""The build's own extensions, each on a book of a page or two: what they show, and what they refuse."""

import json
import re
import sys

import nbformat
import pytest
import sphinx.application
from conftest import ROOT
from sphinx.util.docutils import docutils_namespace, patch_docutils

from backprop.diagnosis import CATALOGUE

EXTENSIONS = ROOT / "book" / "_ext"
sys.path.insert(0, str(EXTENSIONS))
import maths  # noqa: E402

PAGE = """---
description: Multiply, then add.
---
# A chapter

(doing-the-exercises)=
## Doing

Worth {points}`chapter` of {points}`book`, with $x^2$, and $\\sqrt{x}$ (so $y$).

```{exercise} square
```
"""


def write(book, exercises, page=PAGE):
    """A book of one chapter: its page, its table of contents, its notebook."""
    notebook = nbformat.v4.new_notebook()
    cells, table = notebook.cells, {}
    markdown, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
    for name, points in exercises.items():
        cells.append(markdown(f"## The {name} of $x$\n\nGive *it* back.", id=f"exercise-{name}"))
        cells.append(code("def given(x):\n    return x", id=f"given-{name}"))
        cells.append(code(f"def {name}(x):\n    raise NotImplementedError()", id=f"solution-{name}"))
        cells.append(code("exercise.score()", id=f"tests-{name}"))
        prompt, answer = f"exercise-{name}", f"solution-{name}"
        table[name] = {"title": f"The {name}", "points": points, "text": prompt, "cells": [answer]}
    notebook.metadata["backprop"] = {"chapter": "chapter", "exercises": table}
    folder = book / "exercises" / "chapter"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "chapter.ipynb").write_text(nbformat.writes(notebook))
    (book / "chapter.md").write_text(page)
    (book / "index.md").write_text("# Book\n\n```{bookmap}\n```\n")
    (book / "_toc.yml").write_text(
        "format: jb-book\nroot: index\nparts:\n  - caption: Part\n    chapters:\n      - file: chapter\n"
    )


def build(book, *more):
    """Build it, with `more` extensions; the warnings, the pages by name, and the pages that were read."""
    warnings, read = Lines(), []
    settings = {
        "extensions": ["myst_parser", "sphinx_external_toc", "exercise", "bookmap", "maths", *more],
        "external_toc_path": str(book / "_toc.yml"),
        "myst_enable_extensions": ["colon_fence", "dollarmath"],
        "exclude_patterns": ["exercises/**", "out/**", "_build/**"],
        "html_math_renderer": "katex",
    }
    with patch_docutils(), docutils_namespace():
        out = book / "out"
        trees = out / "doctrees"
        app = sphinx.application.Sphinx(book, None, out, trees, "html", settings, status=None, warning=warnings)
        app.connect("source-read", lambda app, name, source: read.append(name))
        app.build()
    pages = {path.stem: path.read_text() for path in out.glob("*.html")}
    return [re.sub(r"\x1b\[\d+m", "", line) for line in warnings], pages, read


class Lines(list):
    """Sphinx writes its warnings here."""

    write = list.append

    def flush(self):
        pass


@pytest.fixture
def book(tmp_path):
    write(tmp_path, {"square": 6})
    return tmp_path


def test_an_exercise_is_shown_where_it_belongs(book):
    warnings, pages, _ = build(book)
    assert warnings == []
    text = re.sub(r"<[^>]+>", "", pages["chapter"])
    assert "Exercise The square 6 points" in text and "Worth 6 of 6" in text
    assert "Give it back." in text and "## " not in text
    assert "raise NotImplementedError()" in text and "def given(x)" in text and "exercise.score" not in text
    link = re.search(r'href="(_downloads/\w+/chapter\.ipynb)"', pages["chapter"])[1]
    assert json.loads((book / "out" / link).read_text())["metadata"]["backprop"]["chapter"] == "chapter"


def test_the_map_shows_what_is_there(book):
    _, pages, _ = build(book)
    text = " ".join(re.sub(r"<[^>]+>", " ", pages["index"]).split())
    assert "Part A chapter 6 points Multiply, then add. 1 exercise, 6 points." in text


def test_a_name_the_notebook_does_not_have(book):
    write(book, {"square": 6}, PAGE.replace("} square", "} cube"))
    warnings, _, _ = build(book)
    assert any("exercises/chapter has no exercise 'cube'; it has: square" in line for line in warnings)


def test_an_exercise_that_no_page_shows(book):
    write(book, {"square": 6, "cube": 2})
    warnings, _, _ = build(book)
    assert ["cube" in line and "no page shows" in line for line in warnings] == [True]


def test_points_of_a_chapter_that_has_none(book):
    write(book, {"square": 6}, PAGE.replace("`chapter`", "`nowhere`"))
    warnings, _, _ = build(book)
    assert any("'nowhere' is no chapter with exercises" in line for line in warnings)


def test_a_page_is_read_again_when_its_notebook_changes(book):
    build(book)
    assert "chapter" not in build(book)[2]
    write(book, {"square": 7})
    warnings, pages, read = build(book)
    assert warnings == [] and "chapter" in read
    assert "7 points" in pages["chapter"] and "7 points" in pages["index"]


def test_punctuation_stays_with_its_formula(book):
    _, pages, _ = build(book)
    annotations = re.findall(r'<annotation encoding="application/x-tex">(.*?)</annotation>', pages["chapter"])
    assert r"x^2\htmlClass{beside}{\text{,}}" in annotations
    assert r"y\htmlClass{beside}{\text{).}}" in annotations


def test_a_formula_that_cannot_be_read(book):
    write(book, {"square": 6}, PAGE + "\nWrong: $\\frac{1$ and right: $1/2$.\n")
    warnings, pages, _ = build(book)
    assert len(warnings) == 1 and "chapter.md" in warnings[0] and r"\frac{1" in warnings[0]


@pytest.mark.parametrize("tex", [r"\unknown", r"\frac{1", r"a & b"])
def test_what_katex_cannot_read(tex):
    with pytest.raises(ValueError, match="KaTeX parse error"):
        maths.render(tex, display=False)


def test_a_formula_makes_no_link():
    assert "<a " not in maths.render(r"\href{https://example.org}{x}", display=False)


def test_long_formulas_come_back_whole():
    tex = "+".join(rf"\frac{{{i}}}{{x_{{{i}}}}}" for i in range(300))
    assert maths.render(tex, display=True).count("<mfrac>") == 300


def catalogued(book, matrix=None):
    """Build the book with a catalogue of mistakes, after its exercise was run as `matrix` says."""
    write(book, {"square": 6}, PAGE + "\n```{mistakes}\n```\n")
    if matrix is not None:
        folder = book / "_build" / "mistaken" / "chapter"
        folder.mkdir(parents=True)
        (folder / "kill_matrix.json").write_text(json.dumps(matrix))
    return build(book, "catalogue")


def test_a_mistake_is_shown_as_it_looks_when_it_is_made(book):
    said = "square: yours -1, not 1 & so on. (in your line `return -1`)"
    wrong = {"earned": 0, "points": 6, "named": ["sign"], "said": said, "shares": None}
    table = {"name": "x", "shape": [2, 2], "rows": [["−1", "−1"], ["−1", "•"]]}
    matrix = {"square": {"sign": wrong, "sign/all": {**wrong, "shares": table}, "factor-two": {**wrong, "named": []}}}
    warnings, pages, _ = catalogued(book, matrix)
    assert warnings == []
    entry = re.search(r'<section id="sign">(.*?)</section>', pages["chapter"], re.DOTALL)[1]
    assert "square: yours -1, not 1 &amp; so on.<" in entry
    assert re.findall(r'<td class="(\w+)">(.*?)</td>', entry) == [("bad", "−1")] * 3 + [("good", "•")]
    text = re.sub(r"<[^>]+>", "", entry)
    assert "dx, yours ÷ right; • is right" in text and "2 known wrong answers, in: The square." in text
    other = re.search(r'<section id="factor-two">(.*?)</section>', pages["chapter"], re.DOTALL)[1]
    assert "<td" not in other and "No known wrong answer of an exercise is this mistake." in other
    assert all(f'<section id="{name}">' in pages["chapter"] for name in CATALOGUE)


def test_a_catalogue_without_the_answers_that_were_run(book):
    warnings, _, _ = catalogued(book)
    assert ["run `make exercises`" in line for line in warnings] == [True, True]


@pytest.mark.parametrize("stale", ["no shares", "another exercise"])
def test_a_catalogue_of_answers_that_were_run_by_an_older_build(book, stale):
    entry = {"earned": 0, "points": 6, "named": ["sign"], "said": "square: yours -1.", "shares": None}
    if stale == "no shares":
        del entry["shares"], entry["said"]
    warnings, pages, _ = catalogued(book, {"cube" if stale == "another exercise" else "square": {"sign": entry}})
    told = "chapter/kill_matrix.json is of an older build: run `make exercises`"
    assert [told in line for line in warnings] == [True, False]
    assert "no known wrong answer was run" in warnings[1]
    assert '<section id="sign">' in pages["chapter"]


def divided(book, head, stops=1):
    """Build the book with a chapter that takes as long as `head` says, divided so many times."""
    stop = "\n:::{stop}\nYou can *square*.\nCubes come next.\n:::\n\n## More\n"
    write(book, {"square": 6}, PAGE.replace("# A chapter\n", f"# A chapter\n\n{head}\n") + stop * stops)
    warnings, pages, _ = build(book, "sittings")
    return warnings, " ".join(re.sub(r"<[^>]+>", "", pages["chapter"]).split())


def test_a_long_chapter_says_where_to_stop_and_how_long_the_rest_takes(book):
    warnings, text = divided(book, "Plan {sittings}`70 80`.")
    assert warnings == [] and "Plan two sittings of about 70 and 80 minutes." in text
    assert "A good place to stop You can square. Cubes come next. The rest takes about 80 minutes." in text
    warnings, text = divided(book, "Plan {sittings}`60 60 60`.", 2)
    assert warnings == [] and "Plan three sittings of about 60 minutes." in text
    assert re.findall(r"The rest takes about (\d+)", text) == ["120", "60"]
    warnings, text = divided(book, "Plan {sittings}`20`.", 0)
    assert warnings == [] and "Plan about 20 minutes." in text


@pytest.mark.parametrize(
    "head, stops, told",
    [
        ("Plan {sittings}`150`.", 0, "a sitting of 150 minutes: divide it"),
        ("Plan {sittings}`75 75`.", 0, "2 sittings, and 0 times {stop}"),
        ("Plan {sittings}`75`.", 1, "1 sittings, and 1 times {stop}"),
        ("Plan an hour.", 0, "does not say how long it takes"),
        ("Plan {sittings}`two hours`.", 0, "the minutes of one to four sittings are wanted"),
    ],
)
def test_times_and_stops_that_do_not_fit(book, head, stops, told):
    warnings, _ = divided(book, head, stops)
    assert any(told in line and "chapter" in line for line in warnings)
