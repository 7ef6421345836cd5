r"""Is this gradient right? Compare it with numbers that come with an error bound.

``check_gradient(f, grad, params)`` asks whether ``grad`` is the gradient of ``f``.  Read in this order:

1. *Structure before numbers* (`_ask`): what did ``grad`` return, and is it the same at a second call?
2. *Slopes of a line* (`complex_step`, `noise_level`, `ridders`): three ways to differentiate a function of one
   variable, the last of which says how far off it may be.
3. *An oracle* (`_Oracle`): the strongest of the three that this ``f`` allows.  The complex step is used for an
   array only after it has agreed there with real finite differences.
4. *Screening* (`_Judge.screen`): a random direction through all arrays decides whether all is well, so that the
   cost does not grow with the number of parameters.
5. *Every entry* (`_Judge.settle`), but only of the arrays that the screen could not clear.
6. *The report*, as text, HTML and figure.

An entry is wrong when it differs from the oracle by more than the sum of: the oracle's error bound, the rounding
noise of the gradient under test (how much it moves when the parameters move by an ulp), a floor for gradients that
are truly zero, and ``rtol`` times the entry.  Only ``rtol`` is chosen; the rest is measured.

Sources:

- C. J. F. Ridders, "Accurate computation of F'(x) and F'(x)F''(x)", Adv. Eng. Software 4 (1982) 75-76.
- J. J. Moré, S. M. Wild, "Estimating computational noise", SIAM J. Sci. Comput. 33 (2011) 1292-1314 (ECNoise).
- W. Squire, G. Trapp, "Using complex variables to estimate derivatives of real functions", SIAM Rev. 40 (1998) 110-112.
- J. R. R. A. Martins, P. Sturdza, J. J. Alonso, "The complex-step derivative approximation", ACM Trans. Math. Softw.
  29 (2003) 245-262.
"""

import functools
import heapq
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

__all__ = [
    "Finding", "Report", "check_gradient", "check_vjp", "numerical_gradient", "directional_derivative",
    "complex_step", "noise_level", "ridders",
]  # fmt: skip

EXTENDED = bool(np.finfo(np.longdouble).eps < np.finfo(float).eps)  # not so on ARM nor in a browser
METHODS = ("auto", "complex", "extended", "ridders")
ENTRIES = 2000  # in mode "screen", look at no more entries than this of one array
SAMPLE = 32  # in a bigger array, stop when this many entries are found wrong
VISIBLE = 1e-6  # an array is heard in a chorus when its part is at least this share of the whole
NOWHERE = np.complex128(complex(np.nan, np.nan))  # the value of f where it has none, also to a complex step
BLUNT = 4  # how many directions to try where rounding is not far below the derivative
WIDE = 1e-3  # a bound wider than this share of the gradient decides nothing
BESIDE = 1e-8  # how far to either side of a kink its two slopes are asked for, in natural units
TINY = np.finfo(float).tiny
ESTIMATES = 10  # a bound that wide is an estimate itself: only a gap of more than so many of them is an error


# ---------------------------------------------------------------- what the caller sees


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, in one line of the student's words.

    id: the mistake's name in the catalogue; parameter: a key of ``params`` or ""; message: one line;
    where: a place in the code or among the parameters, if known.
    """

    id: str
    parameter: str
    message: str
    where: str = ""


@dataclass
class Report:
    """What a check found.  ``str(report)`` starts with the one sentence a student needs.

    verdict: "pass", "fail" or "inconclusive" (the oracle's bound is too wide to tell).
    analytic: dict name -> array, the gradient under test.
    numeric, error_bound: dict name -> array, the oracle's value of each entry and how far off it may be.
        An entry that was not computed, because its array passed the screen, is nan, its bound inf.
    wrong: dict name -> boolean array.
    params: the parameters at which these numbers hold; error: the exception grad raised, or None;
    result: what grad returned, before any conversion.
    """

    verdict: str = "pass"
    findings: list = field(default_factory=list)
    analytic: dict = field(default_factory=dict)
    numeric: dict = field(default_factory=dict)
    error_bound: dict = field(default_factory=dict)
    wrong: dict = field(default_factory=dict)
    params: dict = field(default_factory=dict)
    error: BaseException | None = None
    result: object = None

    @property
    def ok(self):
        return self.verdict == "pass"

    def raise_if_failed(self):
        """Raise AssertionError with the text of the report if the verdict is "fail"."""
        if self.verdict == "fail":
            raise AssertionError(str(self))

    def __str__(self):
        return _as_text(self)

    def _repr_html_(self):
        return _as_html(self)

    def plot(self):
        """One heat map per parameter, in forward order: the size of the error, with a cross on each wrong entry."""
        return _as_figure(self)


def check_gradient(
    f, grad, params, rtol=1e-6, method="auto", mode="screen", points=2, seed=0, mistakes=None, cache=None
):
    """Check the gradient of a scalar function.

    f(params) -> scalar; grad(params) -> dict like params.  ``f`` is called right before each call of ``grad``.
    params: dict name -> float array of any shape, or Python float.  None of them is changed.
    rtol: relative errors below this are not worth telling (float32: at least 3e-5).
    method: "auto", or one oracle for all: "complex", "extended" (long double), "ridders" (float64).
    mode: "screen", or "full" to compute every entry at every point.
    points: how many points to check at: ``params``, then jittered copies of it.
    mistakes: None, or a function report -> list of Finding, called on a failure; its findings are appended.
    cache: None, or a dict that the caller keeps for this one f: it remembers which oracle f allows.

    Returns a Report.  Raises ValueError for a bad call: f not scalar or raising, params not float arrays.
    """
    loss = _Loss(f, params)
    return _check(loss, grad, loss.read(params), rtol, method, mode, points, seed, mistakes, cache)


def check_vjp(
    forward, backward, inputs, upstream=None, rtol=1e-6, method="auto", mode="screen", points=2, seed=0,
    mistakes=None, cache=None,
):  # fmt: skip
    """Check a layer's backward pass, that is its vector-Jacobian product.

    forward(**inputs) -> array, scalar or tuple of arrays.  backward(upstream, **inputs) -> dict by input name, or a
    tuple in the order of the inputs, or one array where there is one input.  inputs: dict name -> value; those that
    are float arrays or Python floats are checked, the others (labels, an axis) are passed on as they are.
    upstream: like forward's result; random if None, since an upstream of ones is blind to many mistakes.
    The other arguments, the Report and the errors are those of check_gradient.
    """
    if not isinstance(inputs, Mapping):
        raise ValueError(f"inputs: expected a dict of arrays by name, got {type(inputs).__name__}.")
    floats = {name: value for name, value in inputs.items() if _is_float(value)}
    fixed = {name: value for name, value in inputs.items() if name not in floats}
    if upstream is None:
        upstream = _random_upstream(forward, inputs, np.random.default_rng(seed))

    def f(params):
        return _inner(upstream, forward(**fixed, **params))

    def grad(params):
        given = _copy(upstream)
        result = backward(given, **{name: params.get(name, fixed.get(name)) for name in inputs})
        if not _identical(given, upstream):
            raise _Mutated("the upstream gradient")
        return _by_name(result, list(inputs), list(floats))

    loss = _Loss(f, floats, label="forward", identity=forward)
    return _check(loss, grad, loss.read(floats), rtol, method, mode, points, seed, mistakes, cache)


def numerical_gradient(f, params, method="auto"):
    """Gradient of f at params by the strongest oracle f allows, entry by entry.

    Returns (gradient, error_bound), two dicts name -> array shaped like params.
    Raises ValueError for a bad call, as check_gradient does.
    """
    loss = _Loss(f, params)
    place = loss.read(params)
    with _quiet():
        loss.value(place)
        oracle = _Oracle(loss, place, _trust(loss, place, method, None), np.random.default_rng(0))
        found = {name: oracle.entries(name, range(place[name].size)) for name in place}
        loss.value(place)
    shaped = {name: (v.reshape(place[name].shape), b.reshape(place[name].shape)) for name, (v, b) in found.items()}
    return {name: v for name, (v, _) in shaped.items()}, {name: b for name, (_, b) in shaped.items()}


def directional_derivative(f, params, direction, method="auto"):
    """Derivative of f at params along direction (a dict like params; arrays left out do not move).

    Returns (value, error_bound).  Raises ValueError for a bad call, as check_gradient does.
    """
    loss = _Loss(f, params)
    place = loss.read(params)
    moves = {}
    for name, move in direction.items():
        if name not in place:
            raise ValueError(f"direction[{name!r}]: no such parameter; params has {_listing(place)}.")
        moves[name] = np.asarray(move, dtype=float)
        if moves[name].shape != place[name].shape:
            raise ValueError(f"direction[{name!r}]: shape {moves[name].shape}, expected {place[name].shape}.")
    with _quiet():
        loss.value(place)
        oracle = _Oracle(loss, place, _trust(loss, place, method, None), np.random.default_rng(0))
        value, bound = oracle.along(moves)
        loss.value(place)
    return float(value), float(bound)


# ---------------------------------------------------------------- the slope of a function of one variable


def complex_step(phi, h=1e-30):
    """phi'(0) as Im phi(ih)/h: no subtraction, hence no cancellation, hence a step as small as one likes.

    phi must take a complex argument and be analytic; the error is then O(h^2) and rounding.
    (Squire and Trapp 1998; Martins, Sturdza and Alonso 2003.)
    """
    return float(np.imag(phi(1j * h))) / h


def noise_level(phi, eps):
    """Standard deviation of the rounding noise in phi near 0 (ECNoise, Moré and Wild 2011).

    Differences of order k of a smooth function at a tiny spacing vanish; what is left is noise, whose variance a
    k-th difference multiplies by (2k)!/(k!)^2.  The points lie on one side of 0, where a kink may be.
    """
    spacing = eps ** (2 / 3)
    while True:
        values = np.array([phi(k * spacing) for k in range(1, 9)])
        if np.count_nonzero(np.diff(values)) > 3 or spacing > 1e-5:
            break
        spacing *= 1000  # phi is a staircase, and these points are on one step
    if not np.isfinite(values).all():
        return 8 * eps * abs(phi(0.0))
    rounding = np.finfo(values.dtype).eps * np.abs(values).max() / 2
    differences, estimates = values, [rounding]
    for order in range(1, 7):
        differences = np.diff(differences)
        if order >= 3:
            shrink = math.factorial(order) ** 2 / math.factorial(2 * order)
            estimates.append(np.sqrt(shrink * np.mean(differences**2)))
    return max(estimates)


def ridders(phi, noise, start=0.05, levels=16):
    """phi'(0) by central differences at start, start/4, start/16, ..., extrapolated to a step of zero (Ridders 1982).

    Returns (value, bound, jump).  The bound is the spread among neighbours in the table plus noise/h.  jump is the
    difference of the slopes to the right and to the left of 0, where the values show one: extrapolation by itself
    would converge, confidently, to the average of the two slopes of a kink.
    """
    centre = phi(0.0)
    above, jumps = [], []
    value, bound, jump, unseen_jump = np.nan, np.inf, 0.0, np.inf
    for level in range(levels):
        h = start / 4.0**level
        right, left = phi(h), phi(-h)
        rounding = 4 * max(noise, _rounding_of(right - centre), _rounding_of(left - centre)) / h
        if not (np.isfinite(right) and np.isfinite(left)):
            above, jumps = [], []
            continue
        row = [(right - left) / (2 * h)]
        for j, older in enumerate(above):
            row.append(row[j] + (row[j] - older) / (16 ** (j + 1) - 1))
            spread = max(abs(row[j + 1] - row[j]), abs(row[j + 1] - older)) + rounding
            overruled = j == 0 and abs(row[1] - value) > bound + spread  # longer steps have crossed a kink
            if spread <= bound or overruled:
                value, bound = row[j + 1], spread
        jumps.append((right - 2 * centre + left) / h)
        above = row
        if len(jumps) >= 3:
            jump, settled, doubt = _lasting_jump(jumps, 4 * rounding, 1e-4 * abs(value))
            unseen_jump = min(unseen_jump, doubt)
            if settled and (bound <= 1e-9 * abs(value) or rounding > bound / 4):
                break
    return value, bound + (0.0 if jump else unseen_jump / 2), jump


def one_sided(phi, noise, start=0.05, levels=12):
    """phi'(0+), the slope to the right of 0, as (value, bound): forward differences, extrapolated like Ridders'."""
    centre, above = phi(0.0), []
    value, bound = np.nan, np.inf
    for level in range(levels):
        h = start / 4.0**level
        change = phi(h) - centre
        if not np.isfinite(change):
            above = []
            continue
        rounding = 4 * max(noise, _rounding_of(change)) / h
        row = [change / h]
        for j, older in enumerate(above):
            row.append(row[j] + (row[j] - older) / (4 ** (j + 1) - 1))
            spread = max(abs(row[j + 1] - row[j]), abs(row[j + 1] - older)) + rounding
            overruled = j == 0 and abs(row[1] - value) > bound + spread  # longer steps have crossed a kink
            if spread <= bound or overruled:
                value, bound = row[j + 1], spread
        above = row
        if level >= 2 and (bound <= 1e-9 * abs(value) or rounding > bound / 4):
            break
    return value, bound


def _rounding_of(change):
    """The noise that comes with a change of the loss: near a minimum, more than there is at the minimum itself."""
    return 16 * np.finfo(change.dtype).eps * abs(change)


def _lasting_jump(jumps, rounding, small):
    """(jump, settled, doubt): what remains at step 0 of the difference between the right and left slopes, whether
    that is settled, and how large a jump could go unseen in the noise.

    On a smooth function the difference is h phi''(0) + O(h^3), and the first term is extrapolated away.  At a kink
    it stays, from one step to the next; a kink at some distance makes it change until the steps are shorter.
    """
    last = (4 * jumps[-1] - jumps[-2]) / 3
    before = (4 * jumps[-2] - jumps[-3]) / 3
    stays = abs(last - before) <= abs(last) / 4 + 4 * rounding
    fades = abs(last) <= min(abs(before) / 16, small)
    # A kink a little to one side lets the difference drift; the drift belongs to what the slopes leave open.
    jump = abs(last) + 2 * abs(last - before) if stays and abs(last) > 8 * rounding else 0.0
    return jump, stays or fades, abs(64 * last - before) / 63


# ---------------------------------------------------------------- f, called with care


class _Loss:
    """f with what every call needs: copies going in, one number coming out."""

    def __init__(self, f, params, label="f", identity=None):
        self.f = f
        self.label = label
        self.identity = getattr(identity or f, "__code__", type(identity or f))
        self.kinds = {name: type(value) for name, value in params.items()} if isinstance(params, Mapping) else {}

    def read(self, params):
        """params as arrays, or ValueError."""
        if not isinstance(params, Mapping) or not params:
            raise ValueError(f"params: expected a dict of float arrays by name, got {params!r:.80s}.")
        for name, value in params.items():
            if not isinstance(name, str):
                raise ValueError(f"params: expected names that are strings, got {name!r}.")
            if not _is_float(value):
                dtype = getattr(value, "dtype", None)
                got = f"an array of {dtype}" if dtype is not None else f"{type(value).__name__} {value!r:.40s}"
                raise ValueError(f"params[{name!r}]: expected a float array or a float, got {got}.")
            if not np.isfinite(value).all():
                raise ValueError(f"params[{name!r}]: expected finite numbers, got nan or inf.")
        return {name: np.array(value, order="K") for name, value in params.items()}

    def inputs(self, place, fresh=()):
        """The parameters in the form in which the caller gave them; copies, but for those that nobody else holds."""
        return {name: self._present(name, value, name in fresh) for name, value in place.items()}

    def _present(self, name, value, fresh):
        if self.kinds[name] is float:
            return value.item()
        if not issubclass(self.kinds[name], np.ndarray):
            return value[()]
        return value if fresh else value.copy(order="K")

    def value(self, place):
        """f at place, or a ValueError that says what is wrong with f."""
        try:
            value = self.f(self.inputs(place))
        except Exception as error:
            missing = f" (params has {_listing(place)})" if isinstance(error, KeyError) else ""
            raise ValueError(f"{self.label} raised {type(error).__name__}: {error}{missing}.") from error
        number = _as_number(value)
        if number is None or number.dtype.kind == "c":
            shape = f" of shape {np.shape(value)}" if isinstance(value, np.ndarray) else ""
            raise ValueError(f"{self.label}: expected one real number, got {type(value).__name__}{shape}.")
        if not np.isfinite(number):
            raise ValueError(f"{self.label}: expected a finite number, got {number}.")
        return number

    def probe(self, place, fresh=()):
        """f at place, nan where f has no value."""
        try:
            number = _as_number(self.f(self.inputs(place, fresh)))
        except Exception:
            number = None
        return NOWHERE if number is None else number


def _is_float(value):
    if isinstance(value, np.ndarray | np.generic):
        return np.issubdtype(value.dtype, np.floating)
    return isinstance(value, float)


def _as_number(value):
    """value as one NumPy number, or None."""
    try:
        array = np.asarray(value)
    except Exception:
        return None
    return array.reshape(())[()] if array.size == 1 and array.dtype.kind in "fciu" else None


class _quiet(warnings.catch_warnings):
    """No floating-point or other warnings: a probe may step out of bounds, and an honest forward may overflow."""

    def __enter__(self):
        super().__enter__()
        warnings.simplefilter("ignore")
        self.errors = np.errstate(all="ignore")
        self.errors.__enter__()

    def __exit__(self, *exception):
        self.errors.__exit__(*exception)
        super().__exit__(*exception)


def _listing(names):
    return ", ".join(repr(name) for name in names)


# ---------------------------------------------------------------- 1. structure before numbers


@dataclass
class _Answer:
    """What grad gave at one place, after looking at its structure."""

    place: dict
    result: object = None
    gradient: dict = field(default_factory=dict)
    usable: set = field(default_factory=set)
    findings: list = field(default_factory=list)
    error: BaseException | None = None


class _Mutated(Exception):
    """The function under test changed what it was given."""


def _ask(loss, grad, place):
    """Call f and grad at place and look at all that can be seen without numbers to compare with."""
    answer = _Answer(place)
    before = loss.value(place)
    _call(loss, grad, answer)
    if not answer.findings:
        _ask_again(loss, grad, answer, before)
    return answer


def _ask_nearby(loss, grad, params, rng):
    """The same at another place, away from kinks, zeros and earlier answers; None if f has no value around here."""
    for size in (0.3, 1e-2, 1e-4):
        answer = _Answer({name: _jitter(value, size, rng) for name, value in params.items()})
        if np.isfinite(loss.probe(answer.place)):
            _call(loss, grad, answer)
            return answer
    return None


def _ask_beside(loss, grad, place, moves):
    """The same a hair along moves, away from a kink at place."""
    hair = max(BESIDE, 64 * _eps(*place.values()))
    moved = {name: (place[name] + hair * move).astype(place[name].dtype, copy=False) for name, move in moves.items()}
    answer = _Answer(place | moved)
    loss.probe(answer.place)
    _call(loss, grad, answer)
    return answer


def _call(loss, grad, answer):
    given = loss.inputs(answer.place)
    try:
        result = grad(given)
    except _Mutated as mutated:
        answer.findings.append(Finding("input-mutated", "", f"{mutated} was changed in place: work on a copy."))
        return
    except Exception as error:
        answer.error = error
        answer.findings.append(_exception_finding(error))
        return
    answer.result = _copy(result)
    for name, value in answer.place.items():
        if name not in given or not np.array_equal(given[name], value):
            answer.findings.append(Finding("input-mutated", name, f"{name} was changed in place: work on a copy."))
    answer.gradient, answer.usable, findings = _read_gradient(answer.result, answer.place)
    answer.findings += findings


def _exception_finding(error):
    frame = error.__traceback__
    while frame.tb_next is not None:
        frame = frame.tb_next
    name, line = frame.tb_frame.f_code.co_name, frame.tb_lineno
    if isinstance(error, NotImplementedError):
        return Finding("not-written", "", f"{name} is not written yet.", name)
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return Finding("exception", "", f"{name} raised {' '.join(text.split())}", f"line {line} of {name}")


def _read_gradient(result, place):
    """(arrays by name, names that numbers can be compared for, findings)."""
    if result is None:
        return {}, set(), [Finding("none-returned", "", "The gradient function returned None: is a return missing?")]
    if not isinstance(result, Mapping):
        message = f"The gradient is a {type(result).__name__}, expected a dict with {_listing(place)}."
        return {}, set(), [Finding("wrong-container", "", message)]
    gradient, usable, findings = {}, set(), []
    for name, value in place.items():
        if name not in result:
            has = _listing(result) or "no entries"
            message = f"d{name} is missing: the gradient has {has}, expected {_listing(place)}."
            findings.append(Finding("missing-key", name, message))
            continue
        array, complaint = _read_array(name, result[name], value)
        if array is not None:
            gradient[name] = array
        if complaint is None or (array is not None and complaint.id == "wrong-dtype"):
            usable.add(name)
        findings += [complaint] if complaint else []
    return gradient, usable, findings


def _read_array(name, value, param):
    """(float array or None, Finding or None) for one entry of the gradient."""
    if value is None:
        return None, Finding("none-returned", name, f"d{name} is None, expected an array of shape {param.shape}.")
    try:
        array = np.asarray(value)
    except Exception:
        array = np.empty(0, dtype=object)
    if array.dtype.kind not in "fiub" or array.dtype == object:
        kind = "complex" if array.dtype.kind == "c" else type(value).__name__
        return None, Finding("wrong-dtype", name, f"d{name} is {kind}, expected an array of floats.")
    exact_int = type(value) is int and param.ndim == 0  # `return 1` for a scalar loses nothing
    floats = array.astype(float) if array.dtype.kind != "f" else array
    if array.shape != param.shape:
        return floats, Finding("wrong-shape", name, f"d{name}: shape {array.shape}, expected {param.shape}.")
    if array.dtype.kind != "f" and not exact_int:
        return floats, Finding("wrong-dtype", name, f"d{name} holds {array.dtype}, expected floats.")
    finite = np.isfinite(floats)
    if not finite.all():
        bad = ~finite
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        message = f"d{name}: {_count(bad.sum(), bad.size)} not finite, the first is {floats[first]}{_at(first)}."
        return floats, Finding("not-finite", name, message)
    return floats, None


def _ask_again(loss, grad, answer, before):
    """The same question twice must have the same answer."""
    after = loss.value(answer.place)
    if abs(after - before) > 1e-6 * max(abs(after), abs(before)):
        message = f"{loss.label} gives {before:.6g}, then {after:.6g} at the same parameters: fix its random seed."
        answer.findings.append(Finding("randomness-between-calls", "", message))
        return
    second = _Answer(answer.place)
    _call(loss, grad, second)
    if second.findings:
        answer.findings += second.findings
        answer.error = second.error
        return
    for name, first in answer.gradient.items():
        if np.array_equal(second.gradient[name], first):
            continue
        slack = 1e3 * _eps(first) * np.abs(first).max()
        if np.abs(second.gradient[name] - first).max() <= slack:
            continue
        if np.abs(second.gradient[name] - 2 * first).max() <= 2 * slack:
            message = f"d{name}: the second call gives twice the first: it adds to what the first one left."
            answer.findings.append(Finding("not-zeroed", name, message))
        else:
            message = f"d{name}: two calls with the same parameters give different answers."
            answer.findings.append(Finding("randomness-between-calls", name, message))


def _own_noise(loss, grad, answer, rng):
    """dict name -> array: how much each entry under test moves when the parameters move by an ulp or two."""
    noise = {name: np.zeros(answer.place[name].shape) for name in answer.usable}
    eps = _eps(*answer.gradient.values(), *answer.place.values())
    for _ in range(2):
        moved = _Answer({name: _nudge(value, rng, eps) for name, value in answer.place.items()})
        loss.probe(moved.place)
        _call(loss, grad, moved)
        for name in answer.usable & moved.usable:
            if answer.place[name].size:
                spread = _spread(answer.gradient[name], moved.gradient[name], eps)
                noise[name] = np.maximum(noise[name], spread)
    return noise


def _spread(ours, other, eps):
    spread, size = np.abs(other - ours), np.abs(ours)
    # An entry may stay where it is by chance: it is as noisy as the others, in proportion to its size.
    typical = np.nanmedian((spread / size).flat[:: 1 + spread.size // 1000])
    # A spread beyond this is not rounding: an ulp has carried us over a kink.
    most = min(spread.max(), np.sqrt(eps) * (size.max() or np.inf))
    return np.fmin(np.fmax(spread, 4 * typical * size), most)


def _nudge(value, rng, eps):
    factor = rng.random(value.shape)
    factor -= 0.5
    factor *= 4 * eps
    factor += 1
    return (value * factor).astype(value.dtype, copy=False)


def _jitter(value, size, rng):
    step = rng.uniform(-size, size, value.shape)
    step *= _natural(value)
    return (value + step).astype(value.dtype, copy=False)


def _scale(value):
    """The natural size of a step in an array: its largest entry, or 1 where all are 0."""
    return float(max(value.max(initial=0), -value.min(initial=0))) or 1.0


def _natural(value):
    """The size of each entry of an array, signs aside; that of the largest where an entry is 0."""
    return value if value.all() else np.where(value == 0, _scale(value), value)


def _shift(value, t, move):
    """value + t * move; for an imaginary t without the products by 0 that complex arithmetic would do."""
    if not isinstance(t, complex) or value.dtype != float:
        return np.asarray(value + t * move)
    shifted = np.empty(value.shape, dtype=complex)
    shifted.real = value
    np.multiply(move, t.imag, out=shifted.imag)
    return shifted


def _norm(array):
    # np.linalg.norm would start BLAS threads, which cost milliseconds on a busy machine.
    flat = array.ravel()
    return math.sqrt(np.einsum("i,i->", flat, flat))


def _eps(*arrays):
    return max(float(np.finfo(array.dtype).eps) for array in arrays)


def _copy(value):
    """A deep copy of nested containers of arrays: the function under test may use its buffers again."""
    if isinstance(value, np.ndarray):
        return value.copy(order="K")
    if isinstance(value, Mapping):
        return {name: _copy(item) for name, item in value.items()}
    if type(value) in (tuple, list):
        return type(value)(_copy(item) for item in value)
    return value


def _identical(a, b):
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(_identical(x, y) for x, y in zip(a, b, strict=True))
    return np.shape(a) == np.shape(b) and bool(np.all(np.asarray(a) == np.asarray(b)))


# ---------------------------------------------------------------- 2. the oracle


@dataclass(frozen=True)
class _Trust:
    """What f allows: real, the widest float type it computes in (None: only that of params), and by parameter the
    oracle: "complex" (agreed with real differences), "unseen" (too small there to be compared) or "real"."""

    real: type | None
    kinds: dict


def _trust(loss, place, method, cache):
    """Find out what f allows, or remember it from the caller's cache."""
    if method not in METHODS:
        raise ValueError(f"method: expected one of {_listing(METHODS)}, got {method!r}.")
    shapes = tuple((name, value.shape, value.dtype.str) for name, value in place.items())
    key = (loss.identity, method, shapes)
    if cache is not None and key in cache:
        return cache[key]
    if method == "complex":
        trust = _Trust(np.float64, dict.fromkeys(place, "complex"))
    else:
        trust = _Trust(_widest(loss, place, method), dict.fromkeys(place, "real"))
    oracle = _Oracle(loss, place, trust, np.random.default_rng(0))
    takes_complex = np.isfinite(oracle.complex_slope({name: oracle.random_move(name) for name in place}))
    if method == "complex" and not takes_complex:
        raise ValueError(f"method: {loss.label} cannot be called with complex numbers; use method='auto'.")
    if method == "auto" and takes_complex:
        trust = _Trust(trust.real, trust.kinds | _compare(oracle, list(place), None))
    if cache is not None:
        cache[key] = trust
    return trust


def _widest(loss, place, method):
    """The widest float type in which f computes from beginning to end: long double, float64 or params' own."""
    value = loss.probe(place)
    close = np.sqrt(_eps(*place.values())) * abs(value)
    for real in [np.longdouble] * (EXTENDED and method != "ridders") + [np.float64]:
        other = loss.probe({name: array.astype(real) for name, array in place.items()})
        if abs(other - value) <= close and (real is np.float64 or other.dtype == real):
            break
    else:
        real = None
    if method == "extended" and real is not np.longdouble:
        raise ValueError(f"method: {loss.label} does not compute in long double here; use method='auto'.")
    return real


def _compare(oracle, names, unit):
    """dict name -> kind: does the complex step agree with real differences for these arrays?

    First all arrays at once.  Where they agree, those whose part is far above the bound have been seen to agree;
    the others are compared again among themselves, where the louder ones cannot drown them.
    """
    moves, value, bound, _ = oracle.random_slope(names)
    parts = {name: oracle.complex_slope({name: move}) for name, move in moves.items()}
    total, size = sum(parts.values()), sum(abs(part) for part in parts.values())
    bound = bound + oracle.rounding(moves, total) + 1e-9 * size
    unit = unit or size
    if not abs(total - value) <= bound:
        if len(names) == 1:
            return {names[0]: "real"}
        return {name: kind for name in names for kind in _compare(oracle, [name], unit).values()}
    seen = [name for name in names if abs(parts[name]) > 1e3 * bound]
    hidden = [name for name in names if name not in seen]
    if hidden and seen:
        return dict.fromkeys(seen, "complex") | _compare(oracle, hidden, unit)
    kinds = dict.fromkeys(seen, "complex") | dict.fromkeys(hidden, "complex" if bound <= 1e-9 * unit else "unseen")
    # A step that sees nothing where f moves: perhaps f drops the imaginary part of a small gradient.
    return kinds | {name: "real" for name in hidden if parts[name] == 0 != value}


class _Oracle:
    """Derivatives of f at one place, each with an error bound."""

    def __init__(self, loss, place, trust, rng):
        self.loss, self.trust, self.rng = loss, trust, rng
        self.double = {name: value.astype(np.result_type(value, float), copy=False) for name, value in place.items()}
        self.scale = {name: _scale(value) for name, value in place.items()}
        self.dtypes = {name: value.dtype for name, value in place.items()}
        self.relative = {}
        self.noise = None
        self.elsewhere = None  # an oracle of the same f at a place that is no kink but by chance
        self.complex_noise = {}
        self.line = None  # the last line along which real differences were taken; it remembers its values

    @functools.cached_property
    def real(self):
        """The parameters in the widest float type of f."""
        place = self.double.items()
        return {name: value.astype(self.trust.real or self.dtypes[name], copy=False) for name, value in place}

    @functools.cached_property
    def centre(self):
        """f here, in the widest float type."""
        return self.loss.probe(self.real)

    def random_move(self, name):
        """A random direction of an array, in its natural units; continuous, so that no error hides from it."""
        move = self.rng.random(self.double[name].shape)
        move -= 0.5
        move *= 2 * self.relative.get(name, self.scale[name])
        return move

    def random_slope(self, names):
        """(moves, value, bound, jump) along a random direction through these arrays, by real differences."""
        moves = {name: self.random_move(name) for name in names}
        found = self.real_slope(moves)
        further = self._line(self.real, moves)
        if found[1] <= WIDE * abs(found[0]) or np.isfinite(further(0.05) + further(-0.05)):
            return moves, *found
        # f has no value so far out: from now on each entry moves in proportion to itself.
        self.noise = self.elsewhere = None
        for name in names:
            self.relative[name] = _natural(self.double[name])
        moves = {name: self.random_move(name) for name in names}
        return moves, *self.real_slope(moves)

    def along(self, moves):
        """(value, bound) of the derivative along moves (dict name -> array), each array by the oracle it allows."""
        steps = {name: move for name, move in moves.items() if self.trust.kinds[name] != "real"}
        others = {name: move for name, move in moves.items() if name not in steps}
        value, bound, _ = self.real_slope(others) if others else (0.0, 0.0, 0.0)
        if steps:
            slope = self.complex_slope(steps)
            rounding = self.rounding(steps, slope) + 8 * _eps(*self.double.values()) * abs(slope)
            value, bound = value + slope, bound + rounding
        return value, bound

    def entries(self, name, indices):
        """(values, bounds), 1-D arrays, of the entries of one array with these flat indices."""
        values, bounds, _ = self.entries_and_jumps(name, indices, self.trust.kinds[name])
        return values, bounds

    def entries_and_jumps(self, name, indices, kind):
        indices = list(indices)
        found = np.zeros((3, len(indices)))
        for k, index in enumerate(indices):
            move = np.zeros(self.double[name].shape)
            move.flat[index] = 1.0
            if kind == "real":
                slope, bound, jump = self.real_slope({name: move * self.scale[name]})
                found[:, k] = np.array([slope, bound + jump / 2, jump]) / self.scale[name]
            else:
                found[0, k] = self.complex_slope({name: move})
        if kind != "real" and indices:
            found[1] = 8 * _eps(self.double[name]) * np.abs(found[0]) + self._entry_rounding(name)
        return found

    def complex_slope(self, moves):
        """Derivative along moves by the complex step; nan where f does not take complex numbers."""
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            return complex_step(self._line(self.double, moves))

    def real_slope(self, moves):
        """(value, bound, jump) along moves by Ridders; where the loss hardly changes, with larger steps too."""
        moves = {name: move.astype(self.real[name].dtype) for name, move in moves.items()}
        line = self._line(self.real, moves)
        self.line = phi = functools.cache(lambda t: line(t) if t else self.centre)
        if self.noise is None:
            self.noise = self._noise()
        found = ridders(phi, self.noise)
        for start in self._other_starts(moves):
            if found[1] <= VISIBLE * abs(found[0]):
                break
            found = min(found, ridders(phi, self.noise, start), key=lambda item: item[1])
        return found

    def _noise(self):
        """The noise of f here: measured, or in proportion what it is elsewhere, where the same was measured."""
        other = self.elsewhere
        if other is not None and abs(other.centre) / 10 < abs(self.centre) < 10 * abs(other.centre):
            other.noise = other.noise or other._noise()
            return other.noise * max(1.0, abs(self.centre / other.centre))
        everywhere = {name: self.random_move(name).astype(value.dtype) for name, value in self.real.items()}
        return noise_level(self._line(self.real, everywhere), _eps(*self.real.values()))

    def _other_starts(self, moves):
        """First steps to try where the natural one did not do, for one array: of size 1, and of the entry's size."""
        if len(moves) > 1:
            return
        [(name, move)] = moves.items()
        longest = float(np.abs(move).max(initial=0)) or 1.0
        if longest < 0.1:
            yield 0.05 / longest
        entry = float(np.abs(self.real[name][move != 0]).min(initial=np.inf))
        if 0 < entry < 0.1 * longest:
            yield 0.05 * entry / longest

    def _line(self, base, moves):
        """The loss along a line: a function of one variable, real or complex."""

        def phi(t):
            moved = {name: _shift(base[name], t, move) for name, move in moves.items()}
            return self.loss.probe(base | moved, fresh=moved)

        return phi

    def rounding(self, moves, slope):
        """How much the complex step moves when the parameters move by an ulp."""
        spread = 0.0
        for _ in range(2):
            nudged = {name: _nudge(value, self.rng, _eps(value)) for name, value in self.double.items()}
            with warnings.catch_warnings():
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
                spread = max(spread, abs(complex_step(self._line(nudged, moves)) - slope))
        return 4 * spread

    def _entry_rounding(self, name):
        if name not in self.complex_noise:
            move = 2 * self.rng.random(self.double[name].shape) - 1
            slope = self.complex_slope({name: move})
            self.complex_noise[name] = self.rounding({name: move}, slope) / _norm(move)
        return self.complex_noise[name]


# ---------------------------------------------------------------- 3. the verdict


def _report(judges, answers):
    """The report at the place where something is wrong, or at the first one."""
    last = judges[-1]
    judge = last if last.wrong_names() or last.answer.findings else judges[0]
    answer = judge.answer
    findings = answer.findings + [_wrong_finding(judge, name) for name in judge.names if judge.wrong[name].any()]
    undecided = {name: found for each in judges for name, found in each.doubtful.items()}
    undecided |= {name: found for name, found in last.wide.items() if all(name in each.wide for each in judges)}
    doubts = [_undecided_finding(name, *found) for name, found in undecided.items()]
    if judge is not judges[0] and not answer.findings and _stale(answers):
        findings = [_stale_finding(name) for name in judge.wrong_names()] + findings
    verdict = "fail" if findings else "inconclusive" if undecided else "pass"
    return Report(
        verdict=verdict,
        findings=findings or doubts,
        analytic=answer.gradient,
        numeric=judge.numeric,
        error_bound=judge.bound,
        wrong=judge.wrong,
        params=answer.place,
        error=answer.error,
        result=answer.result,
    )


def _stale(answers):
    return all(_identical(array, answers[0].gradient[name]) for name, array in answers[1].gradient.items())


def _stale_finding(name):
    message = f"d{name} did not change when the parameters did: it was computed from an earlier call."
    return Finding("stale-cache", name, message)


def _undecided_finding(name, value, bound):
    message = f"d{name} cannot be decided: along a random direction {_by(value, bound)}, which does not settle it."
    return Finding("inconclusive", name, message)


def _wrong_finding(judge, name):
    """The entries of one array that are wrong, and the worst of them with both numbers."""
    claim, numeric, wrong = judge.claim[name], judge.numeric[name], judge.wrong[name]
    gap = np.where(wrong, np.abs(claim - numeric), -1.0)
    worst = tuple(int(i) for i in np.unravel_index(np.argmax(gap), gap.shape))
    seen = np.isfinite(numeric)
    numbers = _yours(claim[worst], numeric[worst], judge.bound[name][worst])
    if judge.jump[name][worst] > 0:
        return Finding("at-a-kink", name, f"d{name}{_at(worst)}: {numbers}, and the loss has a kink here.")
    if not claim.any():
        most = np.nanmax(np.abs(numeric))
        return Finding("zeros", name, f"d{name}: every entry is 0; finite differences give values up to {most:.4g}.")
    if wrong.ndim == 0:
        return Finding("wrong-value", name, f"d{name}: {numbers}.")
    at_least = "" if seen.all() else "at least "
    message = f"d{name}: {at_least}{_count(wrong.sum(), wrong.size)} wrong; the worst is{_at(worst)}: {numbers}."
    return Finding("wrong-value", name, message)


def _check(loss, grad, params, rtol, method, mode, points, seed, mistakes, cache):
    if mode not in ("screen", "full"):
        raise ValueError(f"mode: expected 'screen' or 'full', got {mode!r}.")
    if points < 1:
        raise ValueError(f"points: expected at least 1, got {points!r}.")
    with _quiet():
        report = _compare_everywhere(loss, grad, params, rtol, method, mode, points, seed, cache)
    if report.verdict == "fail" and mistakes is not None:
        report.findings += [found for found in mistakes(report) if found not in report.findings]
    return report


def _compare_everywhere(loss, grad, params, rtol, method, mode, points, seed, cache):
    rng = np.random.default_rng(seed)
    answers = [_ask(loss, grad, params)]
    # grad is asked before the oracle is: that may leave complex numbers in a cache that f keeps.
    while len(answers) < points and not answers[-1].findings:
        answer = _ask_nearby(loss, grad, params, rng)
        if answer is None:
            break
        answers.append(answer)
    trust = _trust(loss, answers[-1].place, method, cache)
    judges = []
    beside = functools.partial(_ask_beside, loss, grad)
    oracles = [_Oracle(loss, answer.place, trust, rng) for answer in answers]
    for oracle in oracles[:-1]:
        oracle.elsewhere = oracles[-1]
    for oracle, answer in zip(oracles, answers, strict=True):
        noise = functools.partial(_own_noise, loss, grad, answer, rng)
        judges.append(_Judge(oracle, answer, rtol, noise, beside))
        judges[-1].judge(mode, directions=1 if len(answers) > 1 else 2)
        if judges[-1].wrong_names():
            break
    loss.value(params)
    return _report(judges, answers)


class _Judge:
    """The gradient under test against the oracle, at one place."""

    def __init__(self, oracle, answer, rtol, own_noise, beside):
        self.oracle, self.answer, self.own_noise, self.beside = oracle, answer, own_noise, beside
        self.names = [name for name in answer.place if name in answer.usable and answer.place[name].size]
        self.claim = {name: answer.gradient[name].astype(float, copy=False) for name in self.names}
        self.eps = {name: _eps(answer.gradient[name], answer.place[name]) for name in self.names}
        self.rtol = {name: max(rtol, min(250 * self.eps[name], 0.01)) for name in self.names}
        self.size = {name: _norm(self.claim[name] * _natural(oracle.double[name])) for name in self.names}
        self.total = math.hypot(*self.size.values())
        floor = 16 * np.finfo(float).eps * self.total
        self.floor = {name: floor / max(oracle.scale[name], 1.0) for name in self.names}
        self.noise = None  # measured where it matters
        self.numeric, self.bound, self.jump, self.wrong = (
            {name: np.broadcast_to(empty, value.shape) for name, value in answer.place.items()}
            for empty in (np.nan, np.inf, 0.0, False)
        )
        self.chance = {}  # by name: how likely it is that an error hid from all directions, and how many they were
        self.drowned = False
        self.differenced = set()  # arrays with entries from real differences, whose bounds hold their rounding
        self.wide, self.doubtful = {}, {}  # by name (value, bound): agrees, but the bound is wide; disagrees

    def wrong_names(self):
        return [name for name, wrong in self.wrong.items() if wrong.any()]

    def judge(self, mode, directions):
        for name in self.names if mode == "full" else self.screen(directions):
            self.settle(name, everything=mode == "full")
        for name, value in self.answer.place.items():
            if name in self.answer.gradient and name not in self.answer.usable and value.size:
                self._fill(name, range(min(value.size, ENTRIES)))
                self.wrong[name] = np.ones(value.shape, dtype=bool)

    def slack(self, name):
        """The rounding noise of the entries under test, and the floor for those that are truly zero."""
        trust = self.oracle.trust
        # Zeros are not rounded: where differences see more digits than grad has, they need no floor.
        exact = trust.kinds[name] == "real" and trust.real is np.longdouble and EXTENDED and not self.claim[name].any()
        floor = 0.0 if exact else self.floor[name]
        return floor if self.noise is None else floor + 10 * self.noise[name]

    # -- screening

    def screen(self, directions):
        """Names of the arrays that two random directions, at two points or at one, could not clear.

        Where rounding or the oracle's bound is large beside the derivative, an error could hide in a direction by
        chance: then it is asked for along more of them.
        """
        suspects = set()
        for kinds in ({"complex", "unseen"}, {"real"}):
            names = [name for name in self.names if self.oracle.trust.kinds[name] in kinds]
            loud = [name for name in names if self.size[name] > VISIBLE * self.total]
            for group in [loud] * bool(loud) + [[name] for name in names if name not in loud]:
                for number in range(BLUNT):
                    suspects |= self._hear(group)
                    again = [name for name in group if name not in suspects and self._could_hide(name)]
                    if number + 1 >= directions and not again:
                        break
                    group = again or group
        return [name for name in self.names if name in suspects]

    def _hear(self, group):
        """Compare the derivative along one random direction through a group; if it is off, hear each alone."""
        if self.oracle.trust.kinds[group[0]] == "real":
            clear = self._agree_real(group)
        else:
            clear = self._agree_complex(group)
        if clear:
            return set()
        if self.noise is None and not self.drowned:
            self.noise = self.own_noise()
            self.doubtful.clear()
            return self._hear(group)
        if self.oracle.trust.kinds[group[0]] != "real" and self._between(group):
            return set()
        return set(group) if len(group) == 1 else set().union(*(self._hear([name]) for name in group))

    def _agree_complex(self, group):
        """A complex step may be as long as one likes: let every array weigh about the same by its own account."""
        moves = {}
        for name in group:
            moves[name] = self.oracle.random_move(name)
            if len(group) > 1:
                moves[name] *= self.total / self.size[name] * self.oracle.rng.uniform(0.5, 1.5)
        expected, slack, parts = self._expect(moves)
        return abs(self.oracle.complex_slope(moves) - expected) <= slack and self._cleared(slack, parts)

    def _agree_real(self, group):
        """Real differences must agree within their bound, and the bound must be small beside each array's part."""
        moves, value, bound, jump = self.oracle.random_slope(group)
        expected, slack, parts = self._expect(moves)
        gap = abs(value - expected) - bound - jump / 2 - slack
        if jump > 0 and self._between(group, moves):
            return True
        if len(group) > 1:
            self.drowned = gap <= 0  # what agrees together may clear up when each is heard alone
            clear = gap <= 0 and jump == 0 and all(bound <= VISIBLE * part for part in parts.values())
            return clear and self._cleared(bound + slack, parts)
        self.drowned = False
        [(name, part)] = parts.items()
        if gap > 0:
            if gap > self.rtol[name] * part or bound > WIDE * part:
                self.doubtful[name] = (value, bound)
        elif jump == 0 and bound > WIDE * part and not self._zero(moves, part, bound):
            self.wide[name] = (value, bound)
        return gap <= 0 and jump == 0 and self._cleared(bound + slack, parts)

    def _between(self, group, line=None):
        """At a kink: is the gradient right a hair to either side of it, and here, entry by entry, between the two?

        One direction decides on each side, as it does where there is no kink, so that the cost does not grow with
        the number of entries.  line: the moves of the real differences just taken, or None for the complex step.
        """
        moves = line or {name: self.oracle.random_move(name) for name in group}
        sides = []
        for sign in (1.0, -1.0):
            answer = self.beside(self.answer.place, {name: sign * move for name, move in moves.items()})
            if answer.findings:
                return False
            oracle = _Oracle(self.oracle.loss, answer.place, self.oracle.trust, self.oracle.rng)
            side = _Judge(oracle, answer, min(self.rtol.values()), self.own_noise, self.beside)
            side.noise = self.noise
            if not (side._agree_complex(group) if line is None else self._agree_one_sided(side, moves, sign)):
                return False
            sides.append(side.claim)
        return all(self._brackets(name, *(claim[name] for claim in sides)) for name in group)

    def _agree_one_sided(self, side, moves, sign):
        phi = self.oracle.line
        value, bound = one_sided(lambda t: phi(sign * t), self.oracle.noise)
        expected, slack, parts = side._expect(moves)
        quietest = VISIBLE * min(parts.values())
        return bound <= quietest and abs(sign * value - expected) <= bound + slack + quietest

    def _brackets(self, name, one, other):
        low, high = np.minimum(one, other), np.maximum(one, other)
        slack = self.slack(name) + self.rtol[name] * np.maximum(np.abs(low), np.abs(high))
        claim = self.claim[name]
        return bool(((low - slack <= claim) & (claim <= high + slack)).all())

    def _zero(self, moves, part, bound):
        """Is the gradient zero by its own account, and the bound small, beside what f does elsewhere or further on?"""
        loss, here = self.oracle.loss, self.oracle.double
        further = loss.probe(here | {name: here[name] + move for name, move in moves.items()})
        unit = np.nanmax([self.total, abs(loss.probe(here)), abs(further - loss.probe(here))])
        [name] = moves
        return part <= 16 * self.eps[name] * unit and bound <= 1e-9 * unit

    def _could_hide(self, name):
        """Could an error hide by chance from all the directions so far?"""
        chance, times = self.chance.get(name, (0.0, 1))
        return chance > max(VISIBLE, self.rtol[name]) / 100 ** (times - 1)

    def _cleared(self, slack, parts):
        """Note how much of each array's part the slack is: that is how likely an error of its size goes unseen."""
        for name, part in parts.items():
            chance, times = self.chance.get(name, (1.0, 0))
            chance *= slack / max(VISIBLE * self.total, part, TINY)
            if len(parts) == 1 and self.claim[name].size == 1:
                chance = 0.0  # one number alone has but one direction
            self.chance[name] = chance, times + 1
        return True

    def _expect(self, moves):
        """What the gradient under test says of moves: value, its rounding noise, and each array's share by size."""
        value, slack, parts = 0.0, 0.0, {}
        for name, move in moves.items():
            terms = self.claim[name] * move
            parts[name] = _norm(terms)
            value += terms.sum()
            rounding = self.slack(name)
            spread = rounding * _norm(move) if self.noise is None else _norm(rounding * move)
            slack += 64 * self.eps[name] * parts[name] + spread
        return value, slack, parts

    # -- entry by entry

    def settle(self, name, everything=False):
        """Compute the entries of an array and mark those that are wrong."""
        if self.noise is None:
            self.noise = self.own_noise()
        size = self.claim[name].size
        if everything or size <= ENTRIES:
            self._fill(name, range(size))
        else:
            self._search(name)
        wrong = self._off(name)
        kind = self.oracle.trust.kinds[name]
        if wrong.any() and kind != "real":
            wrong = self._second_opinion(name, wrong)
        near = wrong & self._only_estimated(name) if name in self.differenced else np.zeros_like(wrong)
        self.wrong[name] = wrong & ~near
        if self.wrong[name].any() or (self.jump[name].any() and not near.any()):
            self.doubtful.pop(name, None)
        elif near.any():
            first = np.flatnonzero(near)[0]
            self.doubtful.setdefault(name, (self.numeric[name].flat[first], self.bound[name].flat[first]))

    def _fill(self, name, indices, kind=None):
        indices = np.asarray(indices, dtype=int)
        found = self.oracle.entries_and_jumps(name, indices, kind or self.oracle.trust.kinds[name])
        for arrays, values in zip((self.numeric, self.bound, self.jump), found, strict=True):
            if not arrays[name].flags.writeable:
                arrays[name] = np.array(arrays[name])
            arrays[name].flat[indices] = values
        if (kind or self.oracle.trust.kinds[name]) == "real":
            self.differenced.add(name)

    def _off(self, name):
        with np.errstate(invalid="ignore"):
            size = np.maximum(np.abs(self.numeric[name]), self.jump[name])
            slack = self.bound[name] + self.slack(name) + self.rtol[name] * size
            return np.abs(self.claim[name] - self.numeric[name]) > slack

    def _only_estimated(self, name):
        """Entries whose bound is mostly noise, and that lie within a few such bounds of the oracle's value."""
        size = np.maximum(np.abs(self.numeric[name]), self.jump[name])
        noise = self.bound[name] - self.jump[name] / 2
        gap = np.abs(self.claim[name] - self.numeric[name]) - self.jump[name] / 2
        return (noise > WIDE * size) & (gap <= ESTIMATES * noise)

    def _second_opinion(self, name, wrong):
        """Before an entry is called wrong, real differences look at it: a complex step sees one side of a kink."""
        move = self.oracle.random_move(name) * wrong
        value, bound, jump = self.oracle.real_slope({name: move})
        stepped = float((self.numeric[name][wrong] * move[wrong]).sum())
        if jump > 0 or abs(stepped - value) > 4 * bound:
            self._fill(name, np.flatnonzero(wrong), kind="real")
            return self._off(name)
        gap = abs((self.claim[name] * move).sum() - value)
        if self.oracle.trust.kinds[name] == "unseen" and gap <= ESTIMATES * bound:
            self.doubtful[name] = (value, bound)
            return np.zeros_like(wrong)
        return wrong

    def _search(self, name):
        """Find wrong entries of a big array: halve what disagrees, smallest part and largest gap first."""
        move = self.oracle.random_move(name).ravel()
        queue, budget, found = [(move.size, -np.inf, 0)], ENTRIES, 0
        while queue and budget > 0 and found < SAMPLE:
            length, _, start = heapq.heappop(queue)
            if length == 1:
                self._fill(name, [start])
                found += self._off(name).flat[start]
                budget -= 1
                continue
            half = length // 2
            for first, size in ((start, half), (start + half, length - half)):
                gap = self._gap(name, move, first, first + size)
                budget -= 1
                if gap > 0:
                    heapq.heappush(queue, (size, -gap, first))

    def _gap(self, name, move, start, stop):
        """By how much the derivative along a part of move is off, beyond what rounding explains."""
        part = np.zeros(move.size)
        part[start:stop] = move[start:stop]
        moves = {name: part.reshape(self.claim[name].shape)}
        expected, slack, _ = self._expect(moves)
        if self.oracle.trust.kinds[name] != "real":
            return abs(self.oracle.complex_slope(moves) - expected) - slack
        value, bound, jump = self.oracle.real_slope(moves)
        return abs(value - expected) - slack - bound - jump / 2


# ---------------------------------------------------------------- layers, as functions of one dict


def _random_upstream(forward, inputs, rng):
    """Random numbers shaped like forward's output; ValueError if that is not made of floats."""
    try:
        with _quiet():
            output = forward(**{name: _copy(value) for name, value in inputs.items()})
    except Exception as error:
        raise ValueError(f"forward raised {type(error).__name__}: {error}.") from error

    def draw(part):
        array = np.asarray(part)
        if array.dtype.kind != "f":
            raise ValueError(f"forward: expected an array of floats or a tuple of them, got {type(part).__name__}.")
        numbers = rng.standard_normal(array.shape).astype(array.dtype)
        return numbers if isinstance(part, np.ndarray) else numbers[()]

    return tuple(draw(part) for part in output) if isinstance(output, tuple | list) else draw(output)


def _inner(upstream, output):
    """Sum of upstream * output, over all outputs: the scalar whose gradient the backward pass computes."""
    if isinstance(upstream, tuple | list):
        if len(upstream) != len(output):
            raise ValueError(f"upstream: {len(upstream)} arrays for {len(output)} outputs")
        return sum(_inner(u, part) for u, part in zip(upstream, output, strict=True))
    if np.shape(upstream) != np.shape(output):
        raise ValueError(f"upstream: shape {np.shape(upstream)}, expected forward's {np.shape(output)}")
    return np.sum(np.asarray(upstream) * output)


def _by_name(result, names, floats):
    """backward's result as a dict: given as one, or as a tuple in the order of the inputs, or as one array."""
    if result is None or isinstance(result, Mapping):
        return result
    if isinstance(result, tuple | list):
        for order in (names, floats):
            if len(result) == len(order):
                return {name: value for name, value in zip(order, result, strict=True) if name in floats}
        return result
    return {floats[0]: result} if len(floats) == 1 else result


# ---------------------------------------------------------------- the report


def _at(index):
    return f" [{', '.join(str(i) for i in index)}]" if index else ""


def _count(some, total):
    return f"{some} of {total} {'entry is' if total == 1 else 'entries is' if some == 1 else 'entries are'}"


def _by(value, bound):
    return f"finite differences give {value:.4g} ± {bound:.0e}"


def _yours(claim, value, bound):
    """Both numbers, with as many digits as it takes to see that they differ."""
    for digits in range(4, 18):
        yours, theirs = f"{claim:.{digits}g}", f"{value:.{digits}g}"
        if yours != theirs:
            break
    return f"yours {yours}, finite differences give {theirs} ± {bound:.0e}"


def _rows(report):
    """The table: name, shape, wrong entries, worst entry, yours, numeric ± error; one row per parameter."""
    rows = []
    for name, value in report.params.items():
        yours = report.analytic.get(name)
        wrong = report.wrong[name]
        if yours is None:
            rows.append((name, str(value.shape), "missing", "", "", ""))
        elif yours.shape != value.shape:
            rows.append((name, str(value.shape), f"shape {yours.shape}", "", "", ""))
        elif not wrong.any():
            rows.append((name, str(value.shape), "none", "", "", ""))
        else:
            gap = np.where(wrong, np.nan_to_num(np.abs(yours - report.numeric[name]), nan=np.inf), -1.0)
            worst = np.unravel_index(np.argmax(gap), gap.shape)
            number, bound = report.numeric[name][worst], report.error_bound[name][worst]
            numbers = f"{yours[worst]:.6g}", f"{number:.6g} ± {bound:.0e}"
            rows.append((name, str(value.shape), f"{wrong.sum()} of {wrong.size}", _at(worst).strip(), *numbers))
    return rows


COLUMNS = ("parameter", "shape", "wrong", "worst", "yours", "numeric ± error")


def _sentences(report):
    if report.findings:
        return [finding.message for finding in report.findings]
    return [f"Right: {', '.join('d' + name for name in report.params)}."]


def _as_text(report):
    lines = _sentences(report)
    if report.verdict == "pass":
        return "\n".join(lines)
    table = [COLUMNS, *_rows(report)]
    widths = [max(len(row[k]) for row in table) for k in range(len(COLUMNS))]
    lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    return "\n".join(lines)


def _as_html(report):
    from html import escape

    mark = {"pass": "✓ right", "fail": "✗ wrong", "inconclusive": "? cannot tell"}[report.verdict]
    colour = {"pass": "--jp-success-color1, #2e7d32", "fail": "--jp-error-color1, #c62828"}.get(
        report.verdict, "--jp-warn-color1, #b26a00"
    )
    cell = 'style="text-align: left; padding: 0.15em 0.8em; border-bottom: 1px solid currentColor"'
    first, *others = [escape(sentence) for sentence in _sentences(report)]
    head = "".join(f'<th scope="col" {cell}>{escape(title)}</th>' for title in COLUMNS)
    body = "".join(
        "<tr>" + "".join(f"<td {cell}>{escape(text)}</td>" for text in row) + "</tr>" for row in _rows(report)
    )
    more = "".join(f"<li>{sentence}</li>" for sentence in others)
    return (
        f'<div style="color: inherit; border-left: 4px solid var({colour}); padding-left: 0.8em">'
        f"<p><strong>{mark}</strong> · {first}</p>"
        + (f"<ul>{more}</ul>" if more else "")
        + f'<table style="border-collapse: collapse; color: inherit"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _as_figure(report):
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure
    from matplotlib.patheffects import withStroke

    names = list(report.params)
    figure = Figure(figsize=(2.6 * max(len(names), 1), 2.8), layout="constrained")
    axes = figure.subplots(1, max(len(names), 1), squeeze=False)[0]
    errors = {name: _error_grid(report, name) for name in names}
    sizes = [e[np.isfinite(e) & (e > 0)] for e in errors.values() if e is not None]
    sizes = np.concatenate(sizes) if sizes else np.array([])
    norm = LogNorm(sizes.min() if sizes.size else 1e-16, max(sizes.max(), 1.01 * sizes.min()) if sizes.size else 1.0)
    image = None
    for axis, name in zip(axes, names, strict=False):
        axis.set_title(f"d{name}", parse_math=False)
        if errors[name] is None or not np.isfinite(errors[name]).any():
            axis.set_axis_off()
            axis.text(0.5, 0.5, _no_picture(report, name), ha="center", va="center", transform=axis.transAxes)
            continue
        image = axis.imshow(np.maximum(errors[name], norm.vmin), norm=norm, cmap="viridis", aspect="auto")
        rows, columns = np.nonzero(_grid(report.wrong[name]))
        outline = [withStroke(linewidth=3.5, foreground="black")]  # so that a cross shows on dark and on light cells
        axis.plot(columns, rows, "x", color="white", markersize=7, markeredgewidth=1.5, path_effects=outline)
        axis.set_xticks([])
        axis.set_yticks([])
    if image is not None:
        figure.colorbar(image, ax=list(axes), label="|yours - numeric|")
    return figure


def _grid(array):
    """An array of any shape as a matrix: a vector as one row, more axes folded into the rows."""
    return array.reshape(-1, array.shape[-1]) if array.ndim > 1 else array.reshape(1, -1)


def _error_grid(report, name):
    yours = report.analytic.get(name)
    if yours is None or yours.shape != report.params[name].shape or not yours.size:
        return None
    return _grid(np.abs(yours - report.numeric[name]).astype(float))


def _no_picture(report, name):
    yours = report.analytic.get(name)
    if yours is None:
        return "missing"
    expected = report.params[name].shape
    return f"shape {yours.shape}\nexpected {expected}" if yours.shape != expected else "right"
