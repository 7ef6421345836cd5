"""The figures: one drawing that suits every page, and numbers that come from the code it shows."""

import html
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from conftest import need
from playwright.sync_api import sync_playwright

from backprop import figures
from backprop.figures import BACKWARD, CSS, FORWARD, GRID, INK, MUTED, PAPER, canvas, label, node, number, show


def forward(w, x, y):
    m = w * x
    r = m - y
    L = np.exp(r)
    return {"m": m, "r": r, "L": L}


def backward(values):
    w, x, L = values["w"], values["x"], values["L"]
    dL = 1.0
    dr = dL * L
    dm = dr
    dy = -dr
    dw = dm * x
    dx = dm * w
    return {"dL": dL, "dr": dr, "dm": dm, "dy": dy, "dw": dw, "dx": dx}


INPUTS = {"w": 2.0, "x": 1.5, "y": 1.0}
AT = {"w": (0, -0.5), "x": (0, 0.5), "m": (1, 0), "y": (1, 1), "r": (2, 0), "L": (3, 0)}
SLOPES = {("w", "m"): 1.5, ("x", "m"): 2.0, ("m", "r"): 1.0, ("y", "r"): -1.0, ("r", "L"): 0.8}
DRAWINGS = {
    "magnifier": lambda **wide: figures.draw_magnifier(np.square, 3.0, 1.5, **wide),
    "table": lambda **wide: figures.draw_table(forward, backward, INPUTS, **wide),
    "circuit": lambda **wide: figures.draw_circuit(forward, INPUTS, AT, backward, SLOPES, **wide),
    "counts": lambda vertical=False: figures.draw_counts(
        [1, 2, 3], {"naive": ([2, 8, 24], figures.BAD, "s"), "once": ([2, 4, 6], figures.GOOD, "o")}, "lines", "work"
    ),
}


def page(name):
    return show(DRAWINGS[name](), narrow=DRAWINGS[name](vertical=True), alt=f"A {name}. What it shows.")._repr_html_()


def words(figure):
    """What a figure says, in the order in which it was written."""
    return [text.get_text() for text in figure.axes[0].texts]


class Elements(HTMLParser):
    """Every start tag of a page, with its attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_figure_is_the_same_at_every_build(name):
    assert page(name) == page(name)


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_colour_follows_the_page(name):
    loose = re.sub(r"var\((?:[^()]|\([^()]*\)|\((?:[^()]|\([^()]*\))*\))*\)", "", page(name))
    assert re.findall(r"(?:fill|stroke): *#[0-9a-f]+", loose) == []
    assert "var(--bp-" in page(name)


@pytest.mark.parametrize("name", DRAWINGS)
def test_text_stays_text_in_the_font_of_the_page(name):
    text = page(name)
    assert "DejaVu" not in text and "<style type" not in text and "<metadata" not in text
    assert len(re.findall("<text", text)) >= 4


@pytest.mark.parametrize("name", DRAWINGS)
def test_ids_are_unique_and_every_reference_finds_one(name):
    text = page(name)
    ids = [attrs["id"] for _, attrs in Elements(text).found if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(|href=")#([^")]+)', text)) <= set(ids)
    labels = [attrs["aria-labelledby"].split() for tag, attrs in Elements(text).found if tag == "svg"]
    assert labels and all(label in ids for names in labels for label in names)


def test_the_drawing_has_a_role_and_its_words():
    text = show(canvas(300, 100)[0], alt='A <b>"blank"</b> sheet. Nothing is on it.')._repr_html_()
    assert 'role="img"' in text
    assert "<title" in text and html.escape('A <b>"blank"</b> sheet') in text
    assert "<desc" in text and "Nothing is on it." in text


@pytest.mark.parametrize("alt", ["", "  \n"])
def test_a_figure_without_words_is_refused(alt):
    with pytest.raises(ValueError, match="alt is empty"):
        show(canvas(300, 100)[0], alt=alt)


def test_text_too_small_for_a_telephone_is_refused_unless_there_is_a_narrow_drawing():
    wide, ax = canvas(700, 100)
    label(ax, 350, 50, "small")
    narrow, ax = canvas(320, 100)
    label(ax, 160, 50, "large enough")
    with pytest.raises(ValueError, match=r"5\.6 px high on a telephone"):
        show(wide, alt="Too small.")
    assert "@container" in show(wide, narrow=narrow, alt="Two drawings.")._repr_html_()


def test_a_caption_is_escaped_and_its_code_marked():
    text = show(canvas(300, 100)[0], alt="Blank.", caption="`a < b` & more")._repr_html_()
    assert "<figcaption><code>a &lt; b</code> &amp; more</figcaption>" in text


def test_an_at_sign_in_a_figure_survives():
    figure, ax = canvas(300, 100)
    label(ax, 150, 50, "X @ W")
    text = show(figure, alt="Z = X @ W + b.", caption="X @ W")._repr_html_()
    assert html.unescape(text).count("X @ W") == 3


def test_steps_show_one_frame_at_a_time_and_all_where_style_is_missing():
    frames = [show(DRAWINGS[name](), narrow=DRAWINGS[name](vertical=True), alt=f"The {name}.") for name in DRAWINGS]
    text = figures.show_steps(frames, title="A story")._repr_html_()
    found = Elements(text).found
    radios = [attrs for tag, attrs in found if tag == "input"]
    assert len({radio["name"] for radio in radios}) == 1
    assert [radio["value"] for radio in radios if "checked" in radio] == ["1"]
    assert all(frame._repr_html_() in text for frame in frames) and "<script" not in text
    ids = [attrs["id"] for _, attrs in found if "id" in attrs]
    assert len(ids) == len(set(ids))
    with pytest.raises(ValueError, match="title is empty"):
        figures.show_steps(frames, title=" ")


def test_a_notebook_gets_a_png_and_the_words_too():
    bundle = show(canvas(300, 100)[0], alt="Blank.")._repr_mimebundle_()
    assert sorted(bundle) == ["image/png", "text/html", "text/plain"]
    assert "Blank." in bundle["text/plain"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(2.0, "2"), (-0.5625, "−0.5625"), (1.6094379, "1.609"), (0.0, "0"), (1.5e-7, "1.5×10⁻⁷"), (2.0**20, "1.049×10⁶")],
)
def test_numbers_have_four_figures_and_a_true_minus(value, text):
    assert number(value) == text


def test_lines_are_read_from_the_code_that_runs():
    lines = figures.read_lines(forward)
    assert [(line.name, line.code, line.uses) for line in lines] == [
        ("m", "w * x", ("w", "x")),
        ("r", "m - y", ("m", "y")),
        ("L", "exp(r)", ("r",)),
    ]


def test_the_table_fills_from_the_loss_upwards():
    empty, some, full = [figures.draw_table(forward, backward, INPUTS, done) for done in (0, 2, None)]
    assert not any(text.startswith("d") for text in words(empty))
    assert [text for text in words(some) if text.startswith("d")] == ["dr = dL * L", "dL = 1.0"]
    assert {"dw = dm * x", number(backward({**INPUTS, **forward(**INPUTS)})["dw"])} <= set(words(full))
    widths = {tuple(figure.get_size_inches()) for figure in (empty, some, full)}
    assert len(widths) == 1


def test_the_narrow_table_says_the_same():
    wide, narrow = [figures.draw_table(forward, backward, INPUTS, vertical=vertical) for vertical in (False, True)]
    assert words(narrow)[2:] == words(wide)[4:]
    assert narrow.get_figwidth() < wide.get_figwidth()


def test_the_circuit_prints_every_value_and_gradient():
    values = {**INPUTS, **forward(**INPUTS)}
    grads = backward(values)
    said = words(figures.draw_circuit(forward, INPUTS, AT, backward, SLOPES))
    assert {f"→ {number(value)}" for value in values.values()} <= set(said)
    assert {f"← {number(grads['d' + name])}" for name in values} <= set(said)
    assert {f"×{number(slope)}" for slope in SLOPES.values()} <= set(said)


def luminance(colour):
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


@pytest.mark.parametrize("paper", ["#ffffff", "#111111"], ids=["light", "dark"])
def test_fallback_colours_stand_out_from_both_notebook_papers(paper):
    fallbacks = [re.findall(r"#[0-9a-f]{6}", CSS[role])[-1] for role in CSS if role not in (INK, GRID, PAPER)]
    assert len(fallbacks) == 6
    for colour in fallbacks:
        light, dark = sorted([luminance(colour), luminance(paper)], reverse=True)
        assert (light + 0.05) / (dark + 0.05) > 4, colour


def test_text_stays_inside_its_box_in_a_wide_font(tmp_path):
    figure, ax = canvas(380, 160)
    rows = [[("L = log(t)", INK, True)], [("→ 1.609", FORWARD, False), ("← −0.5625", BACKWARD, False)]]
    node(ax, 90, 50, rows)
    node(ax, 280, 50, [[("wwwwwww 888", MUTED, False)]])
    path = tmp_path / "page.html"
    drawing = show(figure, alt="Two boxes.")._repr_html_()
    path.write_text(f'<meta charset="utf-8"><body style="font-family: DejaVu Sans; letter-spacing: 0.4px">{drawing}')
    inside = """() => {
        const box = e => e.getBoundingClientRect();
        const boxes = [...document.querySelectorAll('svg path')].map(box).filter(b => b.width > 40 && b.width < 300);
        return [...document.querySelectorAll('svg text')].map(box).map(t =>
            boxes.some(b => b.left < t.left && t.right < b.right && b.top < t.top && t.bottom < b.bottom));
    }"""
    program = need("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 500, "height": 300})
        tab.goto(path.as_uri())
        assert tab.evaluate(inside) == [True] * 4
