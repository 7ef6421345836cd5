r"""Is this gradient right? Compare it with numbers that come with an error bound.

``check_gradient(f, grad, params)`` asks whether ``grad`` is the gradient of ``f``.  Read in this order:

1. *Structure before numbers* (`backprop.answers`): what did ``grad`` return, and is it the same at a second call?
2. *Slopes of a line* (`backprop.slopes`): three ways to differentiate a function of one variable, the last of which
   says how far off it may be.
3. *An oracle* (`backprop.oracle`): the strongest of the three that this ``f`` allows.  The complex step is used for
   an array only after it has agreed there with real finite differences.
4. *Screening* (`_Judge.screen`): a random direction through all arrays decides whether all is well, so that the
   cost does not grow with the number of parameters.
5. *Every entry* (`_Judge.settle`), but only of the arrays that the screen could not clear.
6. *The report* (`backprop.report`), as text, HTML and figure.

An entry is wrong when it differs from the oracle by more than the sum of: the oracle's error bound, the rounding
noise of the gradient under test (how much it moves when the parameters move by an ulp), a floor for gradients that
are truly zero, and ``rtol`` times the entry.  Only ``rtol`` is chosen; the rest is measured.
"""

import functools
import heapq
import math
from collections.abc import Mapping

import numpy as np

from backprop.answers import Answer, Mutated, ask, ask_beside, ask_nearby, copied, identical, jitter, own_noise
from backprop.oracle import (
    VISIBLE,
    WIDE,
    Loss,
    Oracle,
    find_trust,
    is_float,
    listing,
    machine_eps,
    natural,
    norm,
    products,
    quiet,
)  # fmt: skip
from backprop.report import Finding, Report, as_measured, at, count_of, told_apart, yours_and_theirs
from backprop.slopes import complex_step, noise_level, one_sided, ridders

__all__ = [
    "Finding", "Report", "check_gradient", "check_vjp", "numerical_gradient", "directional_derivative",
    "complex_step", "noise_level", "one_sided", "ridders", "told_apart",
]  # fmt: skip

ENTRIES = 2000  # in mode "screen", look at no more entries than this of one array
SAMPLE = 32  # in a bigger array, stop when this many entries are found wrong
BLUNT = 4  # how many directions to try where rounding is not far below the derivative
ESTIMATES = 10  # a bound that wide is an estimate itself: only a gap of more than so many of them is an error
ROUNDED = 3000  # a bound of no more than so many times the noise of f is made by that noise: 4 noise/h, h > 0.001
FEW = 3
STILL = 5  # f does not move when its values differ by no more than so many times its noise
TINY = np.finfo(float).tiny


def check_gradient(
    f, grad, params, rtol=1e-6, method="auto", mode="screen", points=2, seed=0, mistakes=None, cache=None,
    accepted=None,
):  # fmt: skip
    """Check the gradient of a scalar function.

    f(params) -> scalar; grad(params) -> dict like params.  ``f`` is called right before each call of ``grad``.
    params: dict name -> float array of any shape, or Python float.  None of them is changed.
    rtol: relative errors below this are not worth telling (float32: at least 3e-5).
    method: "auto", or one oracle for all: "complex", "extended" (long double), "ridders" (float64).
    mode: "screen", or "full" to compute every entry at every point.
    points: how many points to check at: ``params``, then jittered copies of it.
    mistakes: None, or a function report -> list of Finding, called on a failure; its findings are appended.
    cache: None, or a dict that the caller keeps for this one f: it remembers which oracle f allows.
    accepted: None, or a list that the caller keeps for this one f: the gradients that have passed, each with the points
        it was checked at.  One that differs from them by no more than rounding passes too, without an oracle.

    Returns a Report.  Raises ValueError for a bad call: f not scalar or raising, params not float arrays.
    """
    loss = Loss(f, params)
    return _check(loss, grad, loss.read(params), rtol, method, mode, points, seed, mistakes, cache, accepted)


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
    floats = {name: value for name, value in inputs.items() if is_float(value)}
    fixed = {name: value for name, value in inputs.items() if name not in floats}
    if upstream is None:
        upstream = _random_upstream(forward, inputs, np.random.default_rng(seed))

    def f(params):
        return _inner(upstream, forward(**fixed, **params))

    def grad(params):
        given = copied(upstream)
        result = backward(given, **{name: params.get(name, fixed.get(name)) for name in inputs})
        if not identical(given, upstream):
            raise Mutated("the upstream gradient")
        return _by_name(result, list(inputs), list(floats))

    loss = Loss(f, floats, label="forward", identity=forward)
    return _check(loss, grad, loss.read(floats), rtol, method, mode, points, seed, mistakes, cache)


def numerical_gradient(f, params, method="auto"):
    """Gradient of f at params by the strongest oracle f allows, entry by entry.

    Returns (gradient, error_bound), two dicts name -> array shaped like params.
    Raises ValueError for a bad call, as check_gradient does.
    """
    loss = Loss(f, params)
    place = loss.read(params)
    with quiet():
        loss.value(place)
        oracle = Oracle(loss, place, find_trust(loss, place, method, None), np.random.default_rng(0))
        found = {name: oracle.entries(name, range(place[name].size)) for name in place}
        loss.value(place)
    shaped = {name: (v.reshape(place[name].shape), b.reshape(place[name].shape)) for name, (v, b) in found.items()}
    return {name: v for name, (v, _) in shaped.items()}, {name: b for name, (_, b) in shaped.items()}


def directional_derivative(f, params, direction, method="auto"):
    """Derivative of f at params along direction (a dict like params; arrays left out do not move).

    Returns (value, error_bound).  Raises ValueError for a bad call, as check_gradient does.
    """
    loss = Loss(f, params)
    place = loss.read(params)
    moves = {}
    for name, move in direction.items():
        if name not in place:
            raise ValueError(f"direction[{name!r}]: no such parameter; params has {listing(place)}.")
        moves[name] = np.asarray(move, dtype=float)
        if moves[name].shape != place[name].shape:
            raise ValueError(f"direction[{name!r}]: shape {moves[name].shape}, expected {place[name].shape}.")
    with quiet():
        loss.value(place)
        oracle = Oracle(loss, place, find_trust(loss, place, method, None), np.random.default_rng(0))
        value, bound = oracle.along(moves)
        loss.value(place)
    return float(value), float(bound)


# ---------------------------------------------------------------- the verdict


def _report(judges):
    """The report at the place where something is wrong, or at the first one."""
    last = judges[-1]
    judge = last if last.wrong_names() or last.answer.findings else judges[0]
    answer = judge.answer
    findings = answer.findings + [_wrong_finding(judge, name) for name in judge.wrong_names() if name in judge.claim]
    undecided = {name: found for each in judges for name, found in each.doubtful.items()}
    undecided |= {name: found for name, found in last.wide.items() if all(name in each.wide for each in judges)}
    doubts = [_undecided_finding(name, *found) for name, found in undecided.items()]
    if judge is not judges[0] and not answer.findings and _stale(judges[0], judge):
        findings = [_stale_finding(name) for name in judge.wrong_names()] + findings
    verdict = "fail" if findings else "inconclusive" if undecided else "pass"
    return Report(
        verdict=verdict,
        findings=findings or doubts,
        analytic=answer.gradient,
        numeric=_everywhere(judge.numeric, np.nan, answer.place),
        error_bound=_everywhere(judge.bound, np.inf, answer.place),
        wrong=_everywhere(judge.wrong, False, answer.place),
        params=answer.place,
        error=answer.error,
        result=answer.result,
    )


def _everywhere(found, unknown, place):
    """What was found, by name, and an array of one value in place of what was not looked for."""
    return {n: found[n] if n in found else np.broadcast_to(unknown, value.shape) for n, value in place.items()}


def _stale(first, second):
    """Is what is wrong at the second place the answer of the first one, where it is right, but not around it?

    Around it, since a gradient may be the same everywhere: that of a piecewise linear loss is so on every piece.
    """
    same = all(identical(array, second.answer.gradient[name]) for name, array in first.answer.gradient.items())
    if not same or not all(first.claim[name].any() for name in second.wrong_names()):
        return False
    oracle = first.oracle
    place = {name: jitter(value, 1e-3, oracle.rng) for name, value in first.answer.place.items()}
    answer = Answer(place, gradient=first.answer.gradient, usable=first.answer.usable)
    around = Oracle(oracle.loss, place, oracle.trust, oracle.rng)
    return bool(_Judge(around, answer, min(first.rtol.values()), first.own_noise, first.beside).screen(1))


def _stale_finding(name):
    message = f"d{name} did not change when the parameters did: it was computed from an earlier call."
    return Finding("stale-cache", name, message)


def _undecided_finding(name, value, bound):
    message = (
        f"d{name} cannot be decided: along a random direction {as_measured(value, bound)}, which does not settle it."
    )
    return Finding("inconclusive", name, message)


def _wrong_finding(judge, name):
    """The entries of one array that are wrong, and the worst of them with both numbers."""
    claim, numeric, wrong = judge.claim[name], judge.numeric[name], judge.wrong[name]
    gap = np.where(wrong, np.abs(claim - numeric), -1.0)
    worst = tuple(int(i) for i in np.unravel_index(np.argmax(gap), gap.shape))
    seen = np.isfinite(numeric)
    numbers = yours_and_theirs(claim[worst], numeric[worst], judge.bound[name][worst])
    if judge.jump[name][worst] > 0:
        return Finding("at-a-kink", name, f"d{name}{at(worst)}: {numbers}, and the loss has a kink here.")
    if not claim.any():
        most = np.nanmax(np.abs(numeric))
        return Finding("zeros", name, f"d{name}: every entry is 0; finite differences give values up to {most:.4g}.")
    if wrong.ndim == 0:
        return Finding("wrong-value", name, f"d{name}: {numbers}.")
    at_least = "" if seen.all() else "at least "
    message = f"d{name}: {at_least}{count_of(wrong.sum(), wrong.size)} wrong; the worst is{at(worst)}: {numbers}."
    return Finding("wrong-value", name, message)


def _check(loss, grad, params, rtol, method, mode, points, seed, mistakes, cache, accepted=None):
    if mode not in ("screen", "full"):
        raise ValueError(f"mode: expected 'screen' or 'full', got {mode!r}.")
    if points < 1:
        raise ValueError(f"points: expected at least 1, got {points!r}.")
    with quiet():
        report = _compare_everywhere(loss, grad, params, rtol, method, mode, points, seed, cache, accepted)
    if report.verdict == "fail" and mistakes is not None:
        report.findings += [found for found in mistakes(report) if found not in report.findings]
    return report


def _compare_everywhere(loss, grad, params, rtol, method, mode, points, seed, cache, accepted):
    rng = np.random.default_rng(seed)
    answers = [ask(loss, grad, params)]
    # grad is asked before the oracle is: that may leave complex numbers in a cache that f keeps.
    while len(answers) < points and not answers[-1].findings:
        answer = ask_nearby(loss, grad, params, rng)
        if answer is None:
            break
        answers.append(answer)
    if any(_agree(earlier, answers) for earlier in accepted or ()):
        loss.value(params)
        return Report(analytic=answers[0].gradient, params=params, result=answers[0].result, as_before=True)
    trust = find_trust(loss, answers[-1].place, method, cache)
    judges = []
    beside = functools.partial(ask_beside, loss, grad)
    oracles = [Oracle(loss, answer.place, trust, rng, answer.value) for answer in answers]
    for oracle in oracles[:-1]:
        oracle.elsewhere = oracles[-1]
    for oracle, answer in zip(oracles, answers, strict=True):
        noise = functools.partial(own_noise, loss, grad, answer, rng)
        judges.append(_Judge(oracle, answer, rtol, noise, beside))
        judges[-1].judge(mode, directions=1 if len(answers) > 1 else 2)
        if judges[-1].wrong_names():
            break
    report = _report(judges)
    if report.ok and accepted is not None:
        accepted.append([Answer(answer.place, answer.value, gradient=answer.gradient) for answer in answers])
    loss.value(params)
    return report


def _agree(earlier, answers):
    """Do these answers differ from earlier ones, which have passed, by rounding alone, at the same points of one f?"""
    return len(earlier) == len(answers) and all(map(_rounded_alike, earlier, answers))


def _rounded_alike(old, new):
    if new.findings or old.value != new.value or new.usable != old.place.keys() or new.place.keys() != old.place.keys():
        return False
    pairs = [(old.place[name], new.place[name], old.gradient[name], new.gradient[name]) for name in old.place]
    return all(a.dtype == b.dtype and identical(a, b) and _within_rounding(c, d) for a, b, c, d in pairs)


def _within_rounding(old, new):
    eps = machine_eps(old)
    return old.dtype == new.dtype and bool(
        (np.abs(new - old) <= 256 * eps * np.abs(old) + 4 * eps * np.abs(old).max(initial=0)).all()
    )


class _Judge:
    """The gradient under test against the oracle, at one place."""

    def __init__(self, oracle, answer, rtol, own_noise, beside):
        self.oracle, self.answer, self.own_noise, self.beside = oracle, answer, own_noise, beside
        self.names = [name for name in answer.place if name in answer.usable and answer.place[name].size]
        self.claim = {name: answer.gradient[name].astype(float, copy=False) for name in self.names}
        self.eps = {name: machine_eps(answer.gradient[name], answer.place[name]) for name in self.names}
        self.rtol = {name: max(rtol, min(250 * self.eps[name], 0.01)) for name in self.names}
        self.size = {name: products(self.claim[name], natural(oracle.double[name]))[1] for name in self.names}
        self.total = math.hypot(*self.size.values())
        floor = 16 * np.finfo(float).eps * self.total
        self.floor = {name: floor / max(oracle.scale[name], 1.0) for name in self.names}
        self.noise = None  # measured where it matters
        self.numeric, self.bound, self.jump, self.wrong = {}, {}, {}, {}  # by name, once entries are computed
        self.chance = {}  # by name: how likely it is that an error hid from all directions, and how many they were
        self.drowned = []  # of a group that agrees, those whose part is too small beside the bound
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
        exact = trust.kinds[name] == "real" and trust.real is np.longdouble and not self.claim[name].any()
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
        if len(group) == 1:
            return set(group)
        # The louder ones of a group that agrees are settled; the others may clear up among themselves, or alone.
        quiet = self.drowned if len(self.drowned) < len(group) else []
        return self._hear(quiet) if quiet else set().union(*(self._hear([name]) for name in group))

    def _agree_complex(self, group):
        """A complex step may be as long as one likes: let every array weigh about the same by its own account."""
        moves = {}
        for name in group:
            moves[name] = self.oracle.random_move(name)
            if len(group) > 1:
                moves[name] *= self.total / self.size[name] * self.oracle.rng.uniform(0.5, 1.5)
        expected, slack, parts = self._expect(moves)
        gap = abs(self.oracle.complex_slope(moves) - expected)
        return gap <= slack and self._cleared(slack, parts, alone=len(group) == 1)

    def _agree_real(self, group):
        """Real differences must agree within their bound, and the bound must be small beside each array's part."""
        if len(group) == 1 and self._still(group[0]):
            return True
        moves, value, bound, jump = self.oracle.random_slope(group, long=len(group) == 1)
        expected, slack, parts = self._expect(moves)
        gap = abs(value - expected) - bound - jump / 2 - slack
        if jump > 0 and self._between(group, moves):
            return True
        if len(group) > 1:
            # Where it is rounding that makes the bound, it is as wide when each is heard alone.  But a number that is
            # heard alone is settled, having but one direction, and a few of them cost less so.
            few = len(group) <= FEW and all(self.claim[name].size == 1 for name in group)
            enough = WIDE if bound <= ROUNDED * self.oracle.noise and not few else VISIBLE
            unsettled = [name for name, part in parts.items() if jump > 0 or not bound <= enough * part]
            self.drowned = unsettled if gap <= 0 else []
            if gap <= 0:
                self._cleared(bound + slack, {n: part for n, part in parts.items() if n not in unsettled})
            return gap <= 0 and not unsettled
        self.drowned = []
        [(name, part)] = parts.items()
        if gap > 0:
            if gap > self.rtol[name] * part or bound > WIDE * part:
                self.doubtful[name] = (value, bound)
        elif jump == 0 and bound > WIDE * part and not self._zero(moves, part, bound):
            self.wide[name] = (value, bound)
        return gap <= 0 and jump == 0 and self._cleared(bound + slack, parts, alone=True)

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
            oracle = Oracle(self.oracle.loss, answer.place, self.oracle.trust, self.oracle.rng)
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

    def _still(self, name):
        """Is the gradient zero by its own account, and f the same, but for rounding, wherever this array moves to?"""
        if self.size[name] > 16 * self.eps[name] * self.total:
            return False
        self.oracle.start({name: self.oracle.random_move(name)})
        return bool((self.oracle.changes() <= STILL * self.oracle.noise).all())

    def _zero(self, moves, part, bound):
        """Is the gradient zero by its own account, and the bound small beside what this array does further on?"""
        [name] = moves
        unit = max(self.total, abs(self.oracle.centre))
        return part <= 16 * self.eps[name] * unit and bound <= VISIBLE * np.nanmax(self.oracle.changes())

    def _could_hide(self, name):
        """Could an error hide by chance from all the directions so far?"""
        chance, times = self.chance.get(name, (0.0, 1))
        return chance > max(VISIBLE, self.rtol[name]) / 100 ** (times - 1)

    def _cleared(self, slack, parts, alone=False):
        """Note how much of each array's part the slack is: that is how likely an error of its size goes unseen."""
        for name, part in parts.items():
            chance, times = self.chance.get(name, (1.0, 0))
            chance *= slack / max(VISIBLE * self.total, part, TINY)
            if alone and self.claim[name].size == 1:
                chance = 0.0  # one number alone has but one direction
            self.chance[name] = chance, times + 1
        return True

    def _expect(self, moves):
        """What the gradient under test says of moves: value, its rounding noise, and each array's share by size."""
        value, slack, parts = 0.0, 0.0, {}
        for name, move in moves.items():
            change, parts[name] = products(self.claim[name], move)
            value += change
            rounding = self.slack(name)
            spread = rounding * norm(move) if self.noise is None else products(rounding, move)[1]
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
        near = wrong & self._only_estimated(name) if name in self.oracle.differenced else np.zeros_like(wrong)
        self.wrong[name] = wrong & ~near
        if self.wrong[name].any() or (self.jump[name].any() and not near.any()):
            self.doubtful.pop(name, None)
        elif near.any():
            first = np.flatnonzero(near)[0]
            self.doubtful.setdefault(name, (self.numeric[name].flat[first], self.bound[name].flat[first]))

    def _fill(self, name, indices, kind=None):
        indices = np.asarray(indices, dtype=int)
        kind = kind or self.oracle.trust.kinds[name]
        unit = norm(self.claim[name]) / math.sqrt(self.claim[name].size) if name in self.claim else 0.0
        found = self.oracle.entries_and_jumps(name, indices, kind, unit)
        tables = (self.numeric, np.nan), (self.bound, np.inf), (self.jump, 0.0)
        for (arrays, unknown), values in zip(tables, found, strict=True):
            if name not in arrays:
                arrays[name] = np.full(self.answer.place[name].shape, unknown)
            arrays[name].flat[indices] = values

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
        with quiet():
            output = forward(**{name: copied(value) for name, value in inputs.items()})
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
