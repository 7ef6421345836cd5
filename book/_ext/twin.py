"""Models and twins: what a displayed derivative says, as code that can be run against finite differences.

A *model* is a computation, one definition a line, in forward order.
A *twin* is one displayed derivative of it, written in NumPy.
`judge` evaluates a twin at random points against `backprop.check`, then breaks it on purpose, one step at a time, and
asks that every break is noticed.  How authors write twins is told in checked.py; nothing here knows of Sphinx.
"""

import ast
import functools
import inspect
import re
import traceback
import warnings
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from backprop.check import numerical_gradient

# All different, so that a product with a transpose in the wrong place does not fit.
SIZES = {"B": 2, "N": 5, "D": 3, "H": 4, "C": 6, "K": 7, "M": 8}
POINTS = 4
TOLERANCE = 1e-8


class Misread(ValueError):
    """A twin or a model that does not say what it must; the message, and the line of the file, are for its author."""

    line = 1


class function:
    """Marks a function in a model, such as the f of f(g(x)), as no definition of a value."""

    def __init__(self, call: Callable):
        self.call = call


class model:
    """A computation: inputs by shape ("" a scalar, "ND" an N by D matrix) or by a function, then definitions by name.

    A function whose arguments are `rng`, sizes (`N`, `D`, ...) or none draws an input; one whose arguments name what
    stands before it defines a value.  Derivatives written `dV` are those of `L`, or of the last definition.
    """

    def __init__(self, **lines):
        self.functions = {name: line.call for name, line in lines.items() if isinstance(line, function)}
        self.inputs, self.definitions = {}, {}
        for name, line in lines.items():
            if isinstance(line, str):
                self.inputs[name] = line
            elif callable(line):
                needs = parameters(line)
                drawn = all(need == "rng" or (need in SIZES and need not in lines) for need in needs)
                known = [*self.inputs, *self.definitions, *self.functions, *SIZES]
                if not drawn and (unknown := [need for need in needs if need not in known]):
                    raise Misread(f"{name} needs {', '.join(unknown)}, which no line before it gives")
                (self.inputs if drawn else self.definitions)[name] = line
            elif not isinstance(line, function):
                raise Misread(f"{name} must be a shape, a function or a definition, not {line!r}")
        self.loss = "L" if "L" in self.definitions else next(reversed(self.definitions), None)

    def point(self, seed: int) -> "Point":
        """The model at random inputs."""
        rng = np.random.default_rng(seed)
        values = {}
        for name, line in self.inputs.items():
            if isinstance(line, str):
                values[name] = rng.normal(size=[SIZES[letter] for letter in line])[()]
            else:
                values[name] = line(**{n: rng if n == "rng" else SIZES[n] for n in parameters(line)})
        return Point(self, values)


class Point:
    """The values of a model at some inputs; `moved` names definitions held at another value, inputs included."""

    def __init__(self, of: model, moved: dict):
        self.model, self.moved = of, moved
        self.values = {name: moved[name] for name in of.inputs}
        for name, line in of.definitions.items():
            known = {**SIZES, **of.functions, **self.values}
            self.values[name] = moved[name] if name in moved else line(**{n: known[n] for n in parameters(line)})
        self.slopes = {}

    def at(self, **moved) -> "Point":
        return Point(self.model, {**self.moved, **moved})

    def slope(self, of: Callable, by: str, key=None):
        """The gradient of `of(point) -> scalar`, by finite differences, with respect to the value named `by`."""
        if by not in self.values:
            raise Misread(f"the model has no {by}")
        if key is None or (key, by) not in self.slopes:
            value = np.asarray(self.values[by], dtype=float)
            gradient, bound = numerical_gradient(lambda p: of(self.at(**{by: p[by]})), {by: value})
            if not (bound[by] <= TOLERANCE * np.maximum(1, np.abs(gradient[by]))).all():
                raise Misread(f"finite differences are too rough here to judge a derivative by {by}")
            self.slopes[key, by] = gradient[by]
        return self.slopes[key, by]

    def derivative(self, of: str, by: str):
        """d`of`/d`by`: the shape of `of` followed by the shape of `by`."""
        if of not in self.values:
            raise Misread(f"the model has no {of}")
        shape = np.shape(self.values[of])
        rows = [self.slope(lambda p, i=i: np.asarray(p.values[of])[i], by, (of, i)) for i in np.ndindex(shape)]
        return np.reshape(rows, shape + np.shape(self.values[by]))

    def __getitem__(self, name: str):
        """A value, a size, a function, or a derivative: `dW` is that of the loss, `dL_dW` says of what."""
        for known in (self.values, self.model.functions, SIZES):
            if name in known:
                return known[name]
        if match := re.fullmatch(r"d(\w+)_d(\w+)", name):
            return self.derivative(*match.groups())
        if name[0] == "d" and name[1:] in self.values:
            return self.derivative(self.model.loss, name[1:])
        raise Misread(f"the model has no {name}")


@dataclass
class Twin:
    """One displayed equation as code; `value(**arguments)` returns what each claim says, one or a tuple."""

    label: str
    model: model
    claims: tuple[tuple[str, str], ...]
    value: Callable
    unread: str
    path: Path
    line: int

    def arguments(self, point: Point) -> dict:
        return {name: point[name] for name in parameters(self.value)}


@dataclass
class Verdict:
    """What `judge` found: `problems` (empty if all is well), the worst relative disagreement, how many breaks."""

    problems: list[str] = field(default_factory=list)
    worst: float = 0.0
    breaks: int = 0
    points: list = field(default_factory=list)
    claimed: list = field(default_factory=list)


def twin(of: model, *claims: str, unread: str = ""):
    """Bind the function below to the equation whose label is its name (with - for _); see checked.py."""
    matches = [re.fullmatch(r"d(\w+)/d(\w+)", claim) for claim in claims]
    if not claims or None in matches:
        raise Misread(f"a twin claims derivatives such as 'dL/dw', not {', '.join(map(repr, claims)) or 'nothing'}")

    def bind(value):
        code = value.__code__
        label = value.__name__.replace("_", "-")
        pairs = tuple(match.groups() for match in matches)
        return Twin(label, of, pairs, value, unread, Path(code.co_filename), code.co_firstlineno)

    return bind


def load(path: Path) -> dict[str, Twin]:
    """The twins of a file by label."""
    source = path.read_text(encoding="utf-8")
    names = {"__name__": path.stem, "__file__": str(path)}
    try:
        exec(compile(source, str(path), "exec"), names)
    except Exception as error:
        found = error if isinstance(error, Misread) else Misread(f"{type(error).__name__}: {error}")
        steps = [step.lineno for step in traceback.extract_tb(error.__traceback__) if step.filename == str(path)]
        raise _at(getattr(error, "lineno", None) or steps[-1], found) from error
    lines = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and lines.setdefault(node.name, node.lineno) != node.lineno:
            raise _at(node.lineno, Misread(f"two functions have the name {node.name}"))
    return {found.label: found for found in names.values() if isinstance(found, Twin)}


def _at(line: int, error: Misread) -> Misread:
    error.line = line
    return error


def sources(one: Twin) -> tuple[str, str]:
    """The lines of the twin's model and of the twin, as they stand in the file."""
    text = one.path.read_text(encoding="utf-8")
    names = one.value.__globals__
    model_text = twin_text = ""
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and names.get(node.name) is one:
            start = node.decorator_list[0].lineno
            twin_text = "\n".join(text.splitlines()[start - 1 : node.end_lineno])
        elif isinstance(node, ast.Assign) and names.get(getattr(node.targets[0], "id", None)) is one.model:
            model_text = ast.get_source_segment(text, node)
    return model_text, twin_text


def judge(one: Twin) -> Verdict:
    """Evaluate a twin at random points against finite differences, then see that each way to break it is noticed."""
    verdict = Verdict()
    try:
        for seed in range(POINTS):
            point = one.model.point(seed)
            verdict.points.append(point)
            verdict.claimed.append([point.derivative(*claim) for claim in one.claims])
            given = _given(one, one.value, point)
            for claim, got, seen in zip(one.claims, given, verdict.claimed[-1], strict=True):
                verdict.worst = max(verdict.worst, disagreement(got, seen))
                if not verdict.worst <= TOLERANCE:
                    verdict.problems.append(f"d{claim[0]}/d{claim[1]}: {contrast('the twin', got, seen)}")
                    return verdict
    except Exception as error:
        verdict.problems.append(str(error) if isinstance(error, Misread) else f"{type(error).__name__}: {error}")
        return verdict
    for line, what, broken in _breaks(one):
        verdict.breaks += 1
        if not _noticed(one, broken, verdict):
            verdict.problems.append(f"the check is blind: line {line} may be broken ({what}) and nothing shows")
    return verdict


def disagreement(got, seen) -> float:
    """Largest difference, relative to the largest entry; infinite where the shapes differ or a number is not finite."""
    got, seen = np.asarray(got), np.asarray(seen)
    if got.shape != seen.shape or not np.isfinite(got).all():
        return np.inf
    if not got.size:
        return 0.0
    return float(np.max(np.abs(got - seen)) / max(np.max(np.abs(seen)), np.max(np.abs(got)), 1e-3))


def contrast(who: str, got, seen) -> str:
    """One line that puts what somebody says beside what finite differences say."""
    got, seen = np.asarray(got), np.asarray(seen)
    if got.shape != seen.shape:
        return f"{who} has shape {got.shape}, finite differences {seen.shape}"
    where = np.unravel_index(np.argmax(np.abs(got - seen)), got.shape) if got.shape else ()
    entry = f" at {[int(i) for i in where]}" if where else ""
    return f"{who} gives {got[where]:.6g}, finite differences give {seen[where]:.6g}{entry}"


@functools.lru_cache(maxsize=1000)
def parameters(call: Callable) -> tuple[str, ...]:
    """The names of a function's arguments; asked for at every evaluation, and slow to find."""
    return tuple(inspect.signature(call).parameters)


def _given(one: Twin, value: Callable, point: Point) -> tuple:
    given = value(**one.arguments(point))
    given = given if isinstance(given, tuple) else (given,)
    if len(given) != len(one.claims):
        raise Misread(f"the twin makes {len(one.claims)} claims and returns {len(given)} values")
    return given


def _noticed(one: Twin, broken: Callable, verdict: Verdict) -> bool:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for point, claimed in zip(verdict.points, verdict.claimed, strict=True):
            try:
                given = _given(one, broken, point)
                if not all(disagreement(g, s) <= TOLERANCE for g, s in zip(given, claimed, strict=True)):
                    return True
            except Exception:
                return True
    return False


def _breaks(one: Twin):
    """(line, what, function) for each way to break the twin at one place: sign, factor, operator, transpose."""
    text = one.path.read_text(encoding="utf-8")
    functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    tree = next(node for node in functions if node.name == one.value.__name__)
    tree.decorator_list = []
    for place, node in enumerate(ast.walk(tree)):
        for what, change in _CHANGES:
            broken = change(node)
            if broken is None:
                continue
            names = dict(one.value.__globals__)
            swapped = _replaced(tree, place, broken)
            exec(compile(ast.Module([swapped], []), str(one.path), "exec"), names)
            yield getattr(node, "lineno", tree.lineno), what, names[tree.name]


def _replaced(tree: ast.FunctionDef, place: int, new: ast.AST) -> ast.FunctionDef:
    """A copy of the tree with its place-th node, in the order of ast.walk, replaced."""
    copy = deepcopy(tree)
    old = list(ast.walk(copy))[place]

    class Swap(ast.NodeTransformer):
        def visit(self, node):
            return new if node is old else self.generic_visit(node)

    return ast.fix_missing_locations(Swap().visit(copy))


def _operator(old, new):
    def change(node):
        if isinstance(node, ast.BinOp) and isinstance(node.op, old):
            return ast.BinOp(node.left, new(), node.right)

    return change


def _number(node):
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return ast.Constant(node.value + 1)


def _minus(node):
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return node.operand


def _transpose(node):
    if isinstance(node, ast.Attribute) and node.attr == "T":
        return node.value


def _scaled(factor):
    def change(node):
        if isinstance(node, ast.Return):
            parts = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            parts = [ast.BinOp(ast.Constant(factor), ast.Mult(), part) for part in parts]
            return ast.Return(ast.Tuple(parts, ast.Load()) if len(parts) > 1 else parts[0])

    return change


_CHANGES = [
    ("+ for -", _operator(ast.Sub, ast.Add)),
    ("- for +", _operator(ast.Add, ast.Sub)),
    ("+ for *", _operator(ast.Mult, ast.Add)),
    ("- for /", _operator(ast.Div, ast.Sub)),
    ("* for @", _operator(ast.MatMult, ast.Mult)),
    ("number + 1", _number),
    ("minus dropped", _minus),
    ("transpose dropped", _transpose),
    ("sign of the whole", _scaled(-1)),
    ("twice the whole", _scaled(2)),
]
