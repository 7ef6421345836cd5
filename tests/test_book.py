"""The book as text: its order, its sentences, its table of names, its figures' words, and no answer anywhere."""

import html
import html.parser
import json
import re

import pytest
import yaml
from conftest import ROOT

from backprop.diagnosis import CATALOGUE
from grader import notebooks

BOOK = ROOT / "book"
PAGES = sorted(BOOK.glob("*.md"))
SOURCES = sorted(notebooks.SOURCES.glob("*.py"))
RELEASED = sorted(notebooks.RELEASED.glob("*/*.ipynb"))
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text())
# Shorter pieces are nobody's secret: "return out", "a = 1".
TELLING = 12
# A line by itself gives something away where it reckons, or where it is as long as this.
LONG = 40
RECKONS = re.compile(r"[\w)\]]\s*(?:\*\*|[-+*/@])\s*[\w(]")


def in_toc():
    """The pages of _toc.yml, in its order."""
    chapters = [chapter["file"] for part in TOC["parts"] for chapter in part["chapters"]]
    return [TOC["root"], *chapters]


# Order -------------------------------------------------------------------------------------------------------


def test_every_page_is_in_the_toc_once():
    assert sorted(in_toc()) == [f"book/{page.stem}" for page in PAGES]


def test_a_slug_carries_no_number():
    assert not [page for page in in_toc() if re.search(r"\d", page)]


def test_the_map_is_the_toc(site):
    page = Page((site / "book" / "index.html").read_text())
    at = page.source.index('class="bookmap docutils container"')
    links = re.findall(r'href="([\w/.]+)\.html"', page.source[at : page.source.index("</section>", at)])
    assert links == [name.removeprefix("book/") for name in in_toc()[1:]]


def test_points_shown_are_those_of_the_notebooks(site):
    exercises = [json.loads(path.read_text())["metadata"]["backprop"]["exercises"] for path in RELEASED]
    points = sum(entry["points"] for chapter in exercises for entry in chapter.values())
    text = text_of((site / "book" / "index.html").read_text())
    assert f"{sum(map(len, exercises))} exercises, {points:g} points" in text


# Sentences ---------------------------------------------------------------------------------------------------

FENCE = re.compile(r"^(`{3,}|:{3,}|~{3,})")
CODE = re.compile(r"^`{3,}\{?(code-cell|math|bibliography|code-block|literalinclude|list-table)|^`{3,}\w")
# A full stop, then a new sentence on the same line.
TWO = re.compile(r"[A-Za-z0-9)`$*”’'\"][.?!][”’\")*]{0,2} +(?=[“\"*`$]{0,2}[A-Z])")
ABBREVIATIONS = re.compile(r"\b(?:e\.g|i\.e|cf|vs|etc|Dr|Prof|Fig|Eq|Sec|[A-Z])\.\s")
ITEM = re.compile(r"^(?:[-*+]|\d+\.) +")
LEAD = re.compile(r"^\*\*[^*]+\*\*[.:]? ")


def prose(text):
    """The (line number, line) of a page's prose: no front matter, code, formulas, tables, headings or options."""
    inside = None
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if number == 1 and stripped == "---":
            inside = "---"
        elif inside:
            if stripped == inside:
                inside = None
        elif CODE.match(stripped):
            inside = FENCE.match(stripped)[0]
        elif stripped == "$$" or stripped.startswith(r"\begin{"):
            inside = "$$" if stripped == "$$" else stripped.replace("begin", "end", 1)
        elif stripped and not re.match(r"[|#:]|`{3}|\$\$|\(.*\)=$|<!--|\+\+\+", stripped):
            yield number, stripped


def crowded(text):
    """The lines that hold more than one sentence."""
    found = []
    for number, line in prose(text):
        plain = ABBREVIATIONS.sub("abbreviation ", LEAD.sub("", ITEM.sub("", line)))
        plain = re.sub(r"`[^`]*`|\$[^$]*\$", "X", plain)
        if TWO.search(plain):
            found.append(f"{number}: {line}")
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_one_sentence_per_line(page):
    assert crowded(page.read_text()) == []


@pytest.mark.parametrize(
    "text, count",
    [
        ("One sentence. And a second.", 1),
        ("Is it? `It` is.\nYes. No.", 2),
        ("**What you'll do.** Take a loss apart.\n- see e.g. Nature, p. 533.", 0),
        ("```python\na. B\n```\n\n| a. B |\n\n$$\na. B\n$$\nThe end.", 0),
    ],
)
def test_crowded_lines_are_seen(text, count):
    assert len(crowded(text)) == count


# Names -------------------------------------------------------------------------------------------------------


def notation(first="Symbol"):
    """The rows of the notation page, as dicts by column, from the tables whose first column is `first`."""
    rows, columns = [], None
    for line in (BOOK / "notation.md").read_text().splitlines():
        if not line.startswith("|"):
            columns = None
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if columns is None:
            columns = cells
        elif set(line) - set("|-: ") and columns[0] == first:
            rows.append(dict(zip(columns, cells, strict=True)))
    return rows


def strangers(text):
    """Names of other books in a text, which the notation page says are not used in this one."""
    names = [name for row in notation("Elsewhere") for name in re.findall(r"`([^`]+)`", row["Elsewhere"])]
    # A step written \alpha is told from a leak written \alpha by its place in an update.
    updates = re.findall(r"(?:-=|\\leftarrow.*-)\s*\\?alpha\b", text)
    names.remove(r"\alpha")
    return updates + [name for name in names if re.search(rf"(?<![\w\\]){re.escape(name)}(?!\w)", text)]


def written():
    """Text and code by file: pages without the sections that compare notations, modules, answers without mistakes."""
    texts = {}
    for page in BOOK.glob("*.md"):
        sections = re.split(r"^(?=#+ )", page.read_text(), flags=re.MULTILINE)
        texts[page.name] = "".join(s for s in sections if not re.match(r"#+ (Not used here|How other)", s))
    for module in (ROOT / "backprop").rglob("*.py"):
        texts[str(module.relative_to(ROOT))] = module.read_text()
    for path in (ROOT / "solutions").glob("*.py"):
        cells = [cell.text for cell in notebooks.read(path).cells if cell.role not in ("mistake", "accepted")]
        texts[str(path.relative_to(ROOT))] = "\n".join(cells)
    return texts


def orphans(text):
    """Names such as `dW1` whose `W1` is no name of the same file; `dV` is the pattern itself, `dL` is 1."""
    gradients = set(re.findall(r"\bd([A-Z]\d?)\b", text)) - {"V", "L"}
    return sorted("d" + name for name in gradients if not re.search(rf"(?<!\w){name}\d?(?!\w)", text))


@pytest.mark.parametrize("name, text", written().items(), ids=list(written()))
def test_text_and_code_keep_to_the_names(name, text):
    assert strangers(text) == []
    # The checker's side speaks of gradients of whatever it is given.
    if not name.startswith("backprop") or name == "backprop/ops.py":
        assert orphans(text) == []


@pytest.mark.parametrize(
    "text, found",
    [
        ("W -= learning_rate * dW", ["learning_rate"]),
        (r"the loss $\mathcal{L}$", [r"\mathcal{L}"]),
        ("Z = W @ X + b", ["W @ X"]),
        (r"w -= \alpha g", [r"-= \alpha"]),
        ("dLdW = 1", ["dLdW"]),
        ("Z = X @ W + b", []),
    ],
)
def test_names_of_other_books_are_seen(text, found):
    assert strangers(text) == found


def test_a_gradient_of_nothing_is_seen():
    assert orphans("dQ = X.T @ dZ; Z = 1; X = 2") == ["dQ"]


def test_the_table_of_names_is_whole():
    rows = notation()
    assert len(rows) > 30 and len(notation("Elsewhere")) > 3
    for row in rows:
        assert list(row) == ["Symbol", "In code", "Shape", "Meaning"]
        assert re.fullmatch(r"\$.+\$", row["Symbol"]) and row["Meaning"] and row["Shape"]
        assert re.fullmatch(r"`[ -~]+`", row["In code"]), "code names are ASCII"
    for column in ("Symbol", "In code"):
        values = [row[column] for row in rows]
        # A bias is written b whether it is one number or one per unit.
        assert sorted({v for v in values if values.count(v) > 1}) == (["`b`"] if column == "In code" else [])


def test_shapes_use_sizes_of_the_table():
    rows = notation()
    names = {row["In code"].strip("`") for row in rows}
    for row in rows:
        for shape in re.findall(r"\(([^)]*)\)", row["Shape"] if row["Shape"].startswith("`(") else ""):
            assert set(re.findall(r"\w+", shape)) <= names, row


# The catalogue of mistakes ---------------------------------------------------------------------------------------


def lost(links, site):
    """The links of the catalogue, "page#section", that lead to no section of a page that is there."""
    pages = {name.removeprefix("book/"): site / f"{name}.html" for name in in_toc()}
    split = [link.partition("#") for link in links]
    return [f"{p}#{a}" for p, _, a in split if a and p in pages and f'id="{a}"' not in pages[p].read_text()]


def test_a_mistake_leads_to_the_section_that_explains_it(site):
    links = {mistake.link for mistake in CATALOGUE.values()}
    assert any("#" in link for link in links)
    assert lost(links, site) == []
    assert lost(["gradient_checking#kinks", "gradient_checking#no-such-section"], site) == [
        "gradient_checking#no-such-section"
    ]


UNREAD = re.compile(r"<p>\s*(\||#{1,6} |```|:::)")


def test_no_markdown_stands_on_a_page_as_it_was_written(site):
    assert [name for name in in_toc() if UNREAD.search((site / f"{name}.html").read_text())] == []
    assert UNREAD.search("<p>| | at most |\n|—|—|</p>")


# Figures -----------------------------------------------------------------------------------------------------


class Page(html.parser.HTMLParser):
    """What a built page shows: its pictures with their words, and its text without tags."""

    def __init__(self, source):
        super().__init__()
        self.source, self.pictures, self.text, self._svg = source, [], [], None
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "img":
            self.pictures.append(("img", attrs.get("alt") or "", attrs))
        elif tag == "svg" and attrs.get("role") == "img":
            self._svg = [attrs, "", None]
        elif self._svg and tag in ("title", "desc"):
            self._svg[2] = tag

    def handle_endtag(self, tag):
        if tag == "svg" and self._svg:
            self.pictures.append(("svg", self._svg[0].get("aria-label") or self._svg[1], self._svg[0]))
            self._svg = None
        elif self._svg:
            self._svg[2] = None

    def handle_data(self, data):
        if self._svg and self._svg[2]:
            self._svg[1] += data + " "
        self.text.append(data)


def wordless(source):
    """The pictures of a page that have no description worth the name."""
    article = source[source.find("<article") : source.rfind("</article>")] if "<article" in source else source
    bad = []
    for kind, words, attrs in Page(article).pictures:
        if len(words.split()) < 5 or "No description" in words:
            bad.append((kind, words, attrs.get("src") or attrs.get("id") or ""))
    # A figure that is neither: drawn, but said to nobody.
    drawn = re.findall(r"<figure.*?</figure>", article, re.S)
    return bad + [("figure", "", f[:80]) for f in drawn if "<img" not in f and 'role="img"' not in f]


@pytest.mark.parametrize("name", in_toc())
def test_every_figure_has_words(site, name):
    assert wordless((site / f"{name}.html").read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        '<img src="a.png">',
        '<img src="a.png" alt="No description has been provided for this image">',
        '<figure><svg role="img"><path d=""/></svg></figure>',
        "<figure><svg><title>one two three four five</title></svg></figure>",
    ],
)
def test_wordless_figures_are_seen(source):
    assert wordless(source)


# Answers -----------------------------------------------------------------------------------------------------


def squeeze(text):
    return re.sub(r"\s+", "", text)


def pieces(code):
    """What would give some code away, without white space or comments: all of it, two lines of it, a telling line.

    "for name, V in params.items():" is a line of many a program, and with the next line it is one of this one.
    """
    plain = [re.sub(r"(^|\s)#.*", "", line) for line in code.splitlines()]
    lines = [squeeze(line) for line in plain if squeeze(line)]
    telling = {squeeze(line) for line in plain if len(RECKONS.findall(line)) > 1 or len(squeeze(line)) >= LONG}
    found = telling | {"".join(lines)} | {"".join(pair) for pair in zip(lines, lines[1:], strict=False)}
    # One word, "return values", says nothing.
    return {piece for piece in found if len(piece) >= TELLING and not re.fullmatch(r"\w+", piece)}


def secrets(source):
    """What must not be published of a source: answers, hidden tests, and other answers right or wrong."""
    hidden, shown = set(), ""
    for cell in source.cells:
        if cell.role in ("mistake", "accepted"):
            for text in notebooks._functions(cell.text).values():
                hidden |= pieces(text.partition("\n")[2])
            continue
        rest = cell.text
        for marks in (notebooks.SOLUTION, notebooks.HIDDEN):
            functions = {} if cell.markdown else notebooks._functions(cell.text)
            for text in [cell.text, *functions.values()]:
                hidden |= pieces("\n".join(notebooks._region(text, marks)))
            rest = notebooks._without(rest, marks)
        shown += squeeze(rest)
    return {piece for piece in hidden if piece not in shown}


def text_of(source):
    """The text of an HTML page, entities resolved, tags gone."""
    return " ".join("".join(Page(source).text).split())


def published(path):
    """All text of a file, squeezed, in every way it may be written there."""
    raw = path.read_bytes().decode("utf-8", errors="replace")
    texts = [raw, html.unescape(html.unescape(re.sub(r"<[^>]*>", "", raw)))]
    if path.suffix == ".ipynb":
        for cell in json.loads(raw)["cells"]:
            texts.append("".join(cell["source"]))
            texts.append(json.dumps(cell.get("outputs", [])).replace("\\n", "\n").replace('\\"', '"'))
    # Text in JSON or JavaScript: \n, \" and \u003c stand for themselves.
    plain = re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), raw)
    texts.append(plain.replace("\\n", "").replace('\\"', '"'))
    return "\0".join(squeeze(text) for text in texts)


def leaks(paths, hidden):
    texts = {path: published(path) for path in paths if path.is_file()}
    return [f"{path}: {piece}" for path, text in texts.items() for piece in hidden if piece in text]


@pytest.fixture(scope="module")
def hidden():
    return set().union(*(secrets(notebooks.read(path)) for path in SOURCES))


def test_no_answer_in_the_site(site, hidden):
    assert leaks(site.rglob("*"), hidden) == []


def test_no_answer_in_the_released_notebooks(hidden):
    assert len(RELEASED) == len(SOURCES)
    assert leaks(RELEASED, hidden) == []


@pytest.fixture(scope="module")
def answer():
    """One exercise's answer, a hidden line and a known wrong answer, as an author writes them."""
    source = notebooks.read(notebooks.SOURCES / "scalar_chain_rule.py")
    solution = next(cell for cell in source.role("solution") if cell.name == "nested")
    tests = next(cell for cell in source.role("tests") if cell.name == "nested")
    wrong = next(cell for cell in source.of("mistake", "neuron"))
    return {
        "answer": "\n".join(notebooks._region(solution.text, notebooks.SOLUTION)),
        "hidden test": "\n".join(notebooks._region(tests.text, notebooks.HIDDEN)),
        "wrong answer": wrong.text,
    }


@pytest.mark.parametrize("kind", ["answer", "hidden test", "wrong answer"])
def test_a_planted_answer_is_found(tmp_path, hidden, answer, kind):
    text = answer[kind]
    spans = re.sub(r"(\w+)", r'<span class="n">\1</span>', html.escape(text).replace(" = ", "  =\n"))
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "source": text.splitlines(True)}
    planted = {
        "page.html": f"<div><pre>{spans}</pre></div>",
        "twice.html": html.escape(html.escape(text)),
        "book.ipynb": json.dumps({"cells": [cell], "metadata": {}}),
        "searchindex.js": f"Search.setIndex({json.dumps({'text': text})})",
        "source.md": text,
    }
    for name, content in planted.items():
        (tmp_path / name).write_text(content)
    for name in planted:
        assert leaks([tmp_path / name], hidden), name
    (tmp_path / "clean.html").write_text("<p>Multiply along a path, add over paths.</p>")
    assert leaks([tmp_path / "clean.html"], hidden) == []


def test_two_lines_give_away_what_one_does_not(tmp_path):
    """A loop over the parameters is anybody's; with what is done in it, or with what it reckons, it is an answer."""
    common, next_one, sum_of = "for name, V in params.items():", "kept.append(V.copy())", "dV = 2 * lam * V + h"
    hidden = pieces("\n".join([common, f"    {next_one}  # a copy", f"    {sum_of}"]))
    texts = {
        "one common line": (common, False),
        "two common lines apart": (f"{next_one}, and then {common}", False),
        "two lines": (f"{common}\n        {next_one}\n", True),
        "a line that reckons": (f"Write `{sum_of}` here.", True),
    }
    for what, (text, told) in texts.items():
        (tmp_path / f"{what}.md").write_text(text)
        assert bool(leaks([tmp_path / f"{what}.md"], hidden)) == told, what
    assert pieces(f"values = np.{'very' * 9}(X)") and not pieces("return values") and not pieces("a = 1")
