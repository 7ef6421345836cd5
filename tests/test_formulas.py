"""Displayed derivatives: the reader of LaTeX, the judge of twins, and a real build that refuses what is wrong."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from sphinx.cmd.build import build_main

from backprop import ops

sys.path.insert(0, str(ROOT / "book" / "_ext"))
import checked
import formula
import twin as twins
from twin import Misread, function, model, twin

# ---------------------------------------------------------------- a build, whole and broken

CONF = f"""
import sys
sys.path[:0] = [{str(ROOT / "book" / "_ext")!r}]
extensions = ["myst_parser", "checked"]
myst_enable_extensions = ["amsmath", "dollarmath"]
html_theme = "basic"
"""
PAGE = r"""# A chapter

```{toctree}
count
```

```{math}
:label: affine
\frac{\partial L}{\partial W} = X^\top \frac{\partial L}{\partial Z} , \qquad
\frac{\partial L}{\partial X} = \frac{\partial L}{\partial Z}\, W^\top
```

```{math}
:label: neuron
\frac{\mathrm{d}L}{\mathrm{d}w} = 2 (p - y)\, \sigma'(z)\, x
```

```{math}
:step-of: neuron
\frac{\mathrm{d}L}{\mathrm{d}w} = \frac{\mathrm{d}L}{\mathrm{d}p} \cdot \frac{\mathrm{d}p}{\mathrm{d}w}
```

```{math}
:unchecked-step-of: neuron
\frac{\mathrm{d}L}{\mathrm{d}w} = \lim_{h \to 0} \frac{L(w + h) - L(w)}{h}
```

$$
z = wx, \qquad p = \sigma(z)
$$

```{math}
:label: rough
f'(z) = \dots
```
"""
TWINS = """
import numpy as np
from backprop import ops
from twin import function, model, twin

layer = model(X="ND", W="DH", G="NH", Z=lambda X, W: X @ W, L=lambda Z, G: np.sum(G * np.sin(Z)))
cell = model(w="", x="", y="", z=lambda w, x: w * x, p=lambda z: ops.sigmoid(z), L=lambda p, y: (p - y) ** 2)
any_slope = model(z="", a=lambda z: np.exp(z))


@twin(layer, "dL/dW", "dL/dX")
def affine(X, W, dZ):
    return X.T @ dZ, dZ @ W.T


@twin(cell, "dL/dw")
def neuron(p, y, x):
    return 2 * (p - y) * p * (1 - p) * x


@twin(any_slope, "da/dz", unread="an ellipsis")
def rough(a):
    return a
"""


def build(folder: Path, capsys, page=PAGE, twin_file=TWINS) -> tuple[int, str]:
    """(exit status, what was said) of `sphinx-build -W --keep-going`."""
    source = folder / "source"
    (source / "twins").mkdir(parents=True, exist_ok=True)
    for name, text in {
        "conf.py": CONF,
        "index.md": page,
        "count.md": "# The count\n\n```{checked-formulas}\n```\n",
        "twins/index.py": twin_file,
    }.items():
        if not (source / name).exists() or (source / name).read_text() != text:
            (source / name).write_text(text)
    capsys.readouterr()
    status = build_main(["-q", "-W", "--keep-going", "--no-color", str(source), str(folder / "html")])
    return status, capsys.readouterr().err


def line_of(text: str, wanted: str) -> int:
    return next(n for n, line in enumerate(text.splitlines(), 1) if line.startswith(wanted))


def cells(page: str) -> list[list[str]]:
    return [re.findall(r"<td>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", page)][1:]


def test_a_whole_chapter_is_marked_and_counted(tmp_path, capsys):
    assert build(tmp_path, capsys) == (0, "")
    chapter = (tmp_path / "html" / "index.html").read_text()
    assert chapter.count('<details class="checked">') == 3
    assert "✓ checked, a step of" in chapter and "not evaluated, a step of" in chapter
    assert chapter.count('href="#equation-neuron"') >= 2
    assert "def neuron(p, y, x):" in re.sub(r"<[^>]+>", "", chapter) and "refused" in chapter
    count = (tmp_path / "html" / "count.html").read_text()
    (checked, read, steps, unread, unchecked, breaks, worst), total = cells(count)
    assert (checked, read, steps, unread, unchecked) == ("3", "2", "1", "1", "1")
    assert int(breaks) > 15 and 0 <= float(worst) < 1e-8
    assert total == [checked, read, steps, unread, unchecked, breaks, worst]
    assert "not read: an ellipsis" in count and "not evaluated, a step of neuron" in count


@dataclass(frozen=True)
class Break:
    """One edit (old -> new) of the page or of the twins; what the build then says, and at which piece of which file."""

    what: str
    file: str
    old: str
    new: str
    at: str
    says: str


AFFINE, NEURON, STEP, LIMIT, ROUGH = (
    "```{math}\n:" + option for option in ("label: affine", "label: neuron", "step-of", "unchecked", "label: rough")
)
LAST = ", \\qquad\n\\frac{\\partial L}{\\partial X} = \\frac{\\partial L}{\\partial Z}\\, W^\\top"
UNREAD_STEP = ": neuron\n\\frac{\\mathrm{d}L}{\\mathrm{d}w} = \\lim"
BREAKS = [
    # A twin that is wrong.
    Break("a sign", "twins", "2 * (p - y)", "-2 * (p - y)", NEURON, r"\[neuron\] dL/dw: the twin gives -?\d"),
    Break("a factor", "twins", "2 * (p - y)", "(p - y)", NEURON, r"finite differences give .*twins/index.py:16\)"),
    Break("an operand", "twins", "(1 - p) * x", "(1 - p) * y", NEURON, "dL/dw: the twin gives"),
    Break("a transpose dropped", "twins", "X.T @ dZ", "X @ dZ", AFFINE, r"\[affine\] ValueError: matmul"),
    Break("a transpose added", "twins", "X.T @ dZ,", "(X.T @ dZ).T,", AFFINE, r"the twin has shape \(4, 3\)"),
    Break("swapped", "twins", "X.T @ dZ, dZ @ W.T", "dZ @ W.T, X.T @ dZ", AFFINE, r"dL/dW: .* shape \(5, 3\)"),
    Break("one for two", "twins", "return X.T @ dZ, dZ @ W.T", "return X.T @ dZ", AFFINE, "2 claims and returns 1"),
    Break("not finite", "twins", "return a", "return a * np.inf", ROUGH, "the twin gives inf"),
    Break("blind", "twins", "return a", "return a + 0 * a", ROUGH, "the check is blind: line 23 "),
    Break("an unknown name", "twins", "def neuron(p, ", "def neuron(q, p, ", NEURON, "the model has no q"),
    Break("another slope", "twins", '(cell, "dL/dw")', '(cell, "dL/dx")', NEURON, "dL/dx: the twin gives"),
    Break("unread in vain", "twins", '"dL/dw")', '"dL/dw", unread="?")', NEURON, "the formula can be read: drop it"),
    Break("unread unsaid", "twins", ', unread="an ellipsis"', "", ROUGH, r"can't be read \(f, which the model"),
    Break("no Python", "twins", "layer = model(", "layer = model((", "layer = model((", "SyntaxError"),
    Break("no claim", "twins", '"dL/dw"', '"w"', '@twin(cell, "w")', "derivatives such as 'dL/dw', not 'w'"),
    Break("no model", "twins", "z=lambda w, x: w * x", "z=lambda w, q: w * q", "cell = ", "z needs q, which no line"),
    Break("two of one name", "twins", "def rough", "def neuron", "def neuron(a)", "two functions have the name neuron"),
    # A formula that is wrong.
    Break("a printed sign", "page", "2 (p - y)", "-2 (p - y)", NEURON, r"\[neuron\] .*the left side is .*, the right"),
    Break("a printed factor", "page", "2 (p - y)", "(p - y)", NEURON, "the left side is .*twins/index.py:16"),
    Break("a printed transpose", "page", r"X^\top \frac", r"X \frac", AFFINE, r"\(5, 3\) and \(5, 4\) do not fit"),
    Break("a printed order", "page", r"\partial Z}\, W^\top", r"\partial Z}^\top W", AFFINE, "the left side has|fit"),
    Break("a printed place", "page", r"\sigma'(z)\, x", r"\sigma'(p)\, x", NEURON, "the left side is"),
    Break("a stranger", "page", r"\sigma'(z)\, x", r"\sigma'(z)\, u", NEURON, r"can't be read \(u, which the model"),
    Break("a printed definition", "page", r"(z)\, x", r"(z)\, x, \quad z = w + x", NEURON, r"`z = w\+x`: the left"),
    Break("a claim not printed", "page", LAST, "", AFFINE, "claims dL/dX, which the formula does not state"),
    Break("a claim too many", "page", r"\sigma'(z)\, x", r"\sigma'(z)\, x, \quad \frac{dL}{dp} = 2 (p - y)", NEURON,
          r"the twin claims dL/dw, and that is not what `\\frac\{dL\}\{dp\}"),
    Break("a step", "page", r"{\mathrm{d}p} \cdot", r"{\mathrm{d}p} \cdot 2 \cdot", STEP, "a step of neuron"),
    Break("a step of nothing", "page", ":step-of: neuron", ":step-of: neurone", STEP, "names no equation with a twin"),
    Break("an unread step", "page", ":unchecked-step-of:", ":step-of:", STEP + UNREAD_STEP,
          "or say :unchecked-step-of: neuron"),
    Break("a limit of nothing", "page", "unchecked-step-of: neuron", "unchecked-step-of: x", LIMIT, "x names no"),
    Break("twin and step", "page", ": rough\n", ": rough\n:step-of: neuron\n", ROUGH, "so is no :step-of:"),
    # No pair.
    Break("no twin", "twins", "def neuron", "def neurons", NEURON, "no twin in twins/index.py: `def neuron`"),
    Break("no equation", "twins", "def neuron", "def neurons", "@twin(cell", r"\[neurons\] no equation of index has"),
    Break("no label", "page", ":label: rough\n", "", "```{math}\nf'", r"\[no label\] .*: give it a :label: and write"),
    Break("plain dollars", "page", r"p = \sigma(z)", "dw = 2 x", "$$", r"\[no label\] claims a derivative and has"),
]  # fmt: skip


@pytest.mark.parametrize("case", BREAKS, ids=lambda case: case.what.replace(" ", "-"))
def test_the_build_refuses(case, tmp_path, capsys):
    text = PAGE if case.file == "page" else TWINS
    assert text.count(case.old) >= 1
    broken = text.replace(case.old, case.new, 1)
    page, twin_file = (broken, TWINS) if case.file == "page" else (PAGE, broken)
    status, said = build(tmp_path, capsys, page, twin_file)
    assert status == 1
    lines = [line for line in said.splitlines() if re.search(case.says, line)]
    assert lines, said
    file, where = ("twins/index.py", twin_file) if case.at in twin_file else ("index.md", page)
    assert f"{file}:{where[: where.index(case.at)].count(chr(10)) + 1}: WARNING: " in lines[0]


def test_twins_without_a_chapter_are_refused(tmp_path, capsys):
    build(tmp_path, capsys)
    (tmp_path / "source" / "twins" / "nobody.py").write_text("")
    status, said = build(tmp_path, capsys, PAGE + "\nMore.\n")
    assert status == 1 and "twins/nobody.py:1: WARNING: no page has the name of these twins" in said


def test_a_twin_that_changes_is_checked_again_and_one_that_does_not_is_not(tmp_path, capsys, monkeypatch):
    assert build(tmp_path, capsys)[0] == 0
    judged = []
    monkeypatch.setattr(checked.twins, "judge", lambda one, judge=twins.judge: judged.append(one.label) or judge(one))
    assert build(tmp_path, capsys)[0] == 0 and judged == []
    status, said = build(tmp_path, capsys, PAGE, TWINS.replace("2 * (p - y)", "3 * (p - y)"))
    assert status == 1 and "[neuron]" in said and judged == ["affine", "neuron", "rough"]


def test_the_count_follows_the_chapter(tmp_path, capsys):
    build(tmp_path, capsys)
    fewer = PAGE[: PAGE.index("```{math}\n:label: rough")]
    assert build(tmp_path, capsys, fewer, TWINS[: TWINS.index("@twin(any_slope")])[0] == 0
    count = (tmp_path / "html" / "count.html").read_text()
    assert cells(count)[0][:4] == ["2", "2", "1", "0"] and "ellipsis" not in count


# ---------------------------------------------------------------- the reader

SCALAR = dict(
    x="", y="", w="", b="", z=lambda w, x, b: w * x + b, p=lambda z: ops.sigmoid(z), L=lambda p, y: (p - y) ** 2
)
BATCH = dict(
    X="ND",
    W="DH",
    b="H",
    G="NH",
    Z=lambda X, W, b: X @ W + b,
    A=lambda Z: np.tanh(Z),
    L=lambda A, G: np.sum(A * G * A),
)
ROW = dict(z="C", y=lambda C: np.eye(C)[2], p=lambda z: ops.softmax(z), L=lambda p, y: -np.sum(y * np.log(p)))
TWO = dict(x="", W1="", w2="", z1=lambda x, W1: x * W1, y_hat=lambda z1, w2: np.tanh(z1) * w2, L=lambda y_hat: y_hat**2)
CHAIN = dict(x="", g=function(np.sin), f=function(np.exp), u=lambda g, x: g(x), L=lambda f, u: f(u))
RELU = dict(z="NH", a=lambda z: ops.relu(z), L=lambda a: np.sum(a**3))
FIXED = dict(x=lambda: 3.0, y=lambda x: np.log(x))

TRUE = [
    (SCALAR, r"\frac{dL}{dw} = 2(p-y)\,p(1-p)x = 2 \left(p-y\right) \cdot \sigma'(z) \times x"),
    (SCALAR, r"\begin{aligned} \frac{\partial L}{\partial b}"
             r" &= \frac{\partial L}{\partial p} \frac{\partial p}{\partial b}"
             r" \\ &= 2(p - y)\, \\ &\cdot p (1 - p) \end{aligned}"),
    (SCALAR, r"dL/dw = dz\, x, \qquad \mathrm{d}b = dz, \quad \mathtt{dp} = 2\,(p - y)"),
    (SCALAR, r"\sigma'(z) = \sigma(z)\bigl(1-\sigma(z)\bigr), \quad \tanh'(z) = 1 - \tanh^2 z"),
    (SCALAR, r"\frac{d}{dz}\left(\frac{1}{1+e^{-z}}\right) = \frac{e^{-z}}{(1+e^{-z})^2}"),
    (SCALAR, r"p'(z) = \underbrace{p\,(1-p)}_{\text{at the output}}"),
    (SCALAR, r"\frac{d}{dw} (\tfrac12 w^2 + \sqrt{1 + w^2}) = w + \frac{w}{\sqrt{1 + w^2}}"),
    (SCALAR, r"\frac{dp}{dz} = \frac{1}{(1 + e^{-z})(1 + e^{z})} = p / (1 + e^z)"),
    (SCALAR, r"\frac{\partial}{\partial z} \max(0, z) = [z > 0], \quad \frac{d |z|}{dz} = \frac{z}{\lvert z \rvert}"),
    (BATCH, r"dW = X^{\mathsf T} dZ = X^\mathsf{T} \mathrm dZ, \quad dX = dZ\, W^{\top}"),
    (BATCH, r"\mathrm{d}b = \sum_n dZ_{n} = \mathbf{1}^\top dZ"),
    (BATCH, r"dZ = dA \odot (1 - A \odot A) = dA \odot \tanh'(Z)"),
    (BATCH, r"\frac{\partial L}{\partial W_{dh}} = \sum_n X_{nd}\frac{\partial L}{\partial Z_{nh}} = (X^\top dZ)_{dh}"),
    (BATCH, r"dW_{dh} = \sum_{n=1}^{N}\sum_{k} dZ_{nk} \frac{\partial Z_{nk}}{\partial W_{dh}}"),
    (BATCH, r"\frac{\partial Z_{nk}}{\partial W_{dh}} = X_{nd}\,\delta_{kh} = X_{nd} [k = h]"),
    (BATCH, r"\frac{d}{dX} \|X\|^2 = 2X"),
    (BATCH, r"\frac{\partial L}{\partial X_{n0}} = \sum_h dZ_{nh} W_{0h}, \quad dX_{n,:} = W dZ_{n}"),
    (BATCH, r"\frac{\partial Z_{nk}}{\partial b_{h}} = "
            r"\begin{cases} 0 & \text{if } k \ne h \\ 1 & \text{if } k = h \end{cases}"),
    (ROW, r"\frac{\partial p_i}{\partial z_j} = p_i(\delta_{ij}-p_j), \qquad \frac{\partial L}{\partial z} = p - y"),
    (ROW, r"\frac{\partial p_i}{\partial z_j} = "
          r"\begin{cases} p_i(1-p_i) & \text{if } i = j \\ -p_i p_j & \text{otherwise.} \end{cases}"),
    (TWO, r"\frac{\partial L}{\partial W_1} = 2\hat{y}\, w_2 (1-\tanh^2(z_1)) x, \quad dW^{(1)} = dz_1 x"),
    (CHAIN, r"\frac{dL}{dx} = \frac{dL}{du} \cdot \frac{du}{dx} = f'\bigl(g(x)\bigr)\, g'(x) = f(u) \cos x"),
    (RELU, r"dz = da \odot \mathbf{1}[z > 0] = da \odot [z > 0] = da \odot "
           r"\begin{cases} 1 & \text{if } z > 0 \\ 0 & \text{else} \end{cases}"),
    (RELU, r"\boxed{da = 3 a^2} \quad da \overset{(1)}{=} \textcolor{red}{3} a^2"),
    (FIXED, r"\left.\frac{dy}{dx}\right|_{x=3} = \frac{1}{3} \approx 0.333"),
]  # fmt: skip
FALSE = [
    (SCALAR, r"\sigma'(z) = \sigma(z)(1 + \sigma(z))"),
    (SCALAR, r"\frac{dL}{dw} = 2(p-y)p(1-p) w"),
    (SCALAR, r"\frac{dL}{dz} = \frac{dL}{dp}"),
    (BATCH, r"dX = W dZ"),
    (BATCH, r"dW = dZ^\top X"),
    (BATCH, r"dZ = dA \odot (1 - Z \odot Z)"),
    (BATCH, r"db = \frac{1}{N} \sum_n dZ_n"),
    (BATCH, r"\frac{\partial L}{\partial W_{dh}} = \sum_n X_{dn}\,\frac{\partial L}{\partial Z_{nh}}"),
    (BATCH, r"\frac{\partial L}{\partial W_{dh}} = \sum_n X_{nd}\,\frac{\partial L}{\partial Z_{hn}}"),
    (BATCH, r"dW_{dh} = \sum_{n=1}^{D} X_{nd} dZ_{nh}"),
    (ROW, r"\frac{\partial p_i}{\partial z_j} = p_i(1-p_j)"),
    (ROW, r"\frac{\partial L}{\partial z} = y - p"),
    (ROW, r"dz_i = p_i - y_k"),
    (CHAIN, r"\frac{dL}{dx} = f'(x)\, g'(x)"),
    (FIXED, r"\frac{dy}{dx} \Big|_{x=4} = \frac{1}{3}"),
    (FIXED, r"\frac{dy}{dx} \approx 0.334"),
]  # fmt: skip
UNREAD = [
    (SCALAR, r"dL = \ldots", "ldots"),
    (SCALAR, r"dw = q", "q, which the model does not have"),
    (SCALAR, r"\frac{d^2 L}{dw^2} = 2", "a second derivative"),
    (SCALAR, r"\frac{d}{dz} \log 2 z = 1/z", "more than one factor without brackets"),
    (SCALAR, r"L'(w) = 2", "L' of something other than p, y"),
    (BATCH, r"\frac{\partial L}{\partial Z} = dA \, \frac{\partial A}{\partial Z}", "an array by an array"),
    (BATCH, r"dW = X^\top \star dZ", "star"),
    (BATCH, r"dW = \frac{1}", "too early"),
    (BATCH, r"dW = (X", "does not close"),
    (ROW, r"dz = p y", "a product of two vectors"),
    (ROW, r"\frac{\partial L}{\partial z_i} = p_i \delta_{kl}", "the index k, l, which runs over nothing"),
]


def holds(statement, lines) -> bool:
    """Whether all sides are the same at three points; False too where shapes or indices do not fit."""
    try:
        worst, _ = checked._agreement(statement, [model(**lines).point(seed) for seed in range(3)])
    except Misread:
        return False
    return not isinstance(worst, str)


@pytest.mark.parametrize("lines, latex", TRUE, ids=[latex for _, latex in TRUE])
def test_a_right_formula_is_read_and_holds(lines, latex):
    stated = [statement for statement in formula.statements(latex) if statement.claims_a_derivative()]
    assert stated and all(holds(statement, lines) for statement in stated)


@pytest.mark.parametrize("lines, latex", FALSE, ids=[latex for _, latex in FALSE])
def test_a_wrong_formula_is_read_and_does_not_hold(lines, latex):
    (statement,) = formula.statements(latex)
    assert statement.claims_a_derivative() and not holds(statement, lines)


@pytest.mark.parametrize("lines, latex, why", UNREAD, ids=[latex for _, latex, _ in UNREAD])
def test_what_can_be_read_in_two_ways_or_in_none_is_not_guessed(lines, latex, why):
    (statement,) = formula.statements(latex)
    with pytest.raises(formula.Unread, match=why):
        formula.values(statement, model(**lines).point(0))


@pytest.mark.parametrize(
    "latex, claims",
    [
        (r"\frac{\partial L}{\partial w} = x", True),
        (r"\dfrac{\mathrm{d}L}{\mathrm{d}w} = x", True),
        (r"\frac{d}{dx} x^2 = 2x", True),
        (r"dW = X^\top dZ", True),
        (r"\mathrm{d}W = X^\top G", True),
        (r"\mathtt{dW} := G", True),
        (r"x = f'(z)", True),
        (r"f^{\prime}(z) \equiv 1", True),
        (r"\nabla_W L = G", True),
        (r"dL/dw \approx 0.25", True),
        (r"\boxed{dW = X^\top dZ}", True),
        (r"dW \overset{!}{=} X^\top dZ", True),
        (r"dW \mathrel{=} \textcolor{red}{X}", True),
        (r"z = wx + b, \quad a = \sigma(z)", False),
        (r"\Delta L \approx \frac{dL}{dw} \Delta w", False),
        (r"w \leftarrow w - \eta \frac{dL}{dw}", False),
        (r"\sigma'(z) \le \frac{1}{4}", False),
        (r"d_{ij} = x_i - y_j", False),
        (r"\int_0^1 x \, dx = \tfrac12", False),
        (r"\frac{d}{2} = 3", False),
        (r"\text{data} = \mathrm{depth}", False),
    ],
)
def test_what_claims_a_derivative(latex, claims):
    assert any(statement.claims_a_derivative() for statement in formula.statements(latex)) == claims


# ---------------------------------------------------------------- the judge


def test_every_way_to_break_a_twin_is_tried_and_seen(tmp_path):
    path = tmp_path / "twins.py"
    path.write_text(TWINS)
    for one in twins.load(path).values():
        verdict = twins.judge(one)
        assert verdict.problems == [] and verdict.worst < 1e-9 and verdict.breaks >= 2, one.label
    kinds = {what for one in twins.load(path).values() for _, what, _ in twins._breaks(one)}
    assert kinds >= {"transpose dropped", "sign of the whole", "number + 1", "+ for *", "+ for -", "* for @"}


def test_the_judge_of_a_layer_uses_sizes_that_all_differ():
    assert len(set(twins.SIZES.values())) == len(twins.SIZES)
    assert 1 not in twins.SIZES.values()


def test_a_derivative_of_an_intermediate_holds_the_rest_of_the_way_back_still():
    point = model(**SCALAR).point(0)
    p, y, x = (point[name] for name in "pyx")
    assert point["dz"] == pytest.approx(2 * (p - y) * p * (1 - p), rel=1e-12)
    assert point["dp_dw"] == pytest.approx(p * (1 - p) * x, rel=1e-12)
    assert point["dL_dL"] == 1


@pytest.mark.parametrize("claim", ["L/w", "dL", "dL/dw/dx", ""])
def test_a_claim_is_a_derivative(claim):
    with pytest.raises(Misread, match="a twin claims derivatives"):
        twin(model(**SCALAR), claim)
