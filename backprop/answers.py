"""Structure before numbers: what did the function under test return, and is it the same at a second call?"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from backprop.oracle import listing, machine_eps, natural, nudge, random_direction
from backprop.report import Finding, at, count_of

BESIDE = 1e-8  # how far to either side of a kink its two slopes are asked for, in natural units


@dataclass
class Answer:
    """What f and grad gave at one place, after looking at the structure."""

    place: dict
    value: object = None
    result: object = None
    gradient: dict = field(default_factory=dict)
    usable: set = field(default_factory=set)
    findings: list = field(default_factory=list)
    error: BaseException | None = None


class Mutated(Exception):
    """The function under test changed what it was given."""


def ask(loss, grad, place):
    """Call f and grad at place and look at all that can be seen without numbers to compare with."""
    answer = Answer(place)
    answer.value = loss.value(place)
    _call(loss, grad, answer)
    if not answer.findings:
        _ask_again(loss, grad, answer)
    return answer


def ask_nearby(loss, grad, params, rng):
    """The same at another place, away from kinks, zeros and earlier answers; None if f has no value around here."""
    for size in (0.3, 1e-2, 1e-4):
        answer = Answer({name: jitter(value, size, rng) for name, value in params.items()})
        answer.value = loss.probe(answer.place)
        if np.isfinite(answer.value):
            _call(loss, grad, answer)
            return answer
    return None


def ask_beside(loss, grad, place, moves):
    """The same a hair along moves, away from a kink at place."""
    hair = max(BESIDE, 64 * machine_eps(*place.values()))
    moved = {name: (place[name] + hair * move).astype(place[name].dtype, copy=False) for name, move in moves.items()}
    answer = Answer(place | moved)
    loss.probe(answer.place)
    _call(loss, grad, answer)
    return answer


def _call(loss, grad, answer, keep=True):
    """Call grad; its answer is copied where it has to outlive the next call, which may use the same buffers."""
    given = loss.inputs(answer.place)
    try:
        result = grad(given)
    except Mutated as mutated:
        answer.findings.append(Finding("input-mutated", "", f"{mutated} was changed in place: work on a copy."))
        return
    except Exception as error:
        answer.error = error
        answer.findings.append(_exception_finding(error))
        return
    answer.result = copied(result) if keep else result
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
        message = f"The gradient is a {type(result).__name__}, expected a dict with {listing(place)}."
        return {}, set(), [Finding("wrong-container", "", message)]
    gradient, usable, findings = {}, set(), []
    for name, value in place.items():
        if name not in result:
            has = listing(result) or "no entries"
            message = f"d{name} is missing: the gradient has {has}, expected {listing(place)}."
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
        if kind == "Tensor":
            return None, Finding("", name, f"d{name} is a Tensor, expected an array of floats: take that out.")
        # A dict or a word is no number of another kind.
        named = "wrong-dtype" if kind == "complex" else ""
        return None, Finding(named, name, f"d{name} is {kind}, expected an array of floats.")
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
        message = f"d{name}: {count_of(bad.sum(), bad.size)} not finite, the first is {floats[first]}{at(first)}."
        return floats, Finding("not-finite", name, message)
    return floats, None


def _ask_again(loss, grad, answer):
    """The same question twice must have the same answer."""
    before, after = answer.value, loss.value(answer.place)
    if abs(after - before) > 1e-6 * max(abs(after), abs(before)):
        message = f"{loss.label} gives {before:.6g}, then {after:.6g} at the same parameters: fix its random seed."
        answer.findings.append(Finding("randomness-between-calls", "", message))
        return
    second = Answer(answer.place)
    _call(loss, grad, second, keep=False)
    if second.findings:
        answer.findings += second.findings
        answer.error = second.error
        return
    for name, first in answer.gradient.items():
        if np.array_equal(second.gradient[name], first):
            continue
        slack = 1e3 * machine_eps(first) * np.abs(first).max()
        if np.abs(second.gradient[name] - first).max() <= slack:
            continue
        if np.abs(second.gradient[name] - 2 * first).max() <= 2 * slack:
            message = f"d{name}: the second call gives twice the first: it adds to what the first one left."
            answer.findings.append(Finding("not-zeroed", name, message))
        else:
            message = f"d{name}: two calls with the same parameters give different answers."
            answer.findings.append(Finding("randomness-between-calls", name, message))


def own_noise(loss, grad, answer, rng):
    """dict name -> array: how much each entry under test moves when the parameters move by an ulp or two."""
    noise = {name: np.zeros(answer.place[name].shape) for name in answer.usable}
    eps = machine_eps(*answer.gradient.values(), *answer.place.values())
    for _ in range(2):
        moved = Answer({name: nudge(value, rng, eps) for name, value in answer.place.items()})
        loss.probe(moved.place)
        _call(loss, grad, moved, keep=False)
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


def jitter(value, size, rng):
    step = random_direction(value.shape, rng)
    step *= size
    step *= natural(value)
    step += value
    return step.astype(value.dtype, copy=False)


def copied(value):
    """A deep copy of nested containers of arrays."""
    if isinstance(value, np.ndarray):
        return value.copy(order="K")
    if isinstance(value, Mapping):
        return {name: copied(item) for name, item in value.items()}
    if type(value) in (tuple, list):
        return type(value)(copied(item) for item in value)
    return value


def identical(a, b):
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(identical(x, y) for x, y in zip(a, b, strict=True))
    return np.shape(a) == np.shape(b) and bool(np.all(np.asarray(a) == np.asarray(b)))
