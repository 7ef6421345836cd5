"""Derivatives of a loss of many arrays, each with an error bound, by the strongest means that the loss allows.

1. `Loss`: f, called with care.
2. `find_trust`: does f take complex numbers, and does the complex step agree, array by array, with real differences?
   In which float type does f compute?
3. `Oracle`: the derivative along a direction, or entry by entry, at one place.
"""

import functools
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from backprop.slopes import complex_step, noise_level, ridders

EXTENDED = bool(np.finfo(np.longdouble).eps < np.finfo(float).eps)  # not so on ARM nor in a browser
METHODS = ("auto", "complex", "extended", "ridders")
VISIBLE = 1e-6  # an array is heard in a chorus when its part is at least this share of the whole
WIDE = 1e-3  # a bound wider than this share of the gradient decides nothing
LONG = 0.8
BLOCK = 16384  # numbers, so that a few arrays of them fit in a processor's own memory
NOWHERE = np.complex128(complex(np.nan, np.nan))  # the value of f where it has none, also to a complex step


# ---------------------------------------------------------------- f, called with care


class Loss:
    """f with what every call needs: copies going in, one number coming out."""

    def __init__(self, f, params, label="f", identity=None):
        self.f = f
        self.label = label
        self.identity = _identity(identity or f)
        self.lent = {}  # by parameter: an array of ours and the copy of it that f and grad get to see
        self.kinds = {name: type(value) for name, value in params.items()} if isinstance(params, Mapping) else {}

    def read(self, params):
        """params as arrays, or ValueError."""
        if not isinstance(params, Mapping) or not params:
            raise ValueError(f"params: expected a dict of float arrays by name, got {params!r:.80s}.")
        for name, value in params.items():
            if not isinstance(name, str):
                raise ValueError(f"params: expected names that are strings, got {name!r}.")
            if not is_float(value):
                dtype = getattr(value, "dtype", None)
                got = f"an array of {dtype}" if dtype is not None else f"{type(value).__name__} {value!r:.40s}"
                raise ValueError(f"params[{name!r}]: expected a float array or a float, got {got}.")
            if not np.isfinite(value).all():
                raise ValueError(f"params[{name!r}]: expected finite numbers, got nan or inf.")
        return {name: np.array(value, order="K") for name, value in params.items()}

    def inputs(self, place, fresh=()):
        """The parameters in the form in which the caller gave them, and what happens to them is our loss alone."""
        return {name: self._present(name, value, name in fresh) for name, value in place.items()}

    def _present(self, name, value, fresh):
        if self.kinds[name] is float:
            return value.item()
        if not issubclass(self.kinds[name], np.ndarray):
            return value[()]
        if fresh:
            return value
        original, copy = self.lent.get(name, (None, None))
        if original is not value or not np.array_equal(copy, value):  # else it came back as it was
            copy = value.copy(order="K")
            self.lent[name] = value, copy
        return copy

    def value(self, place):
        """f at place, or a ValueError that says what is wrong with f."""
        try:
            value = self.f(self.inputs(place))
        except Exception as error:
            missing = f" (params has {listing(place)})" if isinstance(error, KeyError) else ""
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


def _identity(f):
    """What tells one function's code from another's, in this process and in any other."""
    code = getattr(f, "__code__", None)
    kind = type(f)
    if code is None:
        return kind.__module__, kind.__qualname__
    return code.co_filename, code.co_firstlineno, code.co_code, code.co_linetable


def is_float(value):
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


class quiet(warnings.catch_warnings):
    """No floating-point or other warnings: a probe may step out of bounds, and an honest forward may overflow."""

    def __enter__(self):
        super().__enter__()
        warnings.simplefilter("ignore")
        self.errors = np.errstate(all="ignore")
        self.errors.__enter__()

    def __exit__(self, *exception):
        self.errors.__exit__(*exception)
        super().__exit__(*exception)


def listing(names):
    return ", ".join(repr(name) for name in names)


# ---------------------------------------------------------------- sizes and steps


def nudge(value, rng, eps):
    factor = rng.random(value.shape)
    factor -= 0.5
    factor *= 4 * eps
    factor += 1
    return (value * factor).astype(value.dtype, copy=False)


def random_direction(shape, rng):
    """Numbers of size 1/4 to 1 and either sign, continuous: no error stands at right angles to them but by a miracle.

    Each is a product of two, so that n of them take about 2 sqrt(n) random numbers.
    """
    size = math.prod(shape)
    side = math.isqrt(max(size - 1, 0)) + 1
    factors = rng.uniform(-0.5, 0.5, (2, side))
    factors += np.copysign(0.5, factors)
    return np.multiply.outer(factors[0, : -(-size // side)], factors[1]).ravel()[:size].reshape(shape)


def largest(value):
    """The natural size of a step in an array: its largest entry, or 1 where all are 0."""
    return float(max(value.max(initial=0), -value.min(initial=0))) or 1.0


def natural(value):
    """The size of each entry of an array, signs aside; that of the largest where an entry is 0."""
    return value if value.all() else np.where(value == 0, largest(value), value)


def norm(array):
    # np.linalg.norm would start BLAS threads, which cost milliseconds on a busy machine.
    flat = array.ravel()
    return math.sqrt(np.einsum("i,i->", flat, flat))


def products(a, b):
    """Sum and norm of a * b, block by block: the memory for a big temporary array costs more than the arithmetic."""
    a, b = a.ravel(), b.ravel()
    blocks = (a[k : k + BLOCK] * b[k : k + BLOCK] for k in range(0, a.size, BLOCK))
    sums, norms = zip(*((float(block.sum()), norm(block)) for block in blocks), strict=True)
    return sum(sums), math.hypot(*norms)


def machine_eps(*arrays):
    return max(float(np.finfo(array.dtype).eps) for array in arrays)


# ---------------------------------------------------------------- the oracle


@dataclass(frozen=True)
class Trust:
    """What f allows: real, the widest float type it computes in (None: only that of params), and by parameter the
    oracle: "complex" (agreed with real differences), "unseen" (too small there to be compared) or "real".

    stepped: complex arrays by parameter, used for every complex step, since fresh memory costs more than arithmetic.
    """

    real: type | None
    kinds: dict
    stepped: dict = field(default_factory=dict)


def find_trust(loss, place, method, cache):
    """Find out what f allows, or remember it from the caller's cache."""
    if method not in METHODS:
        raise ValueError(f"method: expected one of {listing(METHODS)}, got {method!r}.")
    shapes = tuple((name, value.shape, value.dtype.str) for name, value in place.items())
    key = (loss.identity, method, shapes)
    if cache is not None and key in cache:
        return cache[key]
    if method == "complex":
        trust = Trust(np.float64, dict.fromkeys(place, "complex"))
    else:
        trust = Trust(_widest(loss, place, method), dict.fromkeys(place, "real"))
    oracle = Oracle(loss, place, trust, np.random.default_rng(0))
    takes_complex = np.isfinite(oracle.complex_slope({name: oracle.random_move(name) for name in place}))
    if method == "complex" and not takes_complex:
        raise ValueError(f"method: {loss.label} cannot be called with complex numbers; use method='auto'.")
    if method == "auto" and takes_complex:
        trust = Trust(trust.real, trust.kinds | _compare(oracle, list(place), None))
    if cache is not None:
        cache[key] = trust
    return trust


def _widest(loss, place, method):
    """The widest float type in which f computes from beginning to end: long double, float64 or params' own."""
    value = loss.probe(place)
    close = np.sqrt(machine_eps(*place.values())) * abs(value)
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
        # Most likely f drops the imaginary part of some: their share is 0.  Else the halves are asked.
        deaf = [name for name in names if parts[name] == 0]
        first = deaf if 0 < len(deaf) < len(names) else names[: len(names) // 2]
        return _compare(oracle, first, unit) | _compare(oracle, [n for n in names if n not in first], unit)
    seen = [name for name in names if abs(parts[name]) > 1e3 * bound]
    hidden = [name for name in names if name not in seen]
    if hidden and seen:
        return dict.fromkeys(seen, "complex") | _compare(oracle, hidden, unit)
    kinds = dict.fromkeys(seen, "complex") | dict.fromkeys(hidden, "complex" if bound <= 1e-9 * unit else "unseen")
    # A step that sees nothing where f moves: perhaps f drops the imaginary part of a small gradient.
    silent = [name for name in hidden if parts[name] == 0]
    return kinds | dict.fromkeys(silent if silent and oracle.changes().any() else [], "real")


class Oracle:
    """Derivatives of f at one place, each with an error bound; value: f there, if known."""

    def __init__(self, loss, place, trust, rng, value=None):
        self.place, self.value = place, value
        self.loss, self.trust, self.rng = loss, trust, rng
        self.double = {name: value.astype(np.result_type(value, float), copy=False) for name, value in place.items()}
        self.scale = {name: largest(value) for name, value in place.items()}
        self.dtypes = {name: value.dtype for name, value in place.items()}
        self.relative = {}
        self.noise = None
        self.elsewhere = None  # an oracle of the same f at a place that is no kink but by chance
        self.complex_noise = {}
        self.differenced = set()  # arrays with entries from real differences, whose bounds hold their rounding
        self.line = None  # the last line along which real differences were taken; it remembers its values

    @functools.cached_property
    def real(self):
        """The parameters in the widest float type of f."""
        place = self.double.items()
        return {name: value.astype(self.trust.real or self.dtypes[name], copy=False) for name, value in place}

    @functools.cached_property
    def centre(self):
        """f here, in the widest float type."""
        known = self.value is not None and all(value is self.place[name] for name, value in self.real.items())
        return self.value if known else self.loss.probe(self.real)

    def random_move(self, name):
        """A random direction of an array, in its natural units."""
        move = random_direction(self.double[name].shape, self.rng)
        move *= self.relative.get(name, self.scale[name])
        return move

    def random_slope(self, names, long=False):
        """(moves, value, bound, jump) along a random direction through these arrays, by real differences."""
        moves = {name: self.random_move(name) for name in names}
        found = self.real_slope(moves, long)
        further = self._line(self.real, moves)
        if found[1] <= WIDE * abs(found[0]) or np.isfinite(further(0.05) + further(-0.05)):
            return moves, *found
        # f has no value so far out: from now on each entry moves in proportion to itself.
        self.noise = self.elsewhere = None
        for name in names:
            self.relative[name] = natural(self.double[name])
        moves = {name: self.random_move(name) for name in names}
        return moves, *self.real_slope(moves, long)

    def along(self, moves):
        """(value, bound) of the derivative along moves (dict name -> array), each array by the oracle it allows."""
        steps = {name: move for name, move in moves.items() if self.trust.kinds[name] != "real"}
        others = {name: move for name, move in moves.items() if name not in steps}
        value, bound, _ = self.real_slope(others) if others else (0.0, 0.0, 0.0)
        if steps:
            slope = self.complex_slope(steps)
            rounding = self.rounding(steps, slope) + 8 * machine_eps(*self.double.values()) * abs(slope)
            value, bound = value + slope, bound + rounding
        return value, bound

    def entries(self, name, indices):
        """(values, bounds), 1-D arrays, of the entries of one array with these flat indices."""
        values, bounds, _ = self.entries_and_jumps(name, indices, self.trust.kinds[name])
        return values, bounds

    def entries_and_jumps(self, name, indices, kind, unit=0.0):
        """(values, bounds, jumps) of these entries; unit: the size of such an entry, where it is known."""
        indices = list(indices)
        found = np.zeros((3, len(indices)))
        self.differenced |= {name} if kind == "real" else set()
        for k, index in enumerate(indices):
            move = np.zeros(self.double[name].shape)
            move.flat[index] = 1.0
            if kind == "real":
                slope, bound, jump = self.real_slope({name: move * self.scale[name]})
                found[:, k] = np.array([slope, bound + jump / 2, jump]) / self.scale[name]
            else:
                found[0, k] = self.complex_slope({name: move})
        if kind != "real" and indices:
            rounding = self._entry_rounding(name)
            if rounding > WIDE * max(unit, np.abs(found[0]).max()):
                # An ulp to one side the slope is another one: it is not rounding but a kink, on which both sides count.
                return self.entries_and_jumps(name, indices, "real")
            found[1] = 8 * machine_eps(self.double[name]) * np.abs(found[0]) + rounding
        return found

    def complex_slope(self, moves):
        """Derivative along moves by the complex step; nan where f does not take complex numbers."""
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            return complex_step(self._line(self.double, moves))

    def real_slope(self, moves, long=False):
        """(value, bound, jump) along moves by Ridders; where the loss hardly changes, with larger steps too.

        long: where rounding drowns these, with one as long as the parameters themselves.
        """
        self.start(moves)
        phi = self.line
        found = ridders(phi, self.noise)
        for start in [*self._other_starts(moves), *[LONG] * long]:
            if found[1] <= (VISIBLE if start != LONG else WIDE) * abs(found[0]):
                break
            found = min(found, ridders(phi, self.noise, start), key=lambda item: item[1])
        return found

    def changes(self):
        """By how much f changes along the line, near and far; nan where it has no value there."""
        return np.array([abs(self.line(t) - self.centre) for t in (-1.0, 1.0, -0.05, 0.05)], dtype=float)

    def start(self, moves):
        """Real differences along moves are about to be taken: `line` is f along them, `noise` its rounding."""
        moves = {name: move.astype(self.real[name].dtype) for name, move in moves.items()}
        line = self._line(self.real, moves)
        self.line = functools.cache(lambda t: line(t) if t else self.centre)
        if self.noise is None:
            self.noise = self._noise()

    def _noise(self):
        """The noise of f here: measured, or in proportion what it is elsewhere, where the same was measured."""
        other = self.elsewhere
        if other is not None and abs(other.centre) / 10 < abs(self.centre) < 10 * abs(other.centre):
            other.noise = other.noise or other._noise()
            return other.noise * max(1.0, abs(self.centre / other.centre))
        everywhere = {name: self.random_move(name).astype(value.dtype) for name, value in self.real.items()}
        return noise_level(self._line(self.real, everywhere), machine_eps(*self.real.values()))

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
            moved = {name: self._shifted(name, base[name], t, move) for name, move in moves.items()}
            return self.loss.probe(base | moved, fresh=moved)

        return phi

    def _shifted(self, name, value, t, move):
        """value + t * move; for an imaginary t without the products by 0 that complex arithmetic would do."""
        if not isinstance(t, complex) or value.dtype != float:
            return np.asarray(value + t * move)
        shifted = self.trust.stepped.get(name)
        if shifted is None or shifted.shape != value.shape:
            shifted = self.trust.stepped[name] = np.empty(value.shape, dtype=complex)
        shifted.real = value
        np.multiply(move, t.imag, out=shifted.imag)
        return shifted

    def rounding(self, moves, slope):
        """How much the complex step moves when the parameters move by an ulp."""
        spread = 0.0
        for _ in range(2):
            nudged = {name: nudge(value, self.rng, machine_eps(value)) for name, value in self.double.items()}
            with warnings.catch_warnings():
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
                spread = max(spread, abs(complex_step(self._line(nudged, moves)) - slope))
        return 4 * spread

    def _entry_rounding(self, name):
        if name not in self.complex_noise:
            move = random_direction(self.double[name].shape, self.rng)
            slope = self.complex_slope({name: move})
            self.complex_noise[name] = self.rounding({name: move}, slope) / norm(move)
        return self.complex_noise[name]
