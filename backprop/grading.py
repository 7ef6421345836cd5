r"""What a test cell calls: it runs a student's function, names the mistake, and gives points.

    checks = Assignment(chapter, globals())      the first code cell of a notebook
    exercise = checks.exercise(name)             the first line of a test cell
    exercise.derivative / gradient / vjp         a derivative, against the forward function by `check`
    exercise.backward                            every gradient of a whole pass, with follow-through marks
    exercise.verdicts                            a check that the student wrote, by what it says of right and wrong
    exercise.faster                              a loop that was to be vectorised, by the clock
    exercise.value / holds / refuses / expect    anything else
    exercise.score()                             the last line: shows the feedback, returns the points

Each part of an answer shows two lines, what is wrong and which mistake it is, and three hints that unfold.

nbgrader reads the points from the value of the test cell, and reads much as full marks that is not:
`True`, a string, a negative number, `np.float64(1.0)`.  `score` therefore returns a Python float in
[0, points].  Anything on stderr earns 0, so what a student's function prints or warns of is caught here, and
shown as a note that costs nothing.
"""

import contextlib
import copy
import html
import io
import linecache
import sys
import time
import types
import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backprop.check import Finding, Report, check_gradient, directional_derivative, told_apart
from backprop.diagnosis import CATALOGUE, diagnose, fingerprint, matches

__all__ = ["CATALOGUE", "Assignment", "Exercise", "forward_pass", "matches"]

NUMERICAL = "numerical-gradient-returned"
# Honest gradients agree with the complex step to 3e-14, finite differences to 6e-12 at best.
NUMERICAL_AGREEMENT = 1e-12
SPEED_RUNS = 7
# Files whose lines are nobody's answer.
INNER = {__file__}
# What checks of the same tests have found out, for a grader of many answers: a function of the exercise, the function,
# the case, the loss and its parameters, which gives None or a dict that it keeps.
MEMORY: Callable | None = None


class Assignment:
    """The exercises of one notebook.

    `namespace` is the notebook's `globals()`: the students' functions are looked up there by name, so that a
    name that is missing is an answer that is not written, and not a NameError.
    """

    def __init__(self, chapter: str, namespace: dict):
        self.chapter = chapter
        self.namespace = namespace
        self.exercises: dict[str, Exercise] = {}
        self._points: dict[str, float] = {}
        self._known: dict[str, dict] = {}

    def load(self, points: Mapping[str, float], known: Mapping[str, dict]) -> None:
        """Take the points of each exercise, and what its known mistakes give on the visible tests.

        `known` is `{exercise: {mistake: {function: {case: {output: fingerprint}}}}}`.
        """
        self._points, self._known = dict(points), dict(known)

    def exercise(self, name: str) -> "Exercise":
        """A fresh record of the exercise `name`; running a test cell again starts again."""
        points, known = self._points.get(name, 1.0), self._known.get(name, {})
        self.exercises[name] = Exercise(name, self.namespace, points, known)
        return self.exercises[name]

    def hint(self, name: str) -> None:
        """Print the next hint for the exercise `name`: where, then what kind, then which line."""
        if name not in self.exercises:
            raise ValueError(f"no exercise {name!r} has been run; those run so far: {', '.join(self.exercises)}")
        print(self.exercises[name].next_hint())


@dataclass
class Part:
    """One thing that earns marks: an output of a function, over all cases."""

    function: str
    output: str
    weight: float = 1.0
    findings: list[Finding] = field(default_factory=list)
    report: Report | None = None
    batch: int | None = None
    follows: str = ""

    @property
    def ok(self) -> bool:
        return not self.findings


@dataclass(frozen=True)
class Answer:
    """What a student's function gave: a value, or the finding that stopped it."""

    value: Any = None
    finding: Finding | None = None
    error: BaseException | None = None


@dataclass(frozen=True)
class Given:
    """What there is to check: what was returned, without its loss, and its outputs by parameter if it has that form."""

    value: Any
    named: dict[str, Any] | None


class Exercise:
    """Collects the parts of one exercise, case by case; `score` turns them into feedback and points."""

    def __init__(self, name: str, namespace: dict, points: float, known: Mapping[str, dict]):
        self.name = name
        self.points = points
        self.seen: dict[str, dict[str, dict[str, list]]] = {}
        self.notes: list[str] = []
        self.remarks: list[Remark] = []
        self.named: list[str] = []
        self._namespace = namespace
        self._known = known
        self._parts: dict[tuple[str, str], Part] = {}
        self._hints: list[str] = []

    # What a test cell asks -----------------------------------------------------------------------------------

    def derivative(self, function: str, f: Callable, x: np.ndarray, case: Any, weight: float = 1.0) -> None:
        """`function(x)` is the derivative of the elementwise `f` at every entry of `x`, with the shape of `x`."""
        self.gradient(function, lambda p: np.sum(f(p["x"])), {"x": x}, case=case, outputs={"x": ""}, weight=weight)

    def vjp(
        self,
        function: str,
        forward: Callable,
        inputs: Mapping[str, np.ndarray],
        args: Callable,
        case: int,
        **options,
    ) -> None:
        """`function(*args(dY, inputs))` is the backward pass of `forward(inputs)`, for a random `dY`.

        A random `dY` is what makes the check see: ones let most wrong backward passes through.
        """
        shape = np.shape(forward(inputs))
        dY = np.random.default_rng([case, 90210]).standard_normal(shape)
        loss = lambda p: np.sum(dY * forward(p))
        self.gradient(function, loss, inputs, args=lambda p: args(dY, p), case=case, **options)

    def gradient(
        self,
        function: str,
        loss: Callable,
        params: Mapping[str, Any],
        *,
        case: Any,
        args: Callable | None = None,
        outputs: Mapping[str, str] | None = None,
        weight: float = 1.0,
        watch: Sequence[str] = (),
        via: Callable | None = None,
        with_loss: bool = False,
        batch: int | None = None,
        **options,
    ) -> None:
        """`function(*args(params))` is the gradient of the scalar `loss(params)`, one output per parameter.

        The function may return a tuple in the order of `params`, a dict with keys `dw` or `w`, or the value
        itself where there is one parameter.  `outputs` renames what a part is called (`{"x": ""}` where the
        function has one nameless output); `via(f, *args)` calls the function `f` in another way than `f(*args)`.
        `with_loss` says that it returns a pair, the loss and the gradient; the loss is one more part, `L`.
        `watch` names functions of the notebook that compute the loss: calling one of them once per entry, or an
        error that no formula makes, is shown to the instructor as a numerical answer; by itself it costs nothing.
        `batch` is the number of examples, by which a factor is recognised; that of `X` where it is a parameter.
        """
        args = args or (lambda p: tuple(p.values()))
        labels = outputs or {name: "d" + name for name in params}
        total = self._part(function, "L", weight) if with_loss else None
        parts = {name: self._part(function, label, weight) for name, label in labels.items()}
        given = self._given(function, args(params), parts, labels, case, total and (total, loss(params)), watch, via)
        if given is None or (given.named is None and self._unlike(function, given.value, parts, labels)):
            return

        # A name that is not there is no function that returns nothing.
        for name in given.named or ():
            if given.named[name] is None and labels[name]:
                self._fail([parts[name]], Finding("", name, f"{function}: {labels[name]} is missing."))

        def grad(p):
            again = self._call(function, args(p), via=via)
            if again.finding:
                raise RuntimeError(again.finding.message)
            value = again.value[1] if with_loss else again.value
            named = self._named(value, labels)
            return value if named is None else named

        kept = self._kept(function, case, loss, params)
        report = self._decide(case, loss, grad, dict(params), **kept, **options)
        if not report.ok:
            self._blame(parts, report, function, batch or _rows(params))
        elif not report.as_before and self._is_numerical(loss, params, report):
            del kept.get("accepted", [])[-1:]
            self._note(f"[{NUMERICAL}] for the instructor: {function} agrees as a finite difference would.")

    def backward(
        self,
        function: str,
        forward: Mapping[str, Callable],
        leaves: Mapping[str, Any],
        wrt: Sequence[str],
        *,
        args: Sequence,
        case: Any,
        weight: float = 1.0,
        with_loss: bool = False,
    ) -> None:
        """`function(*args)` gives dL/dV for every name V in `wrt`, as a dict with keys `dV` or `V`.

        `forward` lists the forward pass in order, `{"z": lambda v: v.w * v.x + v.b, ..., "L": ...}`; its last
        entry is the loss.  A gradient that is wrong only because the one after it in the forward pass is wrong
        earns its marks: it is checked against the student's own gradients of the values it flows into.
        `wrt` is in backward order, the output first; the first that is wrong is the one that is explained.
        `with_loss` says that it returns a pair, the loss and the dict; the loss is one more part, `L`.
        """
        values = forward_pass(forward, leaves)
        labels = {name: "d" + name for name in wrt}
        total = self._part(function, "L", weight) if with_loss else None
        parts = {name: self._part(function, label, weight) for name, label in labels.items()}
        given = self._given(function, args, parts, labels, case, total and (total, values[_loss(forward)]))
        if given is None:
            return None
        named = given.named
        if named is None:
            keys = ", ".join(labels.values())
            return self._fail(parts.values(), Finding("", "", f"{function}: expected a dict with {keys}."))

        # Each term overrides one value and depends on no other, so one check serves all of them.
        at = {name: values[name] for name in wrt}
        unmoved: dict = {}

        def term(name, value):
            again = lambda: forward_pass(forward, leaves, {name: value})[_loss(forward)]
            kind = name, np.asarray(value).dtype
            if not np.array_equal(value, at[name]):
                return again()
            if kind not in unmoved:
                unmoved[kind] = again()
            return unmoved[kind]

        moved = lambda p: sum(term(name, p[name]) for name in wrt)
        kept = self._kept(function, case, moved, at)
        report = self._decide(case, moved, lambda p: dict(named), at, points=1, **kept)
        if report.ok:
            return None
        wrong = [name for name in wrt if not _right(report, name)]
        for name in wrong:
            local = self._given_own_upstream(forward, values, named, name, wrong)
            if local is not None and local.ok:
                parts[name].follows = ", ".join("d" + c for c in _consumers(forward, values, name))
            else:
                self._blame({name: parts[name]}, local or report, function, _rows(leaves))
        return None

    def value(
        self,
        function: str,
        args: Sequence,
        expected: Any,
        *,
        case: Any,
        rtol: float = 1e-9,
        output: str = "",
        weight: float = 1.0,
        via: Callable | None = None,
    ) -> None:
        """`function(*args)` equals `expected`, an array or number, or a dict of them.

        For a dict the function may return a dict too (other keys are ignored), or a tuple in the same order.
        Otherwise `output` names the part, where several cases are to earn marks apart.  `via` is that of `gradient`.
        """
        several = isinstance(expected, Mapping)
        wanted = dict(expected) if several else {output: expected}
        parts = {name: self._part(function, name, weight) for name in wanted}
        answer = self._call(function, args, via=via)
        got = answer.value if several else {output: answer.value}
        if isinstance(got, (tuple, list)) and len(got) == len(wanted):
            got = dict(zip(wanted, got, strict=True))
        self._remember(function, case, answer, got if isinstance(got, Mapping) else None)
        if answer.finding:
            return self._fail(parts.values(), answer.finding)
        if not isinstance(got, Mapping):
            message = f"{function}: expected a dict with {', '.join(wanted)}, got {type(got).__name__}."
            return self._fail(parts.values(), Finding("", "", message))
        for name, want in wanted.items():
            finding = _compare(f"{function}: {name}" if several else function, got.get(name, None), want, rtol)
            if finding:
                self._fail([parts[name]], finding)
        return None

    def refuses(
        self, function: str, args: Sequence, message: str, mistake: str = "", *, error=ValueError, weight: float = 1.0
    ) -> None:
        """`function(*args)` raises `error`; `message` says in one line what is wrong where it does not."""
        part = self._part(function, error.__name__, weight)
        answer = self._call(function, args)
        if isinstance(answer.error, error):
            return
        finding = answer.finding or Finding(mistake, "", f"{function}: {message}")
        if answer.error:
            finding = Finding("", "", f"{function} raised {type(answer.error).__name__}, expected {error.__name__}.")
        self._fail([part], finding)

    def holds(
        self,
        function: str,
        args: Sequence,
        judge: Callable,
        *,
        case: Any,
        output: str = "result",
        weight: float = 1.0,
        remember: bool = True,
    ) -> None:
        """`judge(function(*args))` finds nothing wrong, where more than one answer is right.

        It returns None, or a pair: what is wrong in one line, and the id of the mistake ("" for none).
        `output` names the part.  Without `remember` a known mistake is not recognised by what it returns: the end of a
        long training, say, which another machine's rounding changes.
        """
        part = self._part(function, output, weight)
        answer = self._call(function, args)
        if remember:
            self._remember(function, case, answer, None if answer.finding else {output: answer.value})
        try:
            fault = None if answer.finding else judge(answer.value)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            fault = f"its result can't be judged: {_where(error)}", ""
        if answer.finding or fault:
            self._fail([part], answer.finding or Finding(fault[1], "", f"{function}: {fault[0]}"))

    def faster(
        self, function: str, args: Sequence, than: Callable, *, times: float, mistake: str = "", weight: float = 1.0
    ) -> None:
        """`function(*args)` takes at most 1/`times` of what `than(*args)` takes, and gives the same, an array.

        The loop is timed by what it takes of the processor, so that a busy machine does not make it look slow; the
        function may run in another process, so the best of several runs counts, by the clock.
        """
        part = self._part(function, "speed", weight)
        start = time.process_time()
        expected = than(*args)
        loop, best = time.process_time() - start, np.inf
        for _ in range(SPEED_RUNS):
            start = time.perf_counter()
            answer = self._call(function, args)
            best = min(best, time.perf_counter() - start)
            finding = answer.finding or _compare(function, answer.value, expected, 1e-9)
            if finding:
                return self._fail([part], finding)
            ratio = loop / best
            if ratio >= times:
                return None
        message = f"{function}: {ratio:.2g} times as fast as the loop, expected at least {times:g} times."
        return self._fail([part], Finding(mistake, "", message))

    def verdicts(
        self, function: str, questions: Mapping[str, tuple[Sequence, bool]], *, case: Any, weight: float = 1.0
    ) -> None:
        """`function(*args)`, a check of something else, says True or False rightly of each `{what: (args, truth)}`.

        What should pass and what should not count half each, however many there are of either.
        A function that says the same of everything has checked nothing and earns nothing.  A known mistake is
        recognised by all its verdicts together.
        """
        truths = [truth for _, truth in questions.values()]
        shares = {truth: weight * len(truths) / (2 * truths.count(truth)) for truth in set(truths)}
        parts = {what: self._part(function, what, shares[truth]) for what, (_, truth) in questions.items()}
        # In an order of the case's own: verdicts by the count of calls are none.
        order = np.random.default_rng(zlib.crc32(f"{function} {case}".encode())).permutation(list(questions))
        answers = {what: self._call(function, questions[what][0]) for what in map(str, order)}
        said = {what: answer.value for what, answer in answers.items()}
        told = {what for what in questions if isinstance(said[what], (bool, np.bool_))}
        if len(told) == len(questions) > len({bool(value) for value in said.values()}) == 1:
            message = f"{function} says {bool(next(iter(said.values())))} of every case, right or wrong."
            return self._fail(parts.values(), Finding("", "", message))
        pattern = [str(said[what]) if what in told else "" for what in questions]
        self._remember(function, case, Answer(pattern), None)
        for what, (_, truth) in questions.items():
            if what not in told:
                message = f"{function}: {what}: expected True or False, got {type(said[what]).__name__}."
                self._fail([parts[what]], answers[what].finding or Finding("", "", message))
            elif bool(said[what]) is not truth:
                self._fail([parts[what]], Finding("", "", f"{function} says {not truth} of {what}."))
        return None

    def expect(self, part: str, ok: bool, message: str, mistake: str = "", weight: float = 1.0) -> None:
        """The condition `ok` holds; `message` says in one line what is wrong where it does not."""
        entry = self._part(part, "", weight)
        if not ok:
            self._fail([entry], Finding(mistake, "", message))

    def score(self) -> float:
        """Show the feedback; return the points, a Python float in [0, points]."""
        if not self._parts:
            raise RuntimeError(f"exercise {self.name!r} has checked nothing: its test cell asks no question")
        parts = self._parts.values()
        earned = self.points * sum(p.weight for p in parts if p.ok) / sum(p.weight for p in parts)
        feedback = Feedback(self.name, round(float(earned), 2), float(self.points), self._remarks(), self.notes)
        self.remarks = feedback.remarks
        self.named = list(dict.fromkeys(m for remark in feedback.remarks for m in remark.mistakes))
        self._hints = [hint for remark in feedback.remarks for hint in remark.hints]
        _show(feedback)
        return feedback.earned

    def next_hint(self) -> str:
        return self._hints.pop(0) if self._hints else "No further hint."

    # How it finds out ----------------------------------------------------------------------------------------

    def _part(self, function: str, output: str, weight: float) -> Part:
        return self._parts.setdefault((function, output), Part(function, output, weight))

    def _fail(self, parts, finding: Finding, report: Report | None = None, batch: int | None = None) -> None:
        for part in parts:
            # The first case that fails is the one that is explained.
            if part.ok:
                part.findings, part.report, part.batch = [finding], report, batch

    def _given(self, function, args, parts, labels, case, loss=None, watch=(), via=None) -> "Given | None":
        """What the function gave, remembered; None where there is nothing to check: its parts have failed.

        loss: the part L and its value, where the function returns a pair, the loss and the gradient.
        """
        answer = self._call(function, args, watch, via)
        L, value = None, answer.value
        if loss and not answer.finding:
            L, value, answer = _pair(function, answer, labels)
        named = None if answer.finding else self._named(value, labels)
        outputs = named and {labels[k]: v for k, v in named.items()}
        self._remember(function, case, answer, {**outputs, "L": L} if outputs and loss else outputs)
        total = [loss[0]] if loss else []
        if answer.finding:
            self._fail([*total, *parts.values()], answer.finding)
            return None
        if loss and (finding := _compare(f"{function}: L", L, loss[1], 1e-9)):
            self._fail(total, finding)
        # Where earlier cases have failed all its parts, there is nothing left that this one could change.
        return Given(value, named) if any(part.ok for part in parts.values()) else None

    def _unlike(self, function, value, parts, labels) -> bool:
        """Told here, since check_gradient asks for a dict and the exercise for a tuple: how many it should be."""
        wanted = ", ".join(labels.values())
        if isinstance(value, (tuple, list)):
            wanted = " ".join([f"{len(labels)}:", wanted]).strip(": ")
            finding = Finding("wrong-shape", "", f"{function}: returned a tuple of {len(value)}, expected {wanted}.")
        elif len(labels) > 1 and isinstance(value, (int, float)):
            finding = Finding("", "", f"{function}: returned one number, expected {len(labels)}: {wanted}.")
        else:
            return False
        self._fail(parts.values(), finding)
        return True

    def _blame(self, parts: Mapping[str, Part], report: Report, function: str, batch: int | None = None) -> None:
        """Give each part that is wrong in `report` its own finding; what concerns no parameter concerns all."""
        general = [f for f in report.findings if not f.parameter]
        for name, part in parts.items():
            own = [f for f in report.findings if f.parameter == name] or general
            if own and not (_right(report, name) and not general):
                # An output without a name of its own is called by its function's.
                message = own[0].message if part.output else own[0].message.removeprefix(f"d{name}: ")
                prefix = f"{function}: " if not message.startswith(function) else ""
                self._fail([part], Finding(own[0].id, name, prefix + message, own[0].where), report, batch)

    def _kept(self, function: str, case: Any, loss: Callable, params: Mapping) -> dict:
        """What is remembered of a check that is the same for every student."""
        kept = MEMORY(self.name, function, str(case), loss, params) if MEMORY else None
        if kept is not None and not kept:
            kept |= {"cache": {}, "accepted": []}
        return {} if kept is None else kept

    def _decide(self, case: Any, loss: Callable, grad: Callable, params: Mapping, **options) -> Report:
        """The check's report; one without a verdict is the fault of the test's numbers, and never counts as right."""
        report = check_gradient(loss, grad, params, **options)
        if report.verdict == "inconclusive":
            raise RuntimeError(f"exercise {self.name!r}, case {case}: the check is inconclusive; {report}")
        return report

    def _call(
        self, function: str, args: Sequence, watch: Sequence[str] = (), via: Callable | None = None
    ) -> Answer:
        f = self._namespace.get(function)
        if f is None:
            return Answer(finding=_unwritten(function, "is not defined"))
        if not callable(f):
            return Answer(finding=_unwritten(function, f"is a {type(f).__name__}, not a function"))
        args = tuple(float(a) if isinstance(a, np.ndarray) and a.ndim == 0 else copy.deepcopy(a) for a in args)
        try:
            before = [array.tobytes() for array in _arrays(args)]
            with self._quiet(function), self._counting(function, watch, args):
                value = via(f, *args) if via else f(*args)
        except NotImplementedError as error:
            return Answer(finding=_unwritten(_stopped_in(error, self._namespace, function), "is not written yet"))
        except (Exception, SystemExit) as error:
            known = "recursion-too-deep" if isinstance(error, RecursionError) else ""
            return Answer(finding=Finding(known, "", f"{function} stopped: {_where(error)}"), error=error)
        if value is None:
            return Answer(finding=Finding("none-returned", "", f"{function} returned None, expected its result."))
        if before != [array.tobytes() for array in _arrays(args)]:
            # Right numbers stay right, and a cache may be its backward pass's to use up.
            self._note(f"[input-mutated] {function} changed an array that it was given (this costs nothing).")
        return Answer(value)

    @contextlib.contextmanager
    def _quiet(self, function: str):
        """Honest code may print or warn; on stderr either would cost the question."""
        sink = io.StringIO()
        with warnings.catch_warnings(record=True) as caught, np.errstate(all="warn", under="ignore"):
            warnings.simplefilter("always")
            with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
                yield
        for warning in caught:
            self._note(f"{function} warned: {warning.message} (this costs nothing)")

    @contextlib.contextmanager
    def _counting(self, function: str, watch: Sequence[str], args: Sequence):
        """Flag an answer that evaluates a watched function once per entry of its arguments or more."""
        originals = {name: self._namespace[name] for name in watch if name in self._namespace}
        # A function that runs in another process calls that process's own, and counts there.
        elsewhere = getattr(self._namespace.get(function), "counts", {})
        elsewhere.update(dict.fromkeys(watch, 0))
        calls = 0

        def counted(f):
            def wrapper(*a, **k):
                nonlocal calls
                calls += 1
                return f(*a, **k)

            return wrapper

        self._namespace.update({name: counted(f) for name, f in originals.items()})
        try:
            yield
        finally:
            self._namespace.update(originals)
            calls += sum(elsewhere.values())
            elsewhere.clear()
        entries = sum(np.size(a) for a in args if isinstance(a, (float, np.ndarray)))
        if originals and calls >= max(4, entries):
            self._note(f"[{NUMERICAL}] for the instructor: {function} evaluated the forward pass {calls} times.")

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _remember(self, function: str, case: Any, answer: Answer, outputs: Mapping[str, Any] | None) -> None:
        """Keep fingerprints of what came back, to be matched with those of the known wrong answers."""
        if outputs is None:
            # Without the student's own line, which no known mistake has.
            stopped = f"{type(answer.error).__name__}: {answer.error}" if answer.error else None
            outputs = {"": stopped or (answer.finding.message if answer.finding else answer.value)}
        prints = {str(name): fingerprint(value) for name, value in outputs.items()}
        self.seen.setdefault(function, {}).setdefault(str(case), prints)

    @staticmethod
    def _named(value: Any, labels: Mapping[str, str]) -> dict[str, Any] | None:
        """The outputs by parameter, from any of the forms an answer may have; None where it has none of them."""
        if isinstance(value, Mapping):
            found = {name: value.get(label, value.get(name)) for name, label in labels.items()}
            return None if all(v is None for v in found.values()) else found
        if len(labels) == 1 and not isinstance(value, tuple):
            return {next(iter(labels)): value}
        if isinstance(value, (tuple, list)) and len(value) == len(labels):
            return dict(zip(labels, value, strict=True))
        return None

    @staticmethod
    def _is_numerical(loss: Callable, params: Mapping, report: Report) -> bool:
        """Along a random direction, is the error larger than a formula's, where the oracle could tell?"""
        if any(np.finfo(array.dtype).eps > NUMERICAL_AGREEMENT for array in report.analytic.values()):
            return False  # a formula in float32 is no closer
        rng = np.random.default_rng(0)
        direction = {name: rng.standard_normal(np.shape(value)) for name, value in params.items()}
        terms = [np.ravel(report.analytic[name] * along) for name, along in direction.items()]
        size = sum(np.sum(np.abs(term)) for term in terms)
        slope, bound = directional_derivative(loss, dict(params), direction)
        gap = abs(slope - sum(np.sum(term) for term in terms))
        return bool(bound < 0.1 * NUMERICAL_AGREEMENT * size and gap > NUMERICAL_AGREEMENT * size)

    def _given_own_upstream(self, forward, values, named, name, wrong) -> Report | None:
        """Check dV against the student's own gradients of what V flows into; None where these cannot serve."""
        consumers = _consumers(forward, values, name)
        if not any(c in wrong for c in consumers):
            return None
        upstream = {}
        for c in consumers:
            d = np.asarray(1.0 if c == _loss(forward) else named.get(c))
            numbers = d.dtype.kind in "fiu" and d.shape == np.shape(values[c]) and np.all(np.isfinite(d))
            # A gradient of zeros would make any further zeros "follow".
            if not numbers or not np.any(d):
                return None
            upstream[c] = d

        def flow(p):
            v = types.SimpleNamespace(**{**values, **p})
            return sum(np.sum(d * forward[c](v)) for c, d in upstream.items())

        return check_gradient(flow, lambda p: {name: named[name]}, {name: values[name]}, points=1)

    # How it says it ------------------------------------------------------------------------------------------

    def _remarks(self) -> list["Remark"]:
        """One remark per function that is wrong, on its first wrong output; outputs that follow cost nothing."""
        remarks: list[Remark] = []
        explained = set()
        for part in self._parts.values():
            if part.ok or part.function in explained:
                continue
            explained.add(part.function)
            finding = part.findings[0]
            names = self._known_mistakes(part)
            if not names and part.report is not None:
                # More telling than the symptom: which mistake gives a wrong shape?
                seen = [f for f in diagnose(part.report, batch=part.batch) if f.parameter in ("", finding.parameter)]
                names = list(dict.fromkeys(f.id for f in seen if f.id in CATALOGUE))
            if not names and finding.id in CATALOGUE:
                names = [finding.id]
            remarks.append(Remark(finding.message, names, finding.parameter, part.report))
        follows = [p for p in self._parts.values() if p.follows and p.ok]
        if follows:
            listed = ", ".join(p.output for p in follows)
            self._note(f"Right, given your own earlier gradients, and marked as right: {listed}.")
        return remarks

    def _known_mistakes(self, part: Part) -> list[str]:
        """The known wrong answers that give what this part gave, in every visible case.

        Of several, those that agree in the function's other outputs too.
        """
        seen = self.seen.get(part.function, {})
        names, throughout = [], []
        for mistake, functions in self._known.items():
            cases = functions.get(part.function, {})
            asked = [c for c in cases if c in seen]
            # Where it stops before it gives this output, stopping there is what is to be explained.
            asked = [c for c in asked if part.output and "" in seen[c]] or asked
            pairs = [(_output(seen[c], part.output), _output(cases[c], part.output)) for c in asked]
            # A case that asks for other outputs says nothing of this one.
            pairs = [pair for pair in pairs if pair != (None, None)]
            if pairs and all(a is not None and b is not None and matches(a, b) for a, b in pairs):
                names.append(mistake.split("/")[0])
                wrong = [(seen[c].get(name), print_) for c in cases if c in seen for name, print_ in cases[c].items()]
                if all(a is not None and matches(a, b) for a, b in wrong):
                    throughout.append(names[-1])
        return list(dict.fromkeys(throughout or names))


@dataclass(frozen=True)
class Remark:
    """Two lines: what is wrong, in the student's words, and which mistake it is (several where they tie).

    `report` is the check that failed, if it came to numbers, and `parameter` the array that the remark is about.
    """

    message: str
    mistakes: list[str]
    parameter: str = ""
    report: Report | None = None

    @property
    def lines(self) -> list[str]:
        named = [f"[{m}] {CATALOGUE[m].sentence}" + _link(CATALOGUE[m].link) for m in self.mistakes]
        if len(named) > 1:
            named.insert(0, "These mistakes give the same numbers here:")
        return [self.message, *named]

    @property
    def hints(self) -> list[str]:
        return [hint for m in self.mistakes[:1] for hint in CATALOGUE[m].hints]


@dataclass(frozen=True)
class Feedback:
    """What a test cell shows, as text and as HTML."""

    exercise: str
    earned: float
    points: float
    remarks: list[Remark]
    notes: list[str]

    @property
    def headline(self) -> str:
        right = "" if self.remarks else ": right"
        return f"{self.exercise}{right}, {self.earned:g} of {self.points:g} points"

    def __str__(self) -> str:
        lines = [self.headline]
        for remark in self.remarks:
            lines += remark.lines
        if any(remark.hints for remark in self.remarks):
            lines.append(f'A hint at a time: checks.hint("{self.exercise}")')
        return "\n".join(lines + self.notes)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        # Names and messages hold what students wrote.
        paragraphs = [f"<p><strong>{html.escape(self.headline)}</strong></p>"]
        for remark in self.remarks:
            paragraphs.append("<p>" + "<br>".join(html.escape(line) for line in remark.lines) + "</p>")
            folded = ""
            for number, hint in reversed(list(enumerate(remark.hints, 1))):
                # nbgrader's feedback pages take the marker from a summary.
                summary = f'<summary style="display: list-item">Hint {number}</summary>'
                folded = f"<details>{summary}<p>{html.escape(hint)}</p>{folded}</details>"
            paragraphs.append(folded)
        paragraphs += [f"<p><em>{html.escape(note)}</em></p>" for note in self.notes]
        return f'<div class="feedback">{"".join(paragraphs)}</div>'


def _arrays(value: Any) -> list[np.ndarray]:
    """The arrays of numbers in a nest of tuples, lists and dicts."""
    if isinstance(value, np.ndarray) and value.dtype != object:
        return [value]
    if isinstance(value, Mapping):
        value = list(value.values())
    return [array for part in value for array in _arrays(part)] if isinstance(value, (tuple, list)) else []


def _show(feedback: Feedback) -> None:
    ipython = sys.modules.get("IPython")
    if ipython is not None and ipython.get_ipython() is not None:
        ipython.display.display(feedback)
    else:
        print(feedback)


def _output(prints: Mapping[str, list], output: str) -> list | None:
    """The fingerprint of one output, or of the whole answer where it never came to have outputs."""
    return prints.get(output, prints.get(""))


def _link(link: str) -> str:
    chapter = link.split("#")[0].replace("_", " ")
    title = chapter.capitalize().replace("Pytorch", "PyTorch").replace("Numpy", "NumPy")
    return f" → {title}" if chapter else ""


def _unwritten(name: str, what: str) -> Finding:
    return Finding("not-written", "", f"{name} {what}: write it in the cell above, run that cell, then this one.")


def _stopped_in(error: BaseException, namespace: Mapping, function: str) -> str:
    """The innermost function of the notebook that the exception comes from; one from another process says it."""
    if hasattr(error, "student_function"):
        return error.student_function
    frame = error.__traceback__
    while frame is not None:
        code = frame.tb_frame.f_code
        name = code.co_qualname.split(".")[0]
        found = namespace.get(name)
        if isinstance(found, type):
            # A method is called by its class.
            found = vars(found).get(code.co_name)
        if getattr(found, "__code__", None) is code:
            function = name
        frame = frame.tb_next
    return function


def _where(error: BaseException) -> str:
    """The exception in one line, with the student's own line that raised it."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    frame = error.__traceback__
    own = None
    while frame is not None:
        name = frame.tb_frame.f_code.co_filename
        if name not in INNER and not name.startswith(sys.prefix):
            own = (name, frame.tb_lineno)
        frame = frame.tb_next
    line = getattr(error, "student_line", "") or (linecache.getline(*own).strip() if own else "")
    return f"{text} (in your line `{line}`)" if line else text


def _right(report: Report, name: str) -> bool:
    blamed = any(f.parameter == name for f in report.findings)
    return not blamed and not np.any(report.wrong.get(name, False))


def _rows(values: Mapping[str, Any]) -> int | None:
    """The size of the batch: the rows of X, where that is a matrix."""
    return len(values["X"]) if np.ndim(values.get("X")) == 2 else None


def _loss(forward: Mapping[str, Callable]) -> str:
    return list(forward)[-1]


def forward_pass(forward: Mapping[str, Callable], leaves: Mapping, override: Mapping | None = None) -> dict[str, Any]:
    """Every value of the forward pass, with some of them held at other values."""
    override = override or {}
    v = types.SimpleNamespace(**{**leaves, **override})
    for name, step in forward.items():
        if name not in override:
            setattr(v, name, step(v))
    return vars(v)


def _consumers(forward: Mapping[str, Callable], values: Mapping, name: str) -> list[str]:
    """The values that are computed directly from `name`: those that can't be computed without it."""
    rest = types.SimpleNamespace(**{key: value for key, value in values.items() if key != name})

    def needs_it(step: str) -> bool:
        try:
            forward[step](rest)
        except AttributeError:
            return True
        return False

    return [step for step in forward if needs_it(step)]


def _pair(function: str, answer: Answer, labels: Mapping[str, str]) -> tuple[Any, Any, Answer]:
    """The loss, the gradient, and the answer as it was or, where that is no pair, as what is wrong with it."""
    if isinstance(answer.value, (tuple, list)) and len(answer.value) == 2:
        return *answer.value, answer
    pair = f"(L, {', '.join(filter(None, labels.values()))})"
    message = f"{function}: expected a tuple {pair}, got {_kind(answer.value)}."
    return None, None, Answer(finding=Finding("", "", message))


def _kind(value: Any) -> str:
    """What was returned, in a student's words."""
    if isinstance(value, (tuple, list)):
        return f"{len(value)} values"
    if isinstance(value, (int, float, np.number, np.ndarray)):
        return "one array" if np.ndim(value) else "one number"
    return f"a {type(value).__name__}"


def _compare(label: str, got: Any, want: Any, rtol: float) -> Finding | None:
    if got is None:
        return Finding("none-returned", "", f"{label} is missing.")
    try:
        a, b = np.asarray(got, dtype=float), np.asarray(want, dtype=float)
    except Exception:
        kind, wanted = type(got).__name__, "expected a number or an array of numbers"
        if kind == "Tensor":
            return Finding("", "", f"{label} is a Tensor, {wanted}: .item() or .detach().numpy() takes them out.")
        what = f"a {kind} whose entries are not all single numbers" if isinstance(got, (tuple, list)) else f"a {kind}"
        return Finding("", "", f"{label} is {what}, {wanted}.")
    if a.shape != b.shape:
        return Finding("wrong-shape", "", f"{label}: shape {a.shape}, expected {b.shape}.")
    if not np.all(np.isfinite(a)):
        return Finding("not-finite", "", f"{label}: holds {a[~np.isfinite(a)].flat[0]}, expected finite numbers.")
    wrong = np.abs(a - b) > rtol * np.maximum(np.abs(b), np.max(np.abs(b), initial=0.0))
    if not np.any(wrong):
        return None
    worst = np.unravel_index(np.argmax(np.abs(a - b)), a.shape)
    at = f"[{', '.join(map(str, worst))}]" if a.ndim else ""
    yours, expected = told_apart(a[worst], b[worst], 6)
    return Finding("", "", f"{label}{at}: yours {yours}, expected {expected}.")
