r"""What kind of wrong is a wrong gradient?  It names the mistake, or says where it begins, or is silent.

    diagnose      everything below, in order, on the report of a failed check
    recognise     mistakes that leave a mark in the arrays: a sign, a factor, a transpose, a missing sum, ...
    pair          two mistakes at once, where the right answer is known
    localise      going backwards from the loss, the first gradient that is wrong
    fingerprint   a few numbers in place of a known wrong answer; `matches` compares two of them
    CATALOGUE     every mistake by its id: what to say, three hints, the chapter that explains it

A recogniser computes from the right gradient what one mistake would have given, and speaks only if that is
what it has been given: to the oracle's bound, and a hundred times closer than the right gradient is.
Where two mistakes give the same numbers both are reported, as a tie.  A mistake that leaves no mark is not guessed.
"""

import functools
import itertools
import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from backprop.check import Finding, Report

__all__ = ["CATALOGUE", "Mistake", "diagnose", "fingerprint", "localise", "matches", "pair", "recognise"]


@dataclass(frozen=True)
class Mistake:
    """An entry of the catalogue.

    sentence: one line for the student, what is wrong and what to do.
    hints: where to look, what kind of slip it is, which line to change.
    link: the slug of the chapter that explains it, with an anchor where there is one.
    """

    id: str
    sentence: str
    hints: tuple[str, str, str]
    link: str
    family: str


def diagnose(
    report: Report,
    known: Mapping[str, Sequence | None] | None = None,
    batch: int | None = None,
    pairs: bool = False,
) -> list[Finding]:
    """The mistakes that explain a failed check, most certain first; [] where it has not failed.

    known: mistake id -> fingerprints of what that mistake returns for the same inputs (or None), see `fingerprint`.
    batch: the number of examples N, if known; see `recognise`.
    pairs: look for two mistakes at once too, where one alone does not explain it; see `pair`.

    A known wrong answer decides.  Then what `check` saw before it compared numbers (nothing returned, inputs
    changed, ...), then the marks in the arrays, then the bare symptom, and last where the mistake begins.
    A finding of the report that is repeated here is equal to it.
    """
    if report.verdict != "fail":
        return []
    named = (
        _known(report, known or {})
        or [finding for finding in report.findings if finding.id in _DECISIVE]
        or (pair(report, known or {}, batch) if pairs else [])
        or recognise(report.analytic, report.numeric, report.params, report.error_bound, batch)
    )
    if not any(finding.id for finding in named):
        named = [finding for finding in report.findings if finding.id in CATALOGUE] + named
    # What the report says already, it says better.
    said = {(finding.id, finding.parameter): finding for finding in report.findings}
    return [said.get((f.id, f.parameter), f) for f in named] + localise(report)


# Symptoms that are the mistake itself; others, such as a wrong shape, have a cause that may be found.
_DECISIVE = {
    "not-written",
    "none-returned",
    "input-mutated",
    "randomness-between-calls",
    "not-zeroed",
    "wrong-dtype",
}


def _known(report: Report, known: Mapping[str, Sequence | None]) -> list[Finding]:
    if report.error is not None or report.result is None:
        return []
    # The same answer may come as a tuple or as a dict: both count.
    seen = [fingerprint(report.result), fingerprint(report.analytic)]
    names = [
        name for name, prints in known.items() if any(matches(mine, theirs) for mine in seen for theirs in prints or ())
    ]
    return [Finding(name, "", _tied(_say(name), names)) for name in names]


def _say(name: str) -> str:
    return CATALOGUE[name].sentence if name in CATALOGUE else f"This is the known wrong answer {name!r}."


def _tied(message: str, names: Sequence[str]) -> str:
    others = len(set(names)) - 1
    if not others:
        return message
    rivals = "another mistake gives" if others == 1 else f"{others} other mistakes give"
    return f"{message} (A tie: {rivals} the same numbers here.)"


# Two mistakes at once --------------------------------------------------------------------------------------------


def pair(report: Report, known: Mapping[str, Sequence | None], batch: int | None = None) -> list[Finding]:
    """Two mistakes that together give these numbers, two findings for each such pair; [] where none do.

    known: as for `diagnose`; batch: as for `recognise`.
    It needs the right answer, which is the report's own: every entry of every array that is wrong.  Where one mark in
    the arrays explains all of them, nothing is looked for.
    Either both are known wrong answers, or one leaves a mark in the arrays (a sign, a factor, a shape) and what is
    left when that is undone is a known wrong answer, or leaves a mark itself.
    """
    truth = _truth(report)
    clues = _all_clues(report.analytic, report.numeric, report.params, report.error_bound, batch)
    # A mark of a part leaves the rest to be explained.
    whole = [{clue for clue, message in seen if PART not in message} - {""} for seen in clues.values()]
    named = set().union(*whole)
    if truth is None or not whole or set.intersection(*whole):
        return []
    found = _known_pairs(report, known, truth)
    if not found:
        for mistake, repaired in _repairs(report, truth, batch):
            rest = [f.id for f in _known(replace(report, analytic=repaired, result=repaired), known)]
            found |= {frozenset((mistake, other)) for other in rest}
    if not found and not named:
        for mistake, repaired in _repairs(report, truth, batch):
            rest = recognise(repaired, report.numeric, report.params, report.error_bound, batch)
            # Undo a factor, and a few numbers may well be whole.
            found |= {frozenset((mistake, finding.id)) for finding in rest if finding.id not in ("", "wrong-dtype")}
    found = sorted(sorted(names) for names in found if len(names) == 2)
    tie = "" if len(found) < 2 else " (A tie: another pair gives the same numbers here.)"
    return [
        Finding(one, "", f"Together with [{other}]: {_say(one)}{tie}")
        for names in found
        for one, other in (names, names[::-1])
    ]


def _truth(report: Report) -> dict[str, np.ndarray] | None:
    """The right gradient: the oracle's where an array is wrong, else the one that was found right."""
    if report.error is not None or not report.analytic:
        return None
    truth = {}
    for name, value in report.params.items():
        if name not in report.analytic:
            return None
        yours, numeric = _floats(report.analytic[name]), _floats(report.numeric[name])
        wrong = yours.shape != value.shape or np.any(report.wrong[name])
        truth[name] = numeric if wrong else yours
        if not np.all(np.isfinite(truth[name])) or not np.all(np.isfinite(yours)):
            return None
    return truth


def _known_pairs(report: Report, known: Mapping[str, Sequence | None], truth: Mapping) -> set[frozenset]:
    forms = [(report.analytic, truth)]
    if isinstance(report.result, (tuple, list)):
        forms.append((tuple(report.result), tuple(truth.values())))
    # That one mistake cuts off what comes from the loss is looked for where nothing simpler will do.
    for always, (mine, theirs) in itertools.product((1.0, 0.0), forms):
        yours, right = fingerprint(mine), fingerprint(theirs)
        if all(map(_alike, yours[1:], right[1:])):
            continue  # the numbers are right: what is wrong is the shape alone
        # A mistake in a shape is there to be seen.
        listed = [
            (name, prints[0], [(p, _factor_between(p, t)) for p, t in zip(prints[1:], right[1:], strict=True)])
            for name, several in known.items()
            for prints in several or ()
            if len(prints) == len(right) and prints[0] in (right[0], yours[0])
        ]
        found = {
            frozenset((one, other))
            for (one, shape, a), (other, form, b) in itertools.combinations(listed, 2)
            if one != other and yours[0] in (shape, form) and _together(yours[1:], a, b, right[1:], always)
        }
        if found:
            return found
    return set()


def _alike(p: Sequence, q: Sequence) -> bool:
    return all(abs(u - v) <= 1e-7 * max(p[0], q[0]) for u, v in zip(p, q, strict=True))


def _together(yours: Sequence, a: Sequence, b: Sequence, right: Sequence, always: float) -> bool:
    """Can what mistake a gives and what mistake b gives be in `yours` both, array by array?

    Of each array there are a norm and two projections, which are linear; a and b bring what factor of the right array
    theirs is, or None.  If a multiplies what comes from the loss by k, then yours = a + k (b - right), whatever else is
    added to it; k is seen where nothing else is, and is 0 where a cuts off what comes from the loss.  If each adds
    something of its own, or only one of them touches an array, this holds with k = 1.  `always` is a k to try anyway.
    """
    either = [(a, b, _scales(a, always)), (b, a, _scales(b, always))]
    for n, y in enumerate(yours):
        (p, alpha), (q, beta), t = a[n], b[n], right[n]
        if alpha is not None and beta is not None:
            # Nothing but factors: one acts on the other.
            k = _factor_between(y, t)
            if k is None or not math.isclose(k, alpha * beta, rel_tol=1e-6):
                return False
        elif not (y == p == q or any(_near(y, c[n][0], d[n][0], t, k) for c, d, ks in either for k in ks)):
            return False
    return True


def _scales(one: Sequence, always: float) -> set[float]:
    return {always} | {k for _, k in one if k}


def _near(y: Sequence, p: Sequence, q: Sequence, t: Sequence, k: float) -> bool:
    """y = p + k (q - t), by the projections?"""
    size = max(y[0], p[0], abs(k) * q[0], abs(k) * t[0])
    return all(abs(y[i] - p[i] - k * (q[i] - t[i])) <= 1e-6 * size for i in (1, 2))


def _factor_between(a: Sequence, right: Sequence) -> float | None:
    """k, if a = k right."""
    if a[0] <= 1e-9 * right[0]:
        return 0.0
    for k in (a[0] / right[0], -a[0] / right[0]) if right[0] else ():
        if all(abs(a[i] - k * right[i]) <= 1e-7 * a[0] for i in (1, 2)):
            return k
    return None


def _repairs(report: Report, truth: Mapping, batch: int | None) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """(mistake, the gradient with that mistake undone), for the mistakes that can be undone in one array."""
    for name, value in report.params.items():
        yours, shape = _floats(report.analytic[name]), value.shape
        undone: list[tuple[str, np.ndarray]] = []
        if yours.shape == shape:
            undone += [("sign", -yours), ("factor-two", yours / 2), ("factor-two", 2 * yours)]
            undone += [("gradient-transposed", yours.T)] if yours.ndim == 2 and shape[0] == shape[1] else []
            if batch and batch > 1:
                averaged = "bias-averaged" if value.ndim < 2 else "extra-batch-mean"
                undone += [("missing-batch-mean", yours / batch), (averaged, yours * batch)]
        elif yours.ndim == 2 and yours.T.shape == shape:
            undone += [("gradient-transposed", yours.T)]
        elif yours.size == truth[name].size:
            undone += [("keepdims-left", yours.reshape(shape))]
        elif yours.ndim > value.ndim and _summed_to(shape, yours).shape == shape:
            undone += [("bias-not-summed", _summed_to(shape, yours))]
        untouched = yours.shape == shape and not np.any(report.wrong[name])
        for mistake, array in undone if not untouched else ():
            yield mistake, {**report.analytic, name: array}


# Where it begins -------------------------------------------------------------------------------------------------


def localise(report: Report) -> list[Finding]:
    """Which gradient is the first wrong one, going backwards from the loss; [] where there are no numbers or one array.

    The parameters are taken to be in forward order.
    """
    backwards = list(reversed(report.params)) if report.analytic else []
    right: list[str] = []
    for name in backwards:
        if _is_wrong(report, name):
            break
        right.append(name)
    else:
        return []
    if len(report.params) == 1:
        return []
    rest = [other for other in backwards[len(right) + 1 :] if not _is_wrong(report, other)]
    if right:
        verb = "is" if len(right) == 1 else "are"
        message = f"Going backwards, {_list('d' + r for r in right)} {verb} right and d{name} is the first wrong one."
    else:
        message = f"Going backwards, d{name} is the first gradient and it is wrong: begin at the loss."
    if rest:
        message += f" Further back, {_list('d' + r for r in rest)} {'is' if len(rest) == 1 else 'are'} right again."
    return [Finding("", name, message, where=name)]


def _is_wrong(report: Report, name: str) -> bool:
    return bool(np.any(report.wrong.get(name, False))) or any(f.parameter == name for f in report.findings)


def _list(names) -> str:
    names = list(names)
    if len(names) > 5:
        names[3:] = [f"{len(names) - 3} others"]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


# Marks in the arrays ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Gradient:
    """One array under test: what was given, what is right (nan where unknown), and the parameter it belongs to."""

    name: str
    yours: np.ndarray
    truth: np.ndarray
    bound: np.ndarray
    value: np.ndarray
    wrong: bool

    def is_(self, candidate: np.ndarray) -> bool:
        """Is `candidate` what was given?"""
        return self.agree(self.yours, candidate)

    def agree(self, a: np.ndarray, b: np.ndarray, noise: float = 0.0) -> bool:
        """a = b up to rounding and the oracle's bound, and a hundred times closer than yours is to the truth?

        Entries that the oracle has not computed are nan in all that is made of them, and left out.
        """
        a, b = np.asarray(a), np.asarray(b)
        if a.shape != b.shape:
            return False
        known = np.isfinite(a) & np.isfinite(b)
        if not known.any() or (a.shape == self.truth.shape and known.sum() < np.isfinite(self.truth).sum()):
            return False
        size = float(max(np.abs(a[known]).max(), np.abs(b[known]).max()))
        slack = self.rtol * size + 4 * max(noise, self.noise) * max(1.0, size / (self.size or np.inf))
        return bool(np.abs(a - b)[known].max() <= slack and self.gap >= 100 * slack)

    @functools.cached_property
    def rtol(self) -> float:
        return max(1e-8, *(300 * float(np.finfo(array.dtype).eps) for array in (self.yours, self.value)))

    @functools.cached_property
    def size(self) -> float:
        return _largest(self.truth)

    @functools.cached_property
    def noise(self) -> float:
        return _largest(self.bound)

    @functools.cached_property
    def gap(self) -> float:
        """How far what was given is from what is right; inf where the shapes differ."""
        return _largest(self.yours - self.truth) if self.yours.shape == self.truth.shape else np.inf


def _largest(array: np.ndarray) -> float:
    return float(np.max(np.abs(array[np.isfinite(array)]), initial=0.0))


@dataclass(frozen=True)
class _Context:
    """All the arrays of a check, in forward order, and the size of the batch if it is known."""

    gradients: Mapping[str, _Gradient]
    batch: int | None

    @property
    def rows(self) -> int:
        """The size of the batch, or the length of the first array if it is no weight with a bias; 0 if unknown."""
        first, *rest = self.gradients.values()
        if self.batch is not None or first.value.ndim == 0 or (rest and self.is_bias(rest[0])):
            return self.batch or 0
        return len(first.value)

    def others(self, g: _Gradient) -> list[_Gradient]:
        return [other for other in self.gradients.values() if other is not g]

    def is_bias(self, g: _Gradient) -> bool:
        """A vector (or a row) as long as the last axis of an earlier matrix."""
        before = list(self.gradients.values())[: list(self.gradients).index(g.name)]
        vector = g.value.ndim > 0 and g.value.size == g.value.shape[-1]
        return vector and any(other.value.ndim > 1 and other.value.shape[-1] == g.value.size for other in before)


PART = " of the part that the data give"  # and the rest is another multiple of the parameter
Clue = tuple[str, str]  # the id of a mistake, or "" where what is seen has no name; and what is seen
Recogniser = Callable[[_Gradient, _Context], Iterator[Clue]]


def recognise(
    analytic: Mapping[str, np.ndarray],
    numeric: Mapping[str, np.ndarray],
    params: Mapping[str, np.ndarray],
    error_bound: Mapping[str, np.ndarray] | None = None,
    batch: int | None = None,
) -> list[Finding]:
    """The mistakes that can be shown from the arrays alone; [] where none can.

    analytic, numeric, params, error_bound: dict name -> array, as in a Report; params in forward order.  An entry of
    numeric that is nan is unknown, and an array of nothing else is taken to be right.
    batch: the number of examples N; if None, the length of a first parameter that looks like data stands in for it.
    Without either, a factor of N is described and not named.
    A finding with id "" describes what has no name.
    """
    return _joined(_all_clues(analytic, numeric, params, error_bound, batch))


def _all_clues(analytic, numeric, params, error_bound, batch) -> "dict[str, list[Clue]]":
    """What is seen of each array that is wrong."""
    gradients = {}
    for name, value in params.items():
        if name not in analytic or not np.size(value):
            continue
        value, yours = _floats(value), _floats(analytic[name])
        truth = _floats(numeric.get(name, np.full(value.shape, np.nan)))
        bound = _floats((error_bound or {}).get(name, np.zeros(value.shape)))
        # An oracle that knows an entry to three digits or worse, as at a kink, does not know it.
        known = bound <= 1e-3 * max(_largest(truth), _largest(yours))
        truth, bound = np.where(known, truth, np.nan), np.where(known, bound, np.nan)
        if not np.isfinite(truth).any() and yours.shape == value.shape:
            truth, bound = yours, np.zeros(value.shape)
        gradients[name] = _Gradient(name, yours, truth, bound, value, _differs(yours, truth, bound))
    context = _Context(gradients, batch)
    return {g.name: _clues(g, context) for g in gradients.values() if g.wrong}


def _floats(value: Any) -> np.ndarray:
    array = np.asarray(value)
    return array if array.dtype.kind == "f" else array.astype(float)


def _differs(yours: np.ndarray, truth: np.ndarray, bound: np.ndarray) -> bool:
    if yours.shape != truth.shape:
        return True
    rtol = max(1e-6, 300 * float(np.finfo(yours.dtype).eps))
    known = np.isfinite(truth)
    return not np.all(np.abs(yours - truth)[known] <= 2 * bound[known] + rtol * np.abs(truth)[known])


def _clues(g: _Gradient, context: _Context) -> list[Clue]:
    """What the first row of `RECOGNISERS` that sees anything sees; a tie where it sees several mistakes."""
    if not np.all(np.isfinite(g.yours)):
        return []
    for row in RECOGNISERS:
        with np.errstate(all="ignore"):
            found = {clue: message for recogniser in row for clue, message in recogniser(g, context)}
        if found:
            return list(found.items())
    return []


def _joined(clues: Mapping[str, list[Clue]]) -> list[Finding]:
    """One finding for each mistake, at the array nearest to the loss that shows it.

    Descriptions without a name are left out where there is a name.  One array's tie is decided by what another shows.
    """
    certain = {found[0][0] for found in clues.values() if len(found) == 1} - {""}
    seen: dict[str, list[tuple[str, str, list[str]]]] = {}
    for name, found in reversed(clues.items()):
        kept = [clue for clue in found if clue[0] in certain] or found
        for clue, message in kept:
            seen.setdefault(clue or message, []).append((name, message, [other for other, _ in kept]))
    findings = []
    for key, places in seen.items():
        clue = key if key in CATALOGUE else ""
        name, message, tied = places[0]
        more = f" Likewise {_list('d' + other for other, *_ in places[1:])}." if len(places) > 1 else ""
        text = f"d{name}: {message}{more}"
        findings.append(Finding(clue, name, _tied(f"{text} {_say(clue)}", tied) if clue else text, where=name))
    return [finding for finding in findings if finding.id] or findings


# One recogniser for each mark ....................................................................................


def _shape(g: _Gradient, context: _Context) -> Iterator[Clue]:
    """The right numbers in a wrong shape, or one sum short of it."""
    yours, truth = g.yours, g.truth
    if yours.shape == g.value.shape:
        return
    if yours.ndim != truth.ndim and yours.size == truth.size and g.agree(yours.reshape(truth.shape), truth):
        message = f"the numbers are right; the shape is {yours.shape}, expected {truth.shape}."
        yield "keepdims-left", message
        if context.batch == 1 and yours.ndim == 2 and context.is_bias(g):
            yield "bias-not-summed", message
    elif yours.ndim == 2 and g.agree(yours.T, truth):
        yield "gradient-transposed", "this is the transpose of the right gradient."
    elif yours.ndim >= truth.ndim and g.agree(_summed_to(truth.shape, yours), truth):
        # Broadcast against a matrix of this shape, or added to a product of matrices?
        shapes = [other.value.shape for other in context.others(g) if other.value.ndim > 1]
        alike = yours.shape in shapes
        vector = truth.ndim > 0 and truth.size == truth.shape[-1]
        message = f"summed from shape {yours.shape} to {truth.shape}, this is the right gradient."
        if vector and (not alike or len(shapes) > 1):
            yield "bias-not-summed", message
        if not vector or alike:
            yield "broadcast-not-summed", message
    elif yours.size != truth.size and _same_total(g):
        if yours.size == 1:
            yield "summed-over-units", "this is the sum of all entries of the right gradient."
        elif yours.ndim == truth.ndim == 1:
            yield "wrong-axis", f"the total is right, but it is spread over {yours.size} entries, not {truth.size}."


def _summed_to(shape: tuple, array: np.ndarray) -> np.ndarray:
    """The sum over the axes that broadcasting from `shape` would have filled; `array` itself where there are none."""
    lead = array.ndim - len(shape)
    axes = tuple(range(lead)) + tuple(lead + k for k, n in enumerate(shape) if n == 1 and array.shape[lead + k] > 1)
    summed = array.sum(axis=axes, keepdims=True)
    return summed.reshape(summed.shape[lead:])


def _same_total(g: _Gradient) -> bool:
    """The totals agree, and are not 0 only because everything cancels."""
    yours, truth = np.sum(g.yours), np.sum(g.truth)
    return abs(truth) > 1e-3 * np.sum(np.abs(g.truth)) and g.agree(yours, truth)


def _swapped(g: _Gradient, context: _Context) -> Iterator[Clue]:
    """The right gradient of another parameter, while that or another one holds this one's."""
    for other in context.others(g):
        taken = other.wrong and g.agree(g.yours, other.truth, other.noise)
        if taken and any(o.agree(o.yours, g.truth, g.noise) for o in context.others(g)):
            yield "parameters-swapped", f"this is the right gradient of {other.name}."


def _zeros(g: _Gradient, context: _Context) -> Iterator[Clue]:
    if _largest(g.yours) <= 1e-12 * g.size and g.size > 100 * g.noise:
        yield "zeros", f"every entry is 0{' but for rounding' if np.any(g.yours) else ''}."


def _multiple(g: _Gradient, context: _Context) -> Iterator[Clue]:
    """yours = k truth + c value: a factor on the loss or on the gradient, or a slip in the penalty."""
    k, c = _fit(g)
    if k is None:
        return
    if abs(k - 1) < 1e-6:
        yield from _penalty(c, g, context)
        return
    if not c and g.value.ndim > 1 and context.others(g) and np.any(g.value):
        # Where the penalty is all that moves the weights, its slips are factors too.
        share = float(np.vdot(g.truth, g.value) / np.vdot(g.value, g.value))
        if g.agree(share * g.value, g.truth):
            yield from _penalty((k - 1) * share, g, context)
    part = PART if c else ""
    names = list(_factors(k, g, context))
    yield from ((name, f"{message}{part}.") for name, message in names)
    if not names and not c and g.yours.size > 1:
        whole = f"; is {k:.0f} the size of the batch" if abs(k - round(k)) < 1e-6 and k > 2 else ""
        yield "", f"this is {k:.6g} times the right gradient, in every entry{whole}{'?' if whole else '.'}"


def _fit(g: _Gradient) -> tuple[float | None, float]:
    """(k, c), or (None, 0) if yours is no such combination; c = 0 wherever k alone will do."""
    if g.yours.shape != g.truth.shape or not np.any(g.yours):
        return None, 0.0
    known = np.isfinite(g.truth)
    yours, truth, value = (array[known].astype(float) for array in (g.yours, g.truth, g.value))
    if g.size > 100 * g.noise:
        k = float(yours @ truth / (truth @ truth))
        if g.is_(k * g.truth):
            return k, 0.0
    if not np.any(value):
        return None, 0.0
    if yours.size < 4:
        c = float((yours - truth) @ value / (value @ value))
        return (1.0, c) if yours.size > 1 and g.is_(g.truth + c * g.value) else (None, 0.0)
    columns = np.stack([truth / (np.linalg.norm(truth) or 1.0), value / np.linalg.norm(value)], axis=1)
    if abs(columns[:, 0] @ columns[:, 1]) > 1 - 1e-6:
        return None, 0.0
    k, c = np.linalg.lstsq(columns, yours, rcond=None)[0]
    k, c = float(k / (np.linalg.norm(truth) or 1.0)), float(c / np.linalg.norm(value))
    return (k, c) if g.is_(k * g.truth + c * g.value) else (None, 0.0)


def _factors(k: float, g: _Gradient, context: _Context) -> Iterator[Clue]:
    near = lambda number: abs(k - number) <= max(1e-6, g.rtol) * abs(number)
    N = context.rows
    if near(-1):
        yield "sign", "this is minus the right gradient"
    if near(2) or near(0.5):
        yield "factor-two", f"this is {'twice' if near(2) else 'half'} the right gradient"
    if N > 1 and near(N):
        yield "missing-batch-mean", f"this is N = {N} times the right gradient"
    if N > 1 and near(1 / N):
        message = f"this is the right gradient divided by N = {N}"
        weights = [other for other in context.others(g) if not context.is_bias(other)]
        if context.is_bias(g) and (not weights or not all(other.wrong for other in weights)):
            yield "bias-averaged", message
        if not context.is_bias(g) or not weights or all(other.wrong for other in weights):
            yield "extra-batch-mean", message
    elif context.batch is None and context.is_bias(g) and k < 0.4 and abs(1 / k - round(1 / k)) < 1e-6:
        if any(not other.wrong for other in context.others(g) if not context.is_bias(other)):
            yield "bias-averaged", f"this is the right gradient divided by {1 / k:.0f}, while others are right"
    C = list(context.gradients.values())[-1].value.shape[-1:]
    if C and near(1 / C[0]) and C[0] > 1 and all(other.wrong for other in context.others(g)):
        yield "averaged-over-units", f"this is the right gradient divided by {C[0]}, the number of columns"
    if g.value.ndim > 1 and near(math.sqrt(g.value.shape[-1])):
        wrong = [other for other in context.others(g) if other.wrong]
        alike = len(wrong) == 1 and wrong[0].is_(k * wrong[0].truth)
        if alike and wrong[0].value.shape[-1] == g.value.shape[-1] and len(context.gradients) > 2:
            message = f"this is √{g.value.shape[-1]} times the right gradient, as is d{wrong[0].name}"
            yield "attention-scale-missing", message


def _penalty(c: float, g: _Gradient, context: _Context) -> Iterator[Clue]:
    """yours - truth = c value.  A factor of 1 or 2 is left alone: a forgotten path gives it."""
    if any(abs(abs(c) - whole) < 1e-6 for whole in (1, 2)):
        return
    message = f"yours minus the right gradient is {c:.4g} times {g.name}"
    if context.is_bias(g):
        if c > 0:
            yield "penalty-on-bias", f"{message}."
    elif c > 0:
        yield "penalty-factor-two", f"{message}."
    else:
        # lam = -c if the penalty is missing; if it was divided by N, then -c = lam (1 - 1/N).  People choose round lam.
        N = context.batch
        fuzz = max(1e-6, 10 * g.rtol)
        missing, divided = _digits(-c, fuzz), _digits(-c * N / (N - 1), fuzz) if N and N > 1 else 9
        if N is None or missing <= max(divided, 2):
            yield "penalty-missing", f"{message}."
        if N is None or (N > 1 and divided <= max(missing, 2)):
            yield "penalty-divided-by-batch", f"{message}."


def _digits(number: float, fuzz: float) -> int:
    """How many significant digits it takes to write the number to a relative error of `fuzz`; 9 if more than 5."""
    return next((n for n in range(1, 6) if abs(float(f"{number:.{n - 1}e}") - number) <= fuzz * abs(number)), 9)


def _rearranged(g: _Gradient, context: _Context) -> Iterator[Clue]:
    """All the right numbers in other places."""
    truth = g.truth
    if truth.ndim == 2 and (g.is_(truth.T) or g.is_(truth.T.reshape(truth.shape))):
        yield "gradient-transposed", "this is the transpose of the right gradient."
    axes = tuple(range(truth.ndim // 2 if truth.ndim > 2 else 0, truth.ndim))
    if truth.size > 2 and g.is_(np.flip(truth, axes)):
        yield "conv-kernel-not-flipped", "this is the right gradient in reverse order."


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(z / 2))


def _softplus(z: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, z)


_ACTIVATIONS: dict[str, tuple[Callable, Callable]] = {
    "sigmoid": (_sigmoid, lambda z: _sigmoid(z) * _sigmoid(-z)),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "softplus": (_softplus, _sigmoid),
}


def _slope(g: _Gradient, context: _Context) -> Iterator[Clue]:
    """Where the parameter is the input of an activation: the slope is missing, taken elsewhere, or there twice."""
    z = g.value
    # Where all inputs are alike, so are the slopes, and every mistake is a constant factor.
    if g.yours.shape != z.shape or not np.any(z) or (z.size > 1 and np.all(z == z.flat[0])):
        return
    for name, (act, slope) in _ACTIVATIONS.items():
        upstream = g.truth / slope(z)
        seen = {
            "missing-activation-derivative": (upstream, f"the slope of {name} is missing."),
            "derivative-at-output": (upstream * slope(act(z)), f"the slope of {name} is taken at {name}({g.name})."),
            "activation-for-derivative": (upstream * act(z), f"{name}({g.name}) stands in place of its slope."),
            "derivative-twice": (g.truth * slope(z), f"the slope of {name} is in there twice."),
        }
        if name == "tanh":
            seen["tanh-of-preactivation"] = (upstream * (1 - z**2), f"this has 1 - {g.name}² for the slope of tanh.")
        yield from ((clue, message) for clue, (candidate, message) in seen.items() if g.is_(candidate))
        plain = any(g.agree(g.truth, other(z)) for _, other in _ACTIVATIONS.values())
        if g.is_(slope(z)) and not plain:
            yield "upstream-forgotten", f"this is the slope of {name} alone."
        if name != "softplus" and g.agree(g.truth, slope(z)) and g.is_(act(z)):
            yield "activation-for-derivative", f"this is {name}({g.name}), not its slope."


def _relu(g: _Gradient, context: _Context) -> Iterator[Clue]:
    """Where the parameter is the input of ReLU: right where it is open, and too much where it is closed, or ..."""
    z, yours, truth = g.value, g.yours, g.truth
    if yours.shape != z.shape or min(np.sum(z > 0), np.sum(z < 0)) < 2 or np.any(truth[z < 0]):
        return
    gated = lambda array: np.where(z > 0, array, 0.0)
    if g.agree(gated(yours), gated(truth)) and np.all(yours[z < 0]):
        yield "missing-activation-derivative", f"this is right where {g.name} > 0, and not 0 where {g.name} < 0."
        yield "relu-mask-after-relu", f"this is right where {g.name} > 0, and not 0 where {g.name} < 0."
    elif g.agree(gated(yours), gated(np.maximum(truth, 0))) and np.all(yours >= 0):
        yield "relu-mask-from-gradient", "this is 0 where the gradient is negative, and not where the input is."
    elif g.is_(gated(truth * z)):
        yield "activation-for-derivative", f"this is multiplied by relu({g.name}), not by its slope."


def _product(g: _Gradient, context: _Context) -> Iterator[Clue]:
    """Where the parameter is a factor of an elementwise product: the gradient is made with itself, or without."""
    for other in context.others(g):
        if other.value.shape != g.value.shape or other.value.shape != g.truth.shape:
            continue
        if g.is_(g.truth * g.value / other.value):
            yield "wrong-operand", f"this has {g.name} where {other.name} belongs."
        elif g.yours.size > 1 and g.is_(other.value):
            yield "upstream-forgotten", f"this is {other.name} alone."


def _affine(g: _Gradient, context: _Context) -> Iterator[Clue]:
    """Where the parameter is X in X @ W with a square W: the product with W in place of its transpose."""
    for other in context.others(g):
        W = other.value
        square = g.value.ndim > 1 and W.ndim == 2 and W.shape[0] == W.shape[1] == g.value.shape[-1] <= 100
        if square and np.linalg.cond(W) < 1e4 and g.is_(g.truth @ np.linalg.inv(W.T) @ W):
            yield "weight-not-transposed", f"this is right for a product with {other.name}.T."


def _logits(g: _Gradient, context: _Context) -> Iterator[Clue]:
    """Where the parameter is the logits of a softmax or a sigmoid, with or without the cross-entropy."""
    Z, truth, yours = g.value, g.truth, g.yours
    if yours.shape != Z.shape or Z.ndim == 0 or Z.size < 3:
        return
    N = 1 if Z.ndim == 1 else len(Z)
    P = _softmax(Z, -1)
    dP = yours / (P * (1 - P))
    if Z.shape[-1] > 2 and g.agree(truth, P * (dP - np.sum(P * dP, axis=-1, keepdims=True))):
        yield "softmax-diagonal-only", "this is p (1 - p) times the upstream gradient: the diagonal of the Jacobian."
    Y = P - N * truth
    if Z.shape[-1] > 1 and _one_hot(g, Y) and np.allclose(Y.sum(axis=-1), 1, atol=1e-6):
        yield from _cross_entropy(g, P, Y, N)
        if Z.ndim > 1 and g.is_((_softmax(Z, 0) - Y) / N):
            yield "softmax-wrong-axis", "the probabilities in it sum to 1 down the columns."
        if g.is_(P * (truth - np.sum(P * truth, axis=-1, keepdims=True))):
            yield "derivative-twice", "the Jacobian of softmax is in there twice."
    P, N = _sigmoid(Z), len(Z)
    Y = P - N * truth
    if _one_hot(g, Y):
        yield from _cross_entropy(g, P, Y, N)


def _cross_entropy(g: _Gradient, P: np.ndarray, Y: np.ndarray, N: int) -> Iterator[Clue]:
    if g.is_(P / N):
        yield "target-forgotten", "these are the probabilities divided by N, with no target in them."
    if N > 1 and g.is_(P - Y):
        yield "missing-batch-mean", f"this is N = {N} times the right gradient."
    if N > 1 and g.is_((P - Y) / N**2):
        yield "extra-batch-mean", f"this is the right gradient divided by N = {N}."
    other = P - N * g.yours
    if _one_hot(g, other) and not g.agree(other, Y) and np.sum(np.rint(other)) == np.sum(np.rint(Y)):
        yield "labels-misaligned", "the 1 is subtracted from other entries than it should be."


def _softmax(z: np.ndarray, axis: int) -> np.ndarray:
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def _one_hot(g: _Gradient, Y: np.ndarray) -> bool:
    return bool(np.all(np.abs(Y - np.rint(Y)) < 1e-6) and set(np.unique(np.rint(Y))) == {0.0, 1.0})


def _prediction(g: _Gradient, context: _Context) -> Iterator[Clue]:
    """Where the only parameter is the prediction of a squared error: a multiple of it, with no target in it."""
    if context.others(g) or g.yours.shape != g.value.shape or g.value.size < 2 or not np.any(g.value):
        return
    k = float(np.vdot(g.yours, g.value) / np.vdot(g.value, g.value))
    rows = {1, len(g.value), g.value.size}
    if any(abs(k * n - m) < 1e-6 for n in rows for m in (1, 2)) and g.is_(k * g.value):
        yield "target-forgotten", f"this is {k:.4g} times {g.name}, with no target in it."


def _normalised(g: _Gradient, context: _Context) -> Iterator[Clue]:
    """Where the parameter is the input of a batch-norm, whose right gradient sums to 0 over the batch."""
    if g.truth.ndim != 2 or g.yours.shape != g.truth.shape or len(g.truth) < 3:
        return
    if np.abs(g.truth.sum(axis=0)).max() > g.rtol * g.size * len(g.truth) + len(g.truth) * g.noise:
        return
    excess = g.yours - g.truth
    if g.agree(excess, np.broadcast_to(excess.mean(axis=0), excess.shape)):
        yield "batchnorm-mean-constant", "the difference is the same in all rows: the path through the mean is missing."
    centred = g.value - g.value.mean(axis=0)
    along = np.sum(excess * centred, axis=0) / np.sum(centred * centred, axis=0)
    if g.agree(excess, along * centred):
        message = "the difference follows the normalised input: the path through the variance is missing."
        yield "batchnorm-variance-constant", message


def _last_example(g: _Gradient, context: _Context) -> Iterator[Clue]:
    """Where X is a parameter too: dW is made from the last row of X alone."""
    for other in context.others(g):
        X = other.value
        if X.ndim == g.yours.ndim == 2 and X.shape[1] == len(g.yours) > 1 and len(X) > 1:
            row = X[-1]
            if g.is_(np.outer(row, row @ g.yours / (row @ row))):
                yield "last-example-only", f"this is made from the last row of {other.name} alone."


def _clipped(g: _Gradient, context: _Context) -> Iterator[Clue]:
    """Right up to a limit, and the limit beyond it."""
    if g.yours.shape != g.truth.shape or not np.any(g.yours):
        return
    limit = max(_largest(other.yours) for other in context.gradients.values() if other.wrong)
    cut = np.abs(g.truth) > np.abs(g.yours) * (1 + 1e-6)
    kept = np.isfinite(g.truth) & ~cut
    elsewhere = sum(int(np.sum(np.abs(o.yours) == limit)) for o in context.others(g) if o.wrong)
    if np.sum(cut) + elsewhere > 1 and np.any(g.yours[kept]) and g.is_(np.clip(g.truth, -limit, limit)):
        yield "clipped", f"entries beyond ±{limit:.4g} are cut off there; the others are right."


def _whole(g: _Gradient, context: _Context) -> Iterator[Clue]:
    """The right gradient without its fractions."""
    if g.yours.shape == g.truth.shape and np.any(g.yours) and np.all(g.yours == np.rint(g.yours)):
        if any(g.is_(cut(g.truth)) for cut in (np.trunc, np.rint, np.floor)):
            yield "wrong-dtype", "this is the right gradient without its fractions: it was in an integer array."


def _total(g: _Gradient, context: _Context) -> Iterator[Clue]:
    """A bias whose sum went over all the units, or along the wrong axis of a square array."""
    if g.yours.shape != g.truth.shape or g.truth.ndim != 1 or g.truth.size < 2 or not context.is_bias(g):
        return
    total = np.sum(g.truth)
    if abs(total) > 1e-3 * np.sum(np.abs(g.truth)) and g.is_(np.full(g.truth.shape, total)):
        yield "summed-over-units", "every entry is the sum of all entries of the right gradient."
    elif context.batch in (None, g.truth.size) and _same_total(g) and not g.agree(np.sort(g.yours), np.sort(g.truth)):
        yield "wrong-axis", "the sum of all entries is right, but the entries are not."


def _few(g: _Gradient, context: _Context) -> Iterator[Clue]:
    """A few entries of one array, in no whole row or column of it; every other array is right."""
    if g.yours.shape != g.truth.shape or any(other.wrong for other in context.others(g)):
        return
    off = np.abs(g.yours - g.truth) > 100 * g.noise + g.rtol * g.size
    long = [axis for axis, n in enumerate(g.truth.shape) if n > 1]
    lines = len(long) == 1 or not any(np.all(off, axis=axis).any() for axis in long)
    if 0 < np.sum(off) <= g.truth.size / 6 + 0.5 and g.truth.size > 2 and lines:
        places = ", ".join(str([int(i) for i in place]) for place in np.argwhere(off)[:3])
        more = ", ..." if np.sum(off) > 3 else ""
        yield "few-entries", f"all entries are right but {int(np.sum(off))}, at {places}{more}."


def _rows(g: _Gradient, context: _Context) -> Iterator[Clue]:
    """Each row, or each column, of the right gradient times a factor of its own."""
    if g.yours.shape != g.truth.shape or g.truth.ndim != 2 or min(g.truth.shape) < 2:
        return
    for axis, line in ((1, "row"), (0, "column")):
        factors = np.sum(g.yours * g.truth, axis=axis, keepdims=True) / np.sum(g.truth**2, axis=axis, keepdims=True)
        if g.is_(np.where(np.isfinite(factors), factors, 0.0) * g.truth):
            listed = ", ".join(f"{factor:.3g}" for factor in factors.ravel()[:6])
            yield "", f"each {line} is a multiple of the right one: {listed}{', ...' if factors.size > 6 else ''}."


# From the most specific to the least.  Those in one row are equals: if several see something, it is a tie.
RECOGNISERS: tuple[tuple[Recogniser, ...], ...] = (
    (_shape,),
    (_swapped, _product),
    (_zeros,),
    (_multiple, _rearranged, _slope, _relu, _affine, _logits, _prediction, _normalised, _last_example),
    (_clipped, _whole),
    (_total,),
    (_few, _rows),
)


# Known wrong answers ---------------------------------------------------------------------------------------------


def fingerprint(value: Any) -> list:
    """A few numbers that stand for `value`, any nesting of dicts, tuples, lists, arrays, numbers, strings and None.

    [structure, [norm, projection, projection], ...], one triple for each array or number inside, fit for JSON.  The
    structure holds keys, shapes, kinds of number and how many are not finite.  The projections are onto fixed
    vectors of pseudo-random numbers made by integer arithmetic, so that they are the same on every machine.
    """
    structure, leaves = _walk(value)
    if len(structure) > 60:
        structure = f"{structure[:20]}#{zlib.crc32(structure.encode()):08x}"
    return [structure, *(_project(leaf) for leaf in leaves)]


def matches(a: Sequence, b: Sequence, rtol: float = 1e-7) -> bool:
    """Do two fingerprints stand for the same value, to `rtol` of the norm of each array inside?"""
    if a[0] != b[0] or len(a) != len(b):
        return False
    for mine, theirs in zip(a[1:], b[1:], strict=True):
        norm = max(mine[0], theirs[0])
        if any(abs(p - q) > rtol * norm for p, q in zip(mine, theirs, strict=True)):
            return False
    return True


def _walk(value: Any) -> tuple[str, list[np.ndarray]]:
    """The structure as text, and the finite parts of the arrays and numbers in it, in order."""
    if value is None or isinstance(value, str):
        return ("None" if value is None else f"str:{zlib.crc32(value.encode()):08x}"), []
    if isinstance(value, Mapping):
        parts = [(str(key), *_walk(value[key])) for key in sorted(value, key=str)]
        text = ",".join(f"{key}:{structure}" for key, structure, _ in parts)
        return f"{{{text}}}", [leaf for *_, leaves in parts for leaf in leaves]
    numbers = isinstance(value, list) and all(isinstance(item, (int, float)) for item in value) and value
    if isinstance(value, (list, tuple)) and not numbers:
        parts = [_walk(item) for item in value]
        left, right = "[]" if isinstance(value, list) else "()"
        return left + ",".join(text for text, _ in parts) + right, [leaf for _, leaves in parts for leaf in leaves]
    try:
        array = np.asarray(value)
    except Exception:  # what a student returns may refuse in its own way: a tensor in a graph raises RuntimeError
        return type(value).__name__, []
    if array.dtype.kind in "OSU":
        return _walk(array.tolist()) if array.ndim else (type(value).__name__, [])
    if array.dtype.kind not in "fiubc":
        return array.dtype.name, []
    usual = np.isfinite(array)
    odd = (
        ""
        if usual.all()
        else "".join(
            f" {int(np.sum(found))}{name}"
            for name, found in (("nan", np.isnan(array)), ("inf", np.isinf(array)))
            if np.any(found)
        )
    )
    kind = "i" if array.dtype.kind == "u" else array.dtype.kind
    flat = array.ravel().astype(complex if kind == "c" else float)
    finite = np.where(usual.ravel(), flat, 0.0) if odd else flat
    leaves = [finite.real, finite.imag] if kind == "c" else [finite]
    return f"{kind}{'x'.join(map(str, array.shape))}{odd}", leaves


def _project(leaf: np.ndarray) -> list[float]:
    """Norm and two projections, in numbers of ten digits."""
    scale = float(np.max(np.abs(leaf), initial=0.0))
    if scale == 0:
        return [0.0, 0.0, 0.0]
    unit = leaf / scale
    # Those of small arrays are asked for again and again.
    weights = _weights if unit.size <= 1000 else _weights.__wrapped__
    numbers = [np.sqrt(unit @ unit), *(unit @ weights(unit.size, salt) for salt in (1, 2))]
    return [float(f"{float(number) * scale:.9e}") for number in numbers]


@functools.lru_cache(512)
def _weights(size: int, salt: int) -> np.ndarray:
    """Pseudo-random numbers in [-1, 1): SplitMix64's mixing of the index (Steele, Lea and Flood 2014)."""
    z = np.arange(1, size + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(salt << 32)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(float) / 2.0**52 - 1.0


# The catalogue ---------------------------------------------------------------------------------------------------


def _family(name: str, *rows: tuple[str, str, str, str, str, str]) -> dict[str, Mistake]:
    """Rows of: id, chapter, sentence, then the three hints: where to look, what kind of slip, which line."""
    return {key: Mistake(key, sentence, tuple(hints), link, name) for key, link, sentence, *hints in rows}


_CHAIN_RULE = _family(
    "Chain rule",
    (
        "missing-activation-derivative",
        "scalar_chain_rule",
        "The activation has a slope too: multiply the upstream gradient by it on the way back.",
        "Look where the backward pass goes through an activation, from its output to its input.",
        "One factor of the product is missing: each step of the forward pass gives one local slope.",
        "Change the line that sets the gradient of the activation's input: it copies the upstream gradient.",
    ),
    (
        "derivative-at-output",
        "activations_and_losses",
        "Take the activation's slope at its input: you take it at its output.",
        "Look at what goes into the derivative of the activation.",
        "The formula is right and its argument is not: the activation is applied once more than it should be.",
        "In the line with the slope, check which form you use: one is written in the input, the other in the output.",
    ),
    (
        "tanh-of-preactivation",
        "activations_and_losses",
        "The slopes 1 − a² of tanh and a(1 − a) of the sigmoid are written in the output a: put in that, not z.",
        "Look at what goes into the short formula for the slope.",
        "The short formula is right, but it is fed the value from before the activation.",
        "Change the array in that formula; the forward pass has kept the one you need.",
    ),
    (
        "activation-for-derivative",
        "activations_and_losses",
        "A function's value stands where its slope belongs: how high the curve is, and not how steep.",
        "Look at the function whose slope is asked for, such as an activation, and at what you make of it.",
        "The function itself is used where its derivative belongs.",
        "Change that factor: where the curve is nearly flat it must be close to 0.",
    ),
    (
        "slope-of-another-activation",
        "activations_and_losses",
        "This is the slope of another function: take the slope of the one that the forward pass has in this place.",
        "Hold the line that goes back through the activation against its line of the forward pass.",
        "The gradient does pass through a slope, but the forward pass did not go through that function here.",
        "Change the slope in that line; a layer that ends with its sum has no activation, and its slope is 1.",
    ),
    (
        "relu-mask-from-gradient",
        "activations_and_losses",
        "ReLU's gate was set in the forward pass: close it where its input was negative, not where the gradient is.",
        "Look at the condition that decides which entries of the gradient pass through ReLU.",
        "The condition tests the wrong array: a negative gradient is as welcome as a positive one.",
        "Change the array that is compared with 0 in the line that makes the mask.",
    ),
    (
        "relu-mask-after-relu",
        "activations_and_losses",
        "ReLU's output is never negative, so a mask with >= 0 never closes: ask where the input is positive.",
        "Look at the condition that decides which entries of the gradient pass through ReLU.",
        "The mask is true everywhere: count its False entries and you find none.",
        "Change the comparison in the line that makes the mask: which array it tests, or whether 0 counts as open.",
    ),
    (
        "upstream-forgotten",
        "scalar_chain_rule",
        "This is how the next result moves: multiply by the upstream gradient, how the loss moves with that result.",
        "Look at what each line receives from the step after it, and whether it uses it.",
        "The chain is cut: everything between this value and the loss is missing from the product.",
        "Change the line of the first wrong gradient: its right side must use the gradient of the value it flows into.",
    ),
    (
        "local-slope-forgotten",
        "blame_seasoning_and_clues",
        "The chain stops one step early: multiply by the slope of this line too.",
        "Look at the last step of the way back, from a result to the number that went into it.",
        "This is how the loss moves with the result of a line, and not yet with what went into the line.",
        "Multiply by one factor more: how far the result moves when the number you ask about moves by one.",
    ),
    (
        "derivative-twice",
        "activations_and_losses",
        "The slope of the activation is in there twice: the gradient of the fused loss holds it already.",
        "Look at the output end, where the loss and the last activation meet.",
        "One factor too many: the short formula for loss and activation together has used the slope up.",
        "Change the line after that formula: it multiplies by a slope that has been counted.",
    ),
    (
        "paths-multiplied",
        "scalar_chain_rule#two-paths-add",
        "Multiply along a path, add over the paths: you multiply the paths with each other.",
        "Look at a value that is used in two places of the forward pass.",
        "Each path gives a share of the gradient, and the shares are joined by the wrong operation.",
        "Change the line that joins the shares of the paths.",
    ),
    (
        "one-path-only",
        "scalar_chain_rule#two-paths-add",
        "This value reaches the loss by more than one path: add the gradient of every path.",
        "Count how often each value appears on the right side of a line of the forward pass.",
        "A share is missing: a value used twice receives a gradient from each of its uses.",
        "Change the line of the value that is used more than once: it needs one term for each use.",
    ),
    (
        "stale-cache",
        "scalar_chain_rule",
        "The gradient belongs to an earlier input: use the values of the forward pass of this call.",
        "Look at where the backward pass gets the values it multiplies with.",
        "The formulas are right, the numbers are old: they were saved at another point and not renewed.",
        "Change the line that fetches the saved values, or run the forward pass before it.",
    ),
)

_LINEAR_ALGEBRA = _family(
    "Linear algebra",
    (
        "weight-not-transposed",
        "matrices_and_shapes",
        "Going back through X @ W the gradient meets the transpose: multiply by W.T.",
        "Look at the line that sends the gradient from a layer's output to its input.",
        "The matrix is used in its forward direction; in a square layer the shapes cannot tell you.",
        "Write out one entry of the gradient of X as a sum, and see which index of W the sum runs over.",
    ),
    (
        "gradient-transposed",
        "matrices_and_shapes",
        "This is the transpose of the gradient: the gradient of an array has the shape of that array, entry for entry.",
        "Look at the product that gives this gradient.",
        "All the numbers are there, with rows and columns exchanged.",
        "In that product, check the order of the two factors and which of them is transposed.",
    ),
    (
        "dot-for-elementwise",
        "matrices_and_shapes",
        "What works entry by entry forward, as an activation does, does so on the way back: use *, not @.",
        "Look at the line that multiplies the upstream gradient by the local slope.",
        "A matrix product stands where each entry should meet only its own slope.",
        "Change the operator in that line; both factors have the same shape.",
    ),
    (
        "elementwise-for-dot",
        "matrices_and_shapes",
        "A weight touches every example, so its gradient is a sum of products: use @, not *.",
        "Look at the line that goes back through the matrix product.",
        "Entries are multiplied in pairs, and the sum over the index they share is missing.",
        "Change the operator in that line, then see which factor must be transposed for the shapes to fit.",
    ),
    (
        "factors-reversed",
        "matrices_and_shapes",
        "The factors of a matrix product are exchanged: A @ B is not B @ A, even where the shapes let both pass.",
        "Write the shape under each factor of the products on the way back, and compare the outer two with the result.",
        "Each factor is right, transposed where it must be, and stands on the wrong side of the other.",
        "Exchange the two sides of @ in that line: each stays on the side that its partner was on going forward.",
    ),
    (
        "wrong-operand",
        "matrices_and_shapes",
        "In a product, the gradient of one factor is made with the other factor: you take the wrong one.",
        "Look at which value of the forward pass each product on the way back uses.",
        "The operation is right and one of its operands is another value that happens to fit.",
        "For the first wrong gradient, find its forward line: what stood beside it in the product?",
    ),
    (
        "updated-weights-used",
        "network_by_hand",
        "The backward pass needs the weights of the forward pass: you have changed them before using them.",
        "Look at where the update stands among the lines of the backward pass.",
        "The later layer is right and the earlier one is a little off: it was computed with weights already stepped.",
        "Move the update below the last line that still needs the old weights.",
    ),
    (
        "parameters-swapped",
        "blame_seasoning_and_clues",
        "These are the right numbers under each other's names: exchange them.",
        "Look at the line that returns them, and at the order of the names in it.",
        "The numbers are right; two of them are in each other's place.",
        "Change the return line, or the line that unpacks what it gives.",
    ),
)

_BATCH_AND_BIAS = _family(
    "Batch and bias",
    (
        "missing-batch-mean",
        "activations_and_losses",
        "The loss is a mean over the batch: divide by the number of examples, once, at the loss.",
        "Look at the first gradient of the backward pass, that of the network's output.",
        "Every gradient is too large by the same factor, the size of the batch.",
        "Change the line that starts the backward pass; the lines after it pass the factor on.",
    ),
    (
        "extra-batch-mean",
        "network_by_hand",
        "The division by the number of examples is done twice: leave it in the loss only.",
        "Look for every division by the batch size and every mean in the backward pass.",
        "The gradient that comes from the loss is a mean already, and it is averaged again further down.",
        "Keep the division in the line that starts the backward pass and drop the later one.",
    ),
    (
        "bias-averaged",
        "matrices_and_shapes",
        "What is copied to every row, as a bias is, is added up and not averaged: the mean is in the loss.",
        "Look at the line that goes back from all rows to one, as that of a bias does.",
        "This gradient is too small by the number of copies: for a bias, the number of examples.",
        "Change the reduction in that line.",
    ),
    (
        "bias-not-summed",
        "matrices_and_shapes",
        "The bias is used by every row: sum over the batch.",
        "Look at the line of the bias gradient, and compare its shape with the shape of the bias.",
        "There is still one row for each example: broadcasting copied the bias, and copies add on the way back.",
        "In that line, reduce the axis that the forward pass had filled by broadcasting.",
    ),
    (
        "wrong-axis",
        "matrices_and_shapes",
        "A reduction runs over the wrong axis: before you choose, say what each axis counts (rows: examples).",
        "Look at the axis of each sum in the backward pass.",
        "The right numbers are added up along the wrong direction; where both lengths agree the shape hides it.",
        "Change the axis in that sum: an example is a row, so which axis counts the rows?",
    ),
    (
        "keepdims-left",
        "matrices_and_shapes",
        "The numbers are right and an axis of length 1 is left over or missing: return exactly the array's shape.",
        "Compare the shape of what you return with the shape of the array that it is the gradient of.",
        "A sum, or a slice, has kept an axis of length 1 that should go, or dropped one that should stay.",
        "Change the options of the sum, or reshape its result to the array's shape.",
    ),
    (
        "last-example-only",
        "matrices_and_shapes",
        "Only the last example counts: add up the contributions of all of them.",
        "Look at the loop over the examples.",
        "Each turn of the loop replaces what the turn before it had found.",
        "Change the assignment inside the loop, and where the gradient gets its first value.",
    ),
    (
        "summed-over-units",
        "matrices_and_shapes",
        "Too much is added up: each unit keeps a number of its own; for a bias, sum over the examples only.",
        "Look at every sum, such as the one that gives the bias gradient, and at what it runs over.",
        "The sum runs over everything, so that all units receive one and the same number.",
        "Give that sum an axis, or leave it out where each entry has a slope of its own.",
    ),
    (
        "broadcast-not-summed",
        "matrices_and_shapes",
        "Broadcasting copied this array: sum the gradient over the axes that were copied, back to its shape.",
        "Compare the shape of the gradient with the shape of the array it belongs to.",
        "Every copy sends a gradient back, and the copies have not been added up.",
        "After the local gradient, reduce the axes that were added in front and those that had length 1.",
    ),
    (
        "padding-counted",
        "four_uses#an-average-over-what-is-there",
        "What fills up a short row is no data: it gets no gradient, and the mean does not count it.",
        "Look at how many frames, words or ratings are really there, and at what you divide by.",
        "Places that hold nothing take part: in the number that the mean divides by, or with a gradient of their own.",
        "Make a mask of what is there, set the gradient of the rest to 0, and divide by the sum of the mask.",
    ),
    (
        "class-zero-left-out",
        "four_uses",
        "Class 0 is a class like any other: leave out only what is marked as filled up.",
        "Look at the comparison that says which entries count.",
        "The number that marks a gap and the number of the first class are taken for the same.",
        "Change the line with that comparison, and see whether it lets 0 through.",
    ),
    (
        "missing-as-zero",
        "four_uses#back-through-a-product-of-two-tables",
        "A value that is missing is no 0: leave it out of the sum.",
        "Look at what becomes of the places where there is no value.",
        "The missing ones pull towards 0, as if somebody had given it.",
        "Set the error to 0 where there is no value, and not the value itself.",
    ),
    (
        "mean-of-means",
        "four_uses#an-average-over-what-is-there",
        "A mean of means gives an entry of a short row more weight: add all up, and divide once by how many there are.",
        "Look at how often you divide, and by what.",
        "Each row is averaged by itself, and then the rows are; where they differ in length, that is another number.",
        "Divide once, by the number of all that is there in the whole batch.",
    ),
    (
        "averaged-over-units",
        "activations_and_losses",
        "The loss is a mean over the examples only: divide by N, the number of rows, and not by the number of entries.",
        "Look at every mean, and at what each of them divides by.",
        "All is too small by the same factor, the number of columns: a mean without an axis counts every entry.",
        "Change that mean to a sum, and divide by the number of rows.",
    ),
    (
        "keepdims-dropped",
        "activations_and_losses",
        "A reduction over a row has lost its axis, so it meets the columns instead: keep the axis, or put it back.",
        "Print the shape of each reduced array just before it meets the full one.",
        "A row stands where a column is needed; in a square array broadcasting accepts it without a word.",
        "Keep the axis by an option of the reduction, or put one of length 1 in its place before the two arrays meet.",
    ),
)

_LOSS = _family(
    "Loss",
    (
        "sign",
        "blame_seasoning_and_clues",
        "A sign is turned round: the right gradient points to where the loss grows.",
        "Look at the first difference or minus sign of the backward pass, mostly at the loss.",
        "A difference is the wrong way round, or a minus is lost: what should pull one way pulls the other.",
        "Nudge one parameter up, see whether the loss goes up, and change the line whose sign disagrees.",
    ),
    (
        "target-forgotten",
        "activations_and_losses",
        "The target is missing from the gradient of the loss: it measures the prediction, not the error.",
        "Look at the gradient of the loss with respect to the prediction.",
        "A perfect prediction must give a gradient of 0, and here it does not.",
        "Change the line that starts the backward pass: prediction and target must both be in it.",
    ),
    (
        "softmax-diagonal-only",
        "activations_and_losses",
        "Softmax ties all the entries of a row together: add the terms off the diagonal of its Jacobian.",
        "Look at the backward pass of softmax.",
        "Each output is treated as if only its own logit moved it; but when one goes up, the others go down.",
        "Change the line with p(1 − p): something that is summed over the row is missing from it.",
    ),
    (
        "row-mean-unweighted",
        "activations_and_losses#the-way-back-needs-no-table",
        "What is taken off a row is its mean weighted with the probabilities: here every entry counts alike.",
        "Look at the sum over the row in the backward pass of softmax.",
        "One factor is missing inside the sum: a likely class moves the others more than an unlikely one.",
        "Change the line of that sum: each upstream entry is multiplied by its probability before it is added up.",
    ),
    (
        "logits-for-probabilities",
        "activations_and_losses#softmax-and-cross-entropy-cancel",
        "The target is taken from the logits, or from logarithms: take it from the probabilities.",
        "Look at what stands before the minus sign in the first line of the backward pass.",
        "Its entries should lie between 0 and 1, and for softmax each row should add up to 1.",
        "Put what softmax, or the sigmoid, makes of the logits into that line.",
    ),
    (
        "factor-two",
        "blame_seasoning_and_clues",
        "The gradient is off by a factor of two: the slope of a square has a 2, which only a ½ in front takes away.",
        "Look at the derivative of the square.",
        "A 2 from the square is lost, or it is kept although a ½ stands in front that cancels it.",
        "Change the constant in the line that goes back through the square.",
    ),
    (
        "labels-misaligned",
        "activations_and_losses",
        "The labels meet the wrong places: label i belongs to row i, and class k to column k.",
        "Look at how the labels are turned into ones and zeros, or used as indices.",
        "The probabilities are right, and the 1 is subtracted from the wrong entry.",
        "Change the indexing in the line that subtracts the 1: rows first, columns second, classes from 0.",
    ),
    (
        "softmax-wrong-axis",
        "activations_and_losses",
        "Softmax runs along the classes of one example: the sum in it goes over the wrong axis.",
        "Add up the probabilities of one example: they must give 1.",
        "The examples of the batch compete with each other, where the classes should.",
        "Change the axis of the maximum and of the sum in the line that computes the probabilities.",
    ),
    (
        "unstable-exp-log",
        "activations_and_losses",
        "exp overflows or log meets 0 for large logits: rewrite the formula so that neither can happen.",
        "Try it with logits of 1000 and of −1000, and see which expression is the first to be inf or nan.",
        "The algebra is right and the floating-point numbers are not: exp(1000) is larger than any of them.",
        "In that line, shift the logits by their maximum, or split by their sign, so that no exponent is positive.",
    ),
    (
        "column-against-row",
        "activations_and_losses",
        "A shape (N,) meets a shape (N, 1), which makes an N × N table: give both the same shape first.",
        "Print the shapes of the prediction and of the target just before they are subtracted.",
        "Broadcasting pairs every prediction with every target, and no error is raised.",
        "Reshape one of the two before the line of the difference.",
    ),
)

_REGULARISER = _family(
    "Regulariser",
    (
        "penalty-missing",
        "network_by_hand",
        "The penalty is missing: it is a term of the loss, and its gradient is a term of each weight gradient.",
        "Look at everything that is added up in the loss; on the way back, look at the weight gradients.",
        "One term of the loss is left out, or it has no gradient.",
        "Change the line of the loss, or that of each weight gradient: it needs one term more.",
    ),
    (
        "penalty-factor-two",
        "network_by_hand",
        "The penalty, or its gradient, is off by a factor of two: mind the 2 of the square and the ½ before it.",
        "Look at the term that comes from the penalty, in the loss or in the weight gradient.",
        "The data part is right, the constant of the penalty is not.",
        "Compare the constant in that term with the one before the squares in the loss as it is given.",
    ),
    (
        "penalty-divided-by-batch",
        "network_by_hand",
        "The penalty is not a mean over the batch: keep it out of the division by the number of examples.",
        "Look at where the division by the batch size stands, and where the penalty is added.",
        "The penalty's term has become smaller by the size of the batch.",
        "Add the penalty's term after the division, not before it.",
    ),
    (
        "penalty-on-bias",
        "network_by_hand",
        "The penalty holds the weights only: leave the biases out of it.",
        "Look at which parameters are squared in the loss as it is given, and which are penalised here.",
        "The biases are penalised here, and in that loss they are not.",
        "Take the biases out of the penalty, or its term out of the line of the bias gradient.",
    ),
)

_AUTOGRAD = _family(
    "Autograd engine",
    (
        "overwrite-for-accumulate",
        "computational_graphs",
        "A value that is used twice receives two gradients: add to what is there, do not replace it.",
        "Look at the line that hands a gradient to the parents of a node.",
        "At a fork the last path to arrive wipes out the ones before it; without forks nothing is wrong.",
        "Change the assignment in that line.",
    ),
    (
        "no-topological-order",
        "computational_graphs",
        "A name has its turn too early: forward it comes after all that it uses, backward after all that use it.",
        "Look at the order in which your code goes through the lines, or through the names of a graph.",
        "Forward a value needs all that it uses, backward a gradient needs a share from every use: one is missing.",
        "Change what decides whose turn it is; a backward pass takes the forward order in reverse.",
    ),
    (
        "node-visited-twice",
        "computational_graphs",
        "A node has its turn more than once: place it, or let it hand on its gradient, exactly once.",
        "Look at how the walk through the graph notices that it has been somewhere before.",
        "A node that is reached by two paths is handled twice, and what it gives is counted twice.",
        "Change the walk: remember what has been visited, and test it before going on.",
    ),
    (
        "seed-not-one",
        "computational_graphs",
        "The backward pass starts from dL/dL = 1: every gradient carries the factor you start with.",
        "Look at the gradient that the output itself is given.",
        "All the gradients are off by one common factor, and that is the number at the start.",
        "Change the line that sets the gradient of the output before the walk begins.",
    ),
    (
        "not-zeroed",
        "tiny_autograd",
        "Gradients of an earlier call are still in there: start each backward pass from zero.",
        "Call it twice at the same point and compare: the second answer is larger.",
        "Adding up is right within one backward pass and wrong from one pass to the next.",
        "Set the gradients to zero in the place where a new pass begins.",
    ),
    (
        "recursion-too-deep",
        "tiny_autograd#in-which-order",
        "A function that calls itself once per node stops at about 1,000 nodes: keep the nodes to come in a list.",
        "Count how many calls are open at once when the graph is one long chain.",
        "Each node of the chain waits inside the call of the one after it, and Python allows about 1,000 of these.",
        "Walk with a loop over a list of nodes still to be looked at, and append to it what you find.",
    ),
    (
        "state-not-restored",
        "tiny_autograd#computing-without-a-record",
        "A switch that a block turns must afterwards stand as before: also after an error, also inside another block.",
        "Try it inside itself, and with an exception thrown in the middle, and look at the switch afterwards.",
        "The switch is turned to a fixed position at the end, or only if all goes well.",
        "Note the position on the way in, and put that back on the way out, whatever happened in between.",
    ),
    (
        "saved-value-overwritten",
        "tiny_autograd",
        "A value saved for the backward pass was changed before it was used: save a copy, or do not write in place.",
        "Look for +=, out= and slices on the left of = among the arrays of the forward pass.",
        "The formula reads the right name and finds newer numbers under it.",
        "Change the line that writes into the saved array, or the line that saves it.",
    ),
    (
        "gradient-on-constant",
        "tiny_autograd",
        "A constant takes no gradient: give gradients only to what asks for them.",
        "Look at which of the inputs were marked as needing a gradient.",
        "The walk hands gradients to data and targets as if they were parameters.",
        "Add the test for needing a gradient to the line that hands it on.",
    ),
    (
        "forward-backward-disagree",
        "computational_graphs",
        "The backward pass is right for another function than the forward pass computes: make the two agree.",
        "Read the forward and the backward line of this operation side by side.",
        "Each is right by itself, but a constant, an axis or an option differs between them.",
        "Differentiate the forward line as it stands, and compare it with the backward line piece by piece.",
    ),
)

_TRAINING = _family(
    "Training",
    (
        "activation-on-logits",
        "numpy_network#a-network-of-layers",
        "The last layer has no activation: softmax takes its sums as they are, negative ones too.",
        "Look at what the last turn of the loop over the layers does.",
        "Every layer is treated alike, and the last one is not like the others.",
        "Let the activation be skipped in the last layer, forward and on the way back.",
    ),
    (
        "initial-scale",
        "numpy_network#where-to-begin",
        "The spread of fresh weights is off: He takes the square root of 2 over the number of inputs of the layer.",
        "Look at the factor that the random numbers are multiplied by.",
        "The numbers are random enough, and too large or too small by one factor for each layer.",
        "In that factor check three things: the square root, the 2, and which side of the matrix is counted.",
    ),
    (
        "initial-symmetry",
        "numpy_network#where-to-begin",
        "Units that begin alike get the same gradient and stay alike for ever: draw their weights at random.",
        "Compare two columns of a fresh weight matrix.",
        "All the units of a layer are copies of one, so the layer is as good as one unit.",
        "Change the line that fills the weights: each entry is a random number of its own.",
    ),
    (
        "seed-ignored",
        "numpy_network#where-to-begin",
        "The same seed must give the same numbers, and another seed others: make the generator from the seed.",
        "Look at where the random generator is made, and from what.",
        "The seed that is handed in decides nothing, or not everything.",
        "Make one generator from the seed inside the function, and draw everything random from it.",
    ),
    (
        "seed-reused",
        "numpy_network#where-to-begin",
        "The generator starts again for every layer, so that layers share their numbers: make it once.",
        "Look at the line that makes the generator: inside the loop or before it?",
        "Two layers of one shape come out equal, or multiples of each other.",
        "Move that line in front of the loop, and let the layers draw from it one after the other.",
    ),
    (
        "step-uphill",
        "numpy_network#from-a-gradient-to-an-update",
        "The step goes with the gradient, to where the loss grows: subtract it.",
        "Look at the sign in the line that changes the weights.",
        "Size and direction of the step are right but for one turn about.",
        "Change the plus of that line to a minus.",
    ),
    (
        "update-returned",
        "numpy_network#from-a-gradient-to-an-update",
        "This is the change and not the changed weights: the step starts from where the weights are.",
        "Look at what is returned: is it as large as weights are, or as a step?",
        "The old weights are missing from the result.",
        "Add the step to the old weights in the line that returns it.",
    ),
    (
        "learning-rate-missing",
        "numpy_network#from-a-gradient-to-an-update",
        "The learning rate is missing, or is in there more than once: each step has it as a factor, once.",
        "Look for lr in the lines of the step: how often does it get into the new weights?",
        "The direction of the step is right and its length is not.",
        "Let lr stand once, in the line that changes the weights, and leave it out of what is kept for the next step.",
    ),
    (
        "momentum-forgotten",
        "numpy_network#from-a-gradient-to-an-update",
        "Nothing is carried over from the steps before: what is kept is part of the new step, and is kept again.",
        "Make two steps: what does the second one know of the first?",
        "The first step is right, and the second is made as if it were the first.",
        "Look at the line that makes the new running sum: the old one belongs in it, and the new one is returned.",
    ),
    (
        "momentum-averaged",
        "numpy_network#from-a-gradient-to-an-update",
        "Momentum adds the whole gradient to what is left of the running sum; only Adam weighs it with 1 − beta.",
        "Look at the factor in front of the new gradient.",
        "An average in the place of a sum: every step is shorter, by the same factor in the end.",
        "Take the factor away that the new gradient is multiplied by.",
    ),
    (
        "momentum-late",
        "numpy_network#from-a-gradient-to-an-update",
        "The weights move by the running sum of the step before: first renew the sum, then step with it.",
        "Look at the order of the two lines of the step.",
        "This step's gradient is kept, and is used only in the next step.",
        "Exchange the two lines, or use the name of the new sum in the second.",
    ),
    (
        "look-ahead",
        "numpy_network#from-a-gradient-to-an-update",
        "This is Nesterov's momentum, which looks one step ahead: the plain one moves by the running sum itself.",
        "Look at what the weights move by.",
        "The gradient is counted once more than plain momentum counts it.",
        "Let the step be lr times the new running sum and nothing else.",
    ),
    (
        "bias-correction-missing",
        "numpy_network#from-a-gradient-to-an-update",
        "Both running averages begin at zero and are too small at first: divide each by 1 − beta to the power t.",
        "Compute the first step by hand: how large is the average of a single gradient?",
        "In the long run it is right, and in the first steps it is not.",
        "Before the averages are used in the step, correct both of them for the zeros that they began with.",
    ),
    (
        "bias-correction-power",
        "numpy_network#from-a-gradient-to-an-update",
        "The correction has the wrong power: it is 1 − beta ** t, with t = 1 in the first step.",
        "Put t = 1 and then t = 2 into your correction, with beta = 0.9.",
        "There is a correction, but it does not go with the number of the step as it must.",
        "Change the exponent, or the product that stands where a power belongs.",
    ),
    (
        "bias-correction-kept",
        "numpy_network#from-a-gradient-to-an-update",
        "The corrected average is kept and is corrected again in the next step: keep the one without correction.",
        "Look at which m and v are returned.",
        "The first step is right, and from the second on the averages are too large.",
        "Give the corrected averages names of their own, and return those without correction.",
    ),
    (
        "second-moment-wrong",
        "numpy_network#from-a-gradient-to-an-update",
        "Adam divides by the root of the average square: the square, the root and eps each in their place.",
        "Look at what v collects, and at what the step is divided by.",
        "The step must not depend on the unit of the loss: multiply the gradient by ten and see what changes.",
        "Squares go into v, and the step divides by the root of the corrected v with eps added outside the root.",
    ),
    (
        "betas-swapped",
        "numpy_network#from-a-gradient-to-an-update",
        "The two betas are exchanged: beta1 belongs to the average gradient, beta2 to the average square.",
        "Look at which beta stands in the line of m, and which in the line of v.",
        "Each running average forgets at the speed of the other.",
        "Exchange the two names in both lines, and in both corrections.",
    ),
    (
        "batches-not-shuffled",
        "numpy_network#one-batch-after-another",
        "The batches come in the order of the data, one class after the other: draw a new order for every epoch.",
        "Look at how the rows of a batch are chosen.",
        "All rows of a batch are alike, so that each step unlearns what the one before has learnt.",
        "At the start of each epoch draw a permutation, and cut the batches from it.",
    ),
    (
        "update-not-kept",
        "numpy_network#one-batch-after-another",
        "The weights never change: the result of the step has to go back into the parameters.",
        "Compare the parameters before and after one step.",
        "The step is computed, and its result is given to a name that nobody reads.",
        "Assign the result of the step to the entry of the dict that the next step will read.",
    ),
    (
        "too-few-steps",
        "numpy_network#one-batch-after-another",
        "Training has stopped long before the training examples are learnt: make more steps, or larger ones.",
        "Look at the loss on the training examples after each epoch: is it still falling?",
        "Nothing is wrong with the direction of the steps; together they are too short a way.",
        "Raise the number of epochs, the learning rate, or the number of batches in an epoch.",
    ),
    (
        "learning-rate-too-large",
        "numpy_network#from-a-gradient-to-an-update",
        "The steps are so large that the loss grows, or that units die: take a smaller learning rate.",
        "Print the loss of the first ten batches.",
        "Each step leaps over the valley and lands higher up on the other side.",
        "Divide the learning rate by ten until the loss falls from the start.",
    ),
    (
        "chance-loss",
        "numpy_network#two-checks-before-any-training",
        "At chance each of C classes has probability 1/C, so the mean loss is the natural logarithm of C.",
        "Compute by hand what one example costs when all classes are equally probable.",
        "The loss is compared with a number that is not what guessing costs.",
        "Change the number that the loss is compared with, or the loss that is compared.",
    ),
    (
        "check-one-sided",
        "numpy_network#two-checks-before-any-training",
        "A loss may be wrong on either side: compare the size of the difference, not only whether it is too large.",
        "Try the check with a loss that is half of what it should be.",
        "One direction is tested and the other is let through.",
        "Take the absolute value of the difference in the comparison.",
    ),
    (
        "check-too-loose",
        "numpy_network#two-checks-before-any-training",
        "The check lets too much through: what is being checked must agree closely, or every time.",
        "Look at the number that decides between right and wrong.",
        "Right cases pass, and so do cases that are only roughly right.",
        "Tighten the comparison until the mildest mistake you can think of is refused.",
    ),
    (
        "one-class-sample",
        "numpy_network#two-checks-before-any-training",
        "The sample may be of one class, and then a constant answer passes: choose rows of all classes.",
        "Print the labels of the sample you take.",
        "The first rows of sorted data are all alike.",
        "Draw the rows at random, or some from each class, and not from the top.",
    ),
    (
        "sample-too-large",
        "numpy_network#two-checks-before-any-training",
        "A healthy network may fail to learn a large set by heart: the check takes a few examples only.",
        "Look at how many rows the training gets.",
        "The question is whether the machinery works, and not whether the problem is easy.",
        "Cut the data down to a small sample before training on it.",
    ),
    (
        "loop-left",
        "numpy_network#loops-that-python-should-not-run",
        "A loop over single numbers is left in Python: let NumPy run it, by broadcasting or by a matrix product.",
        "Look for the word for, and count how often the line inside it runs.",
        "The numbers are right, and each of them costs a round of the interpreter.",
        "Give each array an axis for each index, of length 1 where it lacks one, and sum over what is left.",
    ),
    (
        "cross-term",
        "numpy_network#loops-that-python-should-not-run",
        "Multiplied out, (a − b)² is a² − 2ab + b²: the term in the middle has another factor or sign here.",
        "Compute the distance of a row to itself: it must be 0.",
        "The squares are right, and the product between them is not.",
        "Multiply (a − b)(a − b) out on paper, and compare the three terms with your line.",
    ),
)

_DEPTH = _family(
    "When training fails",
    (
        "norm-not-rooted",
        "when_training_fails#a-product-of-jacobians",
        "This is the square of a norm: take the root of the sum of squares.",
        "Look at what is done with the sum of the squares before it is used.",
        "Double all gradients: a norm doubles with them, and yours becomes four times as large.",
        "Add the square root around the sum.",
    ),
    (
        "norm-of-another-kind",
        "when_training_fails#a-product-of-jacobians",
        "This is a size of the array, but not its Euclidean norm: the root of the sum of all entries squared.",
        "Look at which norm is computed, and over how many of the entries.",
        "The largest entry, a mean, or the largest stretch are other norms, and give other numbers.",
        "Square every entry, add all of them, and take the root, in that line and no other.",
    ),
    (
        "norm-of-another-array",
        "when_training_fails#a-product-of-jacobians",
        "This is the norm of another array: it is the gradient of the weights that is asked for.",
        "Look at which array goes into the norm.",
        "Each layer has several gradients: at its sum, of its weights, of its biases, of what entered it.",
        "Change the name inside the norm to the gradient of the weights.",
    ),
    (
        "steps-miscounted",
        "when_training_fails#a-product-of-jacobians",
        "Between M layers there are M − 1 steps: the factor per step is the root of that degree.",
        "Count the steps from the last layer to the first, for two layers and for three.",
        "The factor is spread over one step too many, over none, or raised to a power instead.",
        "Change the degree of the root, and nothing else.",
    ),
    (
        "ratios-averaged",
        "when_training_fails#a-product-of-jacobians",
        "Factors multiply, so their mean is a root of their product, and not their sum divided by their number.",
        "Multiply your factor by itself, once for each step: does it take the last norm to the first?",
        "The mean of the ratios is pulled up by the largest of them.",
        "Take a root of the product of the ratios, which is a root of the first norm over the last.",
    ),
    (
        "direction-reversed",
        "when_training_fails#a-product-of-jacobians",
        "The gradient travels from the last layer to the first: the factor is that of the way back.",
        "Look at which norm is divided by which.",
        "This is the factor from the first layer to the last, the inverse of what is asked for.",
        "Exchange numerator and denominator.",
    ),
    (
        "variance-for-deviation",
        "when_training_fails#how-large-should-the-first-weights-be",
        "The rule gives a variance, and a generator wants its root: the standard deviation.",
        "Look at the factor, or the scale, that the random numbers are drawn with.",
        "The weights are far too small: a root is missing, or it ends too early.",
        "Take the square root of the whole variance before it is used as a scale.",
    ),
    (
        "wrong-fan",
        "when_training_fails#how-large-should-the-first-weights-be",
        "The wrong side of the matrix is counted: He counts the inputs, D; Xavier takes the mean of D and H.",
        "Look at which of the two sizes stands under the fraction.",
        "The sum that a unit makes has as many terms as it has inputs; on the way back, as it has outputs.",
        "Change the number under the fraction.",
    ),
    (
        "gain-missing",
        "when_training_fails#how-large-should-the-first-weights-be",
        "A factor of 2 is missing: He's is for the half that ReLU loses, Xavier's for the mean of two sizes.",
        "Look at the numerator of the variance.",
        "The variance of the weights is half of what it should be.",
        "Change the 1 above the fraction to a 2, or the mean of the two sizes to the one that is asked for.",
    ),
    (
        "limit-for-deviation",
        "when_training_fails#how-large-should-the-first-weights-be",
        "A uniform number between −r and r has variance r²/3, and not r²: limit and deviation differ by √3.",
        "Look at whether the number is used as a limit, or as a standard deviation.",
        "The spread of the weights is off by the square root of 3.",
        "Multiply the deviation by the root of 3 to get the limit, or draw normal numbers instead.",
    ),
    (
        "not-centred",
        "when_training_fails#how-large-should-the-first-weights-be",
        "The weights have to lie around 0, and yours do not: draw as many below it as above.",
        "Compute the mean of a fresh matrix.",
        "Weights of one sign add up instead of cancelling, so that the sums grow with the number of inputs.",
        "Change the lower end of the range, or subtract the middle of it.",
    ),
    (
        "clipped-each-alone",
        "when_training_fails#gradients-that-explode",
        "Each array is clipped by its own norm, which turns the step: all share one factor, from all together.",
        "Look at whether the norm is computed inside the loop over the parameters, or before it.",
        "Large arrays shrink and small ones do not, so that their proportion is lost.",
        "Compute one norm of all arrays together, and multiply every array by the same factor.",
    ),
    (
        "clipped-by-entry",
        "when_training_fails#gradients-that-explode",
        "Each entry is cut at the limit, which turns the step: scale all entries by one factor instead.",
        "Look for a clip, minimum or maximum that is applied to single entries.",
        "Only the large entries shrink, so that the direction changes, and the norm may still be too large.",
        "Replace the cut by a product with one number.",
    ),
    (
        "scaled-without-need",
        "when_training_fails#gradients-that-explode",
        "A gradient shorter than the limit has to stay as it is: yours is stretched to the limit.",
        "Try it with a norm below the limit.",
        "Every step gets the same length, also where the gradient says that the goal is near.",
        "The factor is at most 1: add that condition.",
    ),
    (
        "norms-added",
        "when_training_fails#gradients-that-explode",
        "The norms of the arrays are added: add the squares of all entries, and take one root.",
        "Compute it for two arrays of one entry each, 3 and 4.",
        "The norm of all arrays together is that of one long vector, and here it is as if all were parallel.",
        "Move the root behind the sum over the arrays.",
    ),
    (
        "zero-norm",
        "when_training_fails#gradients-that-explode",
        "Where all gradients are 0 the norm is 0, and dividing by it gives nan: nothing is to be clipped there.",
        "Try it with gradients that are 0.",
        "The factor is computed although the norm is below the limit.",
        "Compute the factor only where the norm exceeds the limit, or take care of 0 by itself.",
    ),
    (
        "limit-forgotten",
        "when_training_fails#gradients-that-explode",
        "What is clipped has norm 1, and it should have the norm of the limit: multiply by the limit as well.",
        "Compute the norm of what you return, for two different limits.",
        "The direction is right, and the length does not depend on the limit.",
        "Put the limit into the numerator of the factor.",
    ),
    (
        "factor-inverted",
        "when_training_fails#gradients-that-explode",
        "The factor is upside down: it is the limit over the norm, so that the norm becomes the limit.",
        "Compute the norm of what you return.",
        "A gradient that is too long gets longer.",
        "Exchange the two numbers of the quotient.",
    ),
    (
        "loss-alone",
        "when_training_fails#what-to-measure",
        "The loss alone can't tell: look at the gradients, the units and the steps, layer by layer.",
        "Compare two runs whose losses are flat and whose causes differ.",
        "Several causes give one and the same curve.",
        "Use the other recordings of the run in the condition.",
    ),
    (
        "symptom-for-cause",
        "when_training_fails#what-to-measure",
        "This names what follows from the cause: ask first for what explains the rest.",
        "Look at the order in which your questions are asked.",
        "Dead or equal units make gradients that are tiny as well, and a step that explodes leaves units dead.",
        "Ask first what the first step shows of explosions, then for units, and for tiny gradients last.",
    ),
    (
        "first-step-only",
        "when_training_fails#what-to-measure",
        "A run may fall ill on the way: look at its last steps, and not only at its first.",
        "Plot what you ask for over all steps.",
        "What happens after the beginning is not seen.",
        "Change the index of the step from the first to the last, or to all of them.",
    ),
    (
        "gradient-vanishes",
        "when_training_fails#a-product-of-jacobians",
        "Hardly any of the gradient reaches the first layers: mend the slopes, or the size of the weights.",
        "Compare the gradient norms of the first and the last layer, at the first step.",
        "Every layer multiplies it by a factor below 1, and there are many layers.",
        "Change the activation and the initial weights together, so that the factor of a layer is about 1.",
    ),
    (
        "gradient-explodes",
        "when_training_fails#gradients-that-explode",
        "The gradient grows from layer to layer on the way back: make the weights, or the step, smaller.",
        "Compare the gradient norms of the last and the first layer, at the first step.",
        "Every layer multiplies it by a factor above 1, and there are many layers.",
        "Change the scale of the initial weights; a skip adds its 1 to the factor of a layer.",
    ),
)

_CHECKING = _family(
    "Gradient checking itself",
    (
        "forward-difference",
        "gradient_checking#one-side-or-both",
        "A one-sided difference has an error of the size of h: step to both sides and halve.",
        "Look at the two points where the function is evaluated.",
        "The slope is that of a chord to one side, so the curvature stays in as an error.",
        "Change the numerator, and then the denominator, so that x lies in the middle.",
    ),
    (
        "step-too-small",
        "gradient_checking#how-small-a-step",
        "The step is so small that rounding eats the difference: take a larger h.",
        "Look at the size of the step, next to the size of x and of the loss.",
        "Two nearly equal numbers are subtracted, and few of their digits survive.",
        "Change h; best for a central difference is about the cube root of the machine precision, in the units of x.",
    ),
    (
        "step-too-large",
        "gradient_checking#how-small-a-step",
        "The step is so large that the curve bends within it: take a smaller h.",
        "Look at the size of the step, next to the size of x.",
        "The difference measures a chord: its error falls with h², and here h is still large.",
        "Change h, and watch how the error falls before it rises again.",
    ),
    (
        "single-precision",
        "gradient_checking#how-small-a-step",
        "float32 keeps 7 digits, too few for a difference: do the check in float64.",
        "Look at the dtype of the parameters, and of everything the loss makes of them.",
        "The formula is right, and half of the digits are gone before the subtraction.",
        "Change the dtype in the place where the arrays are made.",
    ),
    (
        "perturbation-not-undone",
        "gradient_checking#every-entry-in-turn",
        "An entry that was nudged is not put back: restore it before the next one is nudged.",
        "Look at the array after the loop: it must be what it was before.",
        "Each nudge stays in, so that later entries are measured at another point.",
        "Add a line at the end of the loop body, or nudge a copy.",
    ),
    (
        "randomness-between-calls",
        "gradient_checking#questions-before-numbers",
        "Two calls at the same point differ: fix the random numbers, so that it is the same function each time.",
        "Look for anything random in the forward or the backward pass: dropout, shuffling, noise.",
        "A difference between two different functions is not a slope.",
        "Draw the random numbers once before the check, and hand the same ones to every call.",
    ),
    (
        "zero-over-zero",
        "gradient_checking#compared-with-what",
        "Where both gradients are 0 the relative error is 0/0: say what it is to be in that case.",
        "Look at the denominator of the relative error.",
        "A gradient that is exactly 0 is right, and it gives nan here.",
        "Change the denominator, or treat the case that it is 0 by itself.",
    ),
    (
        "ones-upstream",
        "gradient_checking#all-entries-at-once",
        "Ones hide mistakes: check with a random upstream gradient and in a random direction.",
        "Look at what the check chooses: the gradient that the backward pass is given, and the direction of the push.",
        "Ones make a wrong sum, a transpose or a missing factor cancel: they ask one question only.",
        "Change the line that makes the array of ones.",
    ),
    (
        "at-a-kink",
        "computational_graphs#at-a-tie",
        "At a kink there is no single slope: hand back one between the slopes of its two sides, and check beside it.",
        "Look for a place where ReLU, max or abs is at its corner, or within h of it: two equal numbers, or a 0.",
        "A finite difference averages the two slopes there; code that meets a tie may hand back all twice, or nothing.",
        "In a backward pass, change the comparison so that a tie hands on once in all; in a check, change the point.",
    ),
    (
        "one-entry-only",
        "gradient_checking#all-entries-at-once",
        "Too few entries are looked at: a mistake in any other entry passes.",
        "Look at which entries of which parameters are compared.",
        "A gradient may be right in one place and wrong in the next, and each parameter has formulas of its own.",
        "Change the loop to run over all entries, or use random directions, which touch every entry.",
    ),
    (
        "absolute-tolerance",
        "gradient_checking#compared-with-what",
        "A fixed tolerance passes all that is small and refuses what is large: compare with the size of the gradients.",
        "Look at what the difference is compared with.",
        "Where the gradients are 1e-8, a wrong one is within 1e-6 of the right one.",
        "Change the comparison so that scaling the loss does not change its verdict.",
    ),
    (
        "fixed-step",
        "gradient_checking#how-small-a-step",
        "One step for every function and every x: the best one grows with x and shrinks where the curve is wiggly.",
        "Look at what the step depends on.",
        "A step of 6e-6 is far below the rounding of an x of a million, and far beyond a curve as fine as 1e-6.",
        "Measure the step in units of x, or better, of the length over which the slope changes.",
    ),
    (
        "all-nudged-at-once",
        "gradient_checking#every-entry-in-turn",
        "All entries are nudged together, which gives the sum of their slopes: nudge one entry at a time.",
        "Look at what h is added to: the whole array, or one entry of it.",
        "Adding a number to an array adds it to every entry, so all slopes come out as the same number.",
        "Change the line that adds h, so that an index stands on its left side.",
    ),
    (
        "relative-per-entry",
        "gradient_checking#compared-with-what",
        "Each entry is divided by itself, so that rounding in the smallest decides: divide one norm by another.",
        "Look at what stands in the denominator: a number for each entry, or one for the whole array.",
        "An entry of 1e-12 beside others of 1 has no right digits in a finite difference, and needs none.",
        "Change the line that divides: first the norm of the difference, then the norms it is compared with.",
    ),
    (
        "lengths-compared",
        "gradient_checking#compared-with-what",
        "Two arrays can be equally long and point elsewhere: take the norm of their difference.",
        "Look at what is subtracted: two arrays, or two norms.",
        "A gradient with its sign turned or its entries in another order has the same norm.",
        "Move the subtraction inside the norm.",
    ),
    (
        "one-place-only",
        "gradient_checking#kinks",
        "Asked once, code can be right by chance: ask at a second place, and look whether both answers hold.",
        "Count how often the check calls the gradient, and at how many places.",
        "Numbers saved from the first call, or added to them at the second, are right the first time.",
        "Put the comparison into a loop over two places, neither of them at a kink.",
    ),
    (
        "nudge-lost",
        "gradient_checking#every-entry-in-turn",
        "The nudge never reaches f: it is put on a copy of the array, or taken back before f is called.",
        "Print the array that f is called with, before the first call and at it.",
        "One function hands back a view of the same numbers, or a copy of them; and two names may be one array.",
        "Change the line that makes the array to be nudged: make a copy, and call f with that copy.",
    ),
    (
        "another-norm",
        "gradient_checking#compared-with-what",
        "Another quotient: one norm goes over the sum of two, and a norm is the root of the sum of all squares.",
        "Look at what stands below the line, and at how each length is measured.",
        "There are other relative errors, and other norms of a matrix; each puts its limits elsewhere.",
        "Write one function for the norm of an array of any shape, and call it three times.",
    ),
    (
        "lopsided-quotient",
        "gradient_checking#compared-with-what",
        "The gap is divided by the size of one of the two arrays: take both, so that their order does not matter.",
        "Exchange the two arguments, and see whether the result stays the same.",
        "Where one array is much larger than the other, it decides alone, or not at all.",
        "Change the line that makes the divisor: the other array has a size too.",
    ),
    (
        "shape-unchecked",
        "gradient_checking#mistakes-one-makes-here",
        "A gradient of another shape passes, since broadcasting fits it: compare the shapes before you subtract.",
        "Look at what is asked of the gradient before its numbers are used.",
        "A row, a column and a single number are all stretched until they fit, without a word.",
        "Add a line that compares two shapes, before the one that subtracts.",
    ),
    (
        "nan-passes",
        "gradient_checking#mistakes-one-makes-here",
        "A gradient with a nan in it passes, since nan is never greater than a limit: demand that the error be small.",
        "Look at which way round the error is compared with the limit.",
        "Every comparison with nan is false, so what refuses only large errors lets it through.",
        "Turn the comparison around, or look for numbers that are not finite before you subtract.",
    ),
)

_PYTORCH = _family(
    "PyTorch",
    (
        "no-zero-grad",
        "pytorch_example#gradients-are-added",
        "PyTorch adds to .grad: set it to zero before each backward pass.",
        "Look at what happens between two steps of the training loop.",
        "Each step uses the sum of all gradients so far.",
        "Add one call before the backward pass.",
    ),
    (
        "softmax-before-cross-entropy",
        "pytorch_example#softmax-before-cross-entropy",
        "CrossEntropyLoss takes logits and does the softmax itself: give it the scores as they are.",
        "Look at what the last layer returns, and at what the loss expects.",
        "Softmax is applied twice, so that the gradients are flattened and training is slow.",
        "Remove the activation from the last layer, or take the loss that expects probabilities.",
    ),
    (
        "detached",
        "pytorch_example#cutting-and-switching-off",
        "The graph is cut here, so no gradient gets through: keep to tensor operations.",
        "Look for .detach(), .item(), .numpy(), .data and tensors made anew from numbers.",
        "The value goes on and its history does not, so what lies before it receives nothing.",
        "Change the line after which grad_fn is None.",
    ),
    (
        "in-place-on-saved",
        "pytorch_example#overwriting-what-the-way-back-needs",
        "An in-place operation has overwritten a tensor that the backward pass needs: make a new one.",
        "Look for operations that end in an underscore, and for += on tensors.",
        "The graph remembers the tensor, not a copy of its values.",
        "Change that operation to the one that returns a new tensor.",
    ),
    (
        "graph-kept",
        "pytorch_example#holding-on-to-graphs",
        "The graph of every step is kept, and memory grows: keep the number, not the tensor.",
        "Look at what is collected from step to step, such as a running loss.",
        "A tensor that is kept holds on to all that it was computed from.",
        "Change the line that adds the loss to a list or a sum.",
    ),
    (
        "shape-broadcast-in-loss",
        "pytorch_example#it-prints-a-number-that-means-nothing",
        "Prediction and target have different shapes and are broadcast against each other: make the shapes equal.",
        "Print both shapes just before the loss.",
        "A column against a row gives a square table, and the mean is taken over pairs that do not belong together.",
        "Reshape the target, or squeeze the prediction, in the line before the loss.",
    ),
    (
        "eval-or-no-grad-misplaced",
        "pytorch_example#training-mode-and-no-gradients",
        "train(), eval() or no_grad() is in the wrong place: training needs the graph, evaluation needs its own mode.",
        "Look at which lines run under no_grad, and at the mode the model is in at each of them.",
        "They are two switches: one says whether a graph is kept, the other how dropout and batch-norm behave.",
        "Move the switch to where training ends and evaluation begins, and back again.",
    ),
    (
        "zeroed-before-step",
        "pytorch_example#a-short-program",
        "The gradients are set to zero before the step has used them: zero, backward, step, in this order.",
        "Look at what stands between the backward pass and the step.",
        "The step finds nothing in .grad, so no parameter moves.",
        "Move the call that zeroes to before the backward pass, or to after the step.",
    ),
    (
        "gradients-miscounted",
        "pytorch_example#an-operation-of-your-own",
        "A Function's backward returns one gradient for each argument of its forward, in their order: None for labels.",
        "Count the arguments of forward without ctx, and the values that backward returns.",
        "PyTorch pairs them by position, and knows no names.",
        "Change the return line of backward.",
    ),
    (
        "linear-not-transposed",
        "pytorch_example#three-programs-one-network",
        "A Linear layer keeps its weights as (out, in): W goes in transposed, and the gradient comes out transposed.",
        "Print the shape of layer.weight beside the shape of W, for a layer that is not square.",
        "In a square layer the shapes agree and the numbers do not; a reshape mixes up the entries.",
        "Change the line that puts the numbers into the layer: it takes W.T.",
    ),
    (
        "loss-after-step",
        "pytorch_example#a-short-program",
        "This is the loss after the step: keep the one that the gradient was taken of.",
        "Look at how often the model is called, and at which weights it has when the returned loss is computed.",
        "The step has moved the parameters, so a second way forward gives another number, and costs as much again.",
        "Return the number of the loss that backward was called on.",
    ),
    (
        "hook-misplaced",
        "pytorch_example#cutting-and-switching-off",
        "A hook on a tensor changes the gradient that arrives at that tensor: all before it, and no other path.",
        "Look at which tensor the hook is on, and at which paths lead through it.",
        "What the hook returns takes the place of the gradient there; a path around the tensor knows nothing of it.",
        "Multiply that one term by what the hook does, and leave the others as they are.",
    ),
)

_HARDER_LAYERS = _family(
    "Harder layers",
    (
        "batchnorm-mean-constant",
        "harder_layers",
        "The batch mean depends on every input: let the gradient flow back through it as well.",
        "Look at the mean in the forward pass, and for its partner in the backward pass.",
        "The mean is treated as a constant, so one path is missing; the gradient over a batch no longer sums to 0.",
        "Add the term of the path through the mean to the gradient of the input.",
    ),
    (
        "batchnorm-variance-constant",
        "harder_layers",
        "The batch variance depends on every input: let the gradient flow back through it as well.",
        "Look at the variance in the forward pass, and for its partner in the backward pass.",
        "The variance is treated as a constant, so one path is missing; an upstream gradient of ones would hide it.",
        "Add the term of the path through the variance to the gradient of the input.",
    ),
    (
        "conv-kernel-not-flipped",
        "four_uses#back-through-the-window",
        "Forward and backward slide the kernel in opposite directions: one of them needs it flipped.",
        "Look at the index of the kernel in the forward sum, and at its sign.",
        "The numbers are right and stand in reverse order along the kernel's axes.",
        "Change the order in which the kernel's entries are read, or written, in that line.",
    ),
    (
        "conv-stride-ignored",
        "harder_layers",
        "The forward pass moves by the stride: place the backward contributions at the same distances.",
        "Look at which input entries belong to output entry i.",
        "The backward pass moves by 1, as if every position had been visited.",
        "Change the index of the input in the backward line: the stride must be in it.",
    ),
    (
        "attention-scale-missing",
        "harder_layers",
        "The scores were divided by √d on the way forward: the gradient meets the same factor on the way back.",
        "Look at the step from the scores to the queries and keys.",
        "The gradients of queries and keys are off by one factor, while those of the values are right.",
        "Change the line that sets the gradient of the scores.",
    ),
    (
        "attention-softmax-axis",
        "harder_layers",
        "The attention weights of one query sum to 1 over the keys: the softmax runs over the wrong axis.",
        "Add up the attention weights of one query.",
        "The queries compete for a key, where the keys should compete for a query.",
        "Change the axis of the sum in the backward pass of the softmax.",
    ),
    (
        "embedding-overwrites-repeats",
        "four_uses#back-through-a-lookup",
        "A word that occurs twice receives two gradients: add them up, row by row.",
        "Look at the rows of words that occur more than once in the batch.",
        "An indexed assignment, or += with repeated indices, writes each row only once.",
        "Change the line that writes into the rows: it must add for every occurrence.",
    ),
    (
        "dropout-mask-redrawn",
        "harder_layers",
        "The backward pass draws a mask of its own: use the one of the forward pass.",
        "Look at where the mask is drawn, and how many times.",
        "Other units are closed on the way back than were closed on the way forward.",
        "Keep the mask in the forward pass, and read it in the backward line.",
    ),
    (
        "dropout-scale-missing",
        "harder_layers",
        "The units that were kept were scaled up on the way forward: scale their gradient by the same factor.",
        "Look at what the mask is multiplied or divided by in the forward pass.",
        "The right entries are zero, and the others are too small by one factor.",
        "Change the backward line of dropout: it multiplies by the mask alone.",
    ),
    (
        "bptt-last-step-only",
        "harder_layers",
        "The same weights are used at every time step: add up the gradients of all steps.",
        "Look at the loop over time in the backward pass.",
        "Only one step's share is in the weight gradient, or the gradient stops before the earlier steps.",
        "Change the assignment in that loop, and hand the gradient of the state on to the step before.",
    ),
)

_NO_GRADIENT = _family(
    "Not a gradient at all",
    (
        "numerical-gradient-returned",
        "gradient_checking#what-a-check-costs",
        "These numbers come from finite differences: derive the formula and compute with that.",
        "Look at whether your function calls the loss.",
        "The answer agrees as far as a finite difference can, and costs a forward pass for every entry.",
        "Replace the lines that evaluate the loss by the chain rule, one line for each step of the forward pass.",
    ),
    (
        "wrong-shape",
        "matrices_and_shapes",
        "A shape is wrong: the gradient of V has exactly the shape of V, any other result the shape asked for.",
        "Print the shape of what you return beside the shape that is wanted, for a gradient that of its array.",
        "An axis is missing, left over or in another place, so no entry can be compared.",
        "Start at the first line whose result has another shape than it should; going back, that of its forward value.",
    ),
    (
        "wrong-dtype",
        "numpy_network",
        "A gradient needs real numbers: yours holds whole numbers, or True and False, without fractions.",
        "Print the dtype of what you return.",
        "An array of whole numbers cuts off the fractions written into it; a comparison gives True and False.",
        "Change the line that makes the array: give it a float dtype, or turn it into one.",
    ),
    (
        "not-finite",
        "activations_and_losses",
        "There is a nan or an inf in it: find the first operation that makes one.",
        "Print the smallest and the largest value after each line, and stop at the first that is nan or inf.",
        "A division by 0, a log of 0, an exp that overflows, or inf − inf.",
        "Change the expression that meets this value, not the number that comes out of it.",
    ),
    (
        "input-mutated",
        "numpy_network",
        "Your function changes an array that it was given: work on a copy.",
        "Look for +=, *=, out= and slices on the left of = on arrays that came in as arguments.",
        "An array is handed over by reference, so the caller sees every change.",
        "Write the result of that line into a new array.",
    ),
    (
        "zeros",
        "how_this_book_works",
        "The gradient is 0 everywhere: the array was made and never filled, or the chain is cut.",
        "Look at where the gradient gets its first value, and whether a later line adds to it.",
        "Nothing arrives here: a factor of the product is 0, or the result is written somewhere else.",
        "Print the gradient after each line of the backward pass, from the loss on, and see where it becomes 0.",
    ),
    (
        "none-returned",
        "how_this_book_works",
        "A result does not come back: hand every one back with return.",
        "Look at the last line of your function.",
        "The result is computed, or printed, and then dropped.",
        "Add or mend the return line; it must be reached on every way through the function.",
    ),
    (
        "clipped",
        "when_training_fails",
        "The gradient is cut off at a limit: clip after the backward pass, as part of the update.",
        "Look at the largest entries: many of them have exactly the same size.",
        "Small entries are right, and everything beyond a limit is replaced by the limit.",
        "Remove the clip, minimum or maximum from the lines that compute the gradient.",
    ),
    (
        "few-entries",
        "matrices_and_shapes",
        "Only a few entries are wrong: find what is special about their places.",
        "Look at the row and the column of the wrong entries: the first, the last, a repeated or an empty one?",
        "The formula is right and an index, a range or a border case is not.",
        "Change the slice or the loop that leaves these entries out, or writes them twice.",
    ),
    (
        "not-written",
        "how_this_book_works",
        "The answer is still missing: write it in the cell above and run that cell.",
        "Look for the line that raises NotImplementedError, or for the ellipsis.",
        "Nothing is wrong yet; there is nothing to check.",
        "Replace that line by your own.",
    ),
)

CATALOGUE: dict[str, Mistake] = {
    **_CHAIN_RULE,
    **_LINEAR_ALGEBRA,
    **_BATCH_AND_BIAS,
    **_LOSS,
    **_REGULARISER,
    **_AUTOGRAD,
    **_TRAINING,
    **_DEPTH,
    **_CHECKING,
    **_PYTORCH,
    **_HARDER_LAYERS,
    **_NO_GRADIENT,
}
