"""What a test cell shows and returns: two lines, hints, points that nbgrader reads as they are meant."""

import sys
import types
import warnings

import nbformat
import numpy as np
import pytest
from nbgrader.utils import determine_grade

from backprop import grading

CUBE = lambda p: np.sum(p["x"] ** 3)


def graded(answer, points=6.0, known=None, seeds=(1, 2), name="cube_grad"):
    """An exercise about the slope of a cube, answered by `answer`."""
    checks = grading.Assignment("test", {name: answer} if answer is not None else {})
    checks.load({"cube": points}, {"cube": known or {}})
    exercise = checks.exercise("cube")
    for seed in seeds:
        x = np.random.default_rng(seed).normal(size=(2, 3))
        exercise.gradient(name, CUBE, {"x": x}, case=seed)
    return checks, exercise


def shown(exercise, capsys):
    points = exercise.score()
    return points, capsys.readouterr().out


def cell(outputs, points=6):
    """A graded cell with these outputs, as nbgrader sees it."""
    node = nbformat.v4.new_code_cell("exercise.score()", outputs=outputs)
    node.metadata["nbgrader"] = {"grade": True, "solution": False, "points": points, "grade_id": "cube"}
    return node


def result(value):
    return nbformat.v4.new_output("execute_result", {"text/plain": repr(value)})


def test_right_answer_earns_its_points_and_one_line(capsys):
    points, text = shown(graded(lambda x: 3 * x**2)[1], capsys)
    assert points == 6.0
    assert text == "cube: right, 6 of 6 points\n"


def test_wrong_answer_gets_two_lines(capsys):
    points, text = shown(graded(lambda x: -3 * x**2)[1], capsys)
    headline, what, which = text.splitlines()[:3]
    assert points == 0.0 and headline == "cube, 0 of 6 points"
    assert what.startswith("cube_grad: ") and "yours" in what
    assert which.startswith(f"[sign] {grading.CATALOGUE['sign'].sentence}")


@pytest.mark.parametrize(
    ("answer", "points", "said"),
    [
        (lambda x: (np.sum(x**3), 3 * x**2), 6.0, "right"),
        (lambda x: [np.sum(x**3), {"dx": 3 * x**2}], 6.0, "right"),
        (lambda x: (np.mean(x**3), 3 * x**2), 3.0, "cube_grad: L: yours"),
        (lambda x: (np.sum(x**3), x**2), 3.0, "cube_grad: dx"),
        (lambda x: np.sum(x**3), 0.0, "cube_grad: expected a tuple (L, dx), got one number."),
    ],
    ids=["tuple", "dict", "wrong loss", "wrong gradient", "loss alone"],
)
def test_a_loss_that_comes_with_its_gradient_is_one_more_part(answer, points, said, capsys):
    checks = grading.Assignment("test", {"cube_grad": answer})
    checks.load({"cube": 6.0}, {})
    exercise = checks.exercise("cube")
    x = np.random.default_rng(1).normal(size=(2, 3))
    exercise.gradient("cube_grad", CUBE, {"x": x}, case=1, with_loss=True)
    earned, text = shown(exercise, capsys)
    assert earned == points and said in text


def test_several_values_come_as_a_dict_or_as_a_tuple_in_order(capsys):
    for answer in (lambda: {"L": 2.0, "dZ": 1.0}, lambda: (2.0, 1.0)):
        exercise = grading.Assignment("test", {"f": answer}).exercise("both")
        exercise.value("f", [], {"L": 2.0, "dZ": 1.0}, case=1)
        assert shown(exercise, capsys)[0] == 1.0


def test_a_known_mistake_that_stops_in_one_case_is_named_in_both(capsys):
    def known(x):
        return (x @ np.eye(3), -x)

    def theirs(x):
        result = x @ np.eye(3)
        return result, -x

    cases = {"small": np.ones(2), "large": np.ones(3)}

    def run(answer, table):
        checks = grading.Assignment("test", {"f": answer})
        checks.load({"two": 2.0}, {"two": table})
        exercise = checks.exercise("two")
        for case, x in cases.items():
            exercise.value("f", [x], {"L": x, "dx": x}, case=case)
        return exercise

    seen = run(known, {}).seen["f"]
    del seen["large"]["L"]  # right there, and so it does not travel
    text = shown(run(theirs, {"sign": {"f": seen}}), capsys)[1]
    assert "in your line `result = x @ np.eye(3)`" in text and "[sign]" in text


def test_of_two_known_mistakes_the_one_that_agrees_in_all_outputs_is_named(capsys):
    far = {"far": grading.fingerprint(np.inf)}
    both = {"f": {"1": {"L": grading.fingerprint(-2.0)}, "2": far}}
    checks = grading.Assignment("test", {"f": lambda x: (x, np.inf) if x > 5 else (x, -x)})
    checks.load({"two": 2.0}, {"two": {"softmax-wrong-axis": both, "unstable-exp-log": {"f": {"1": {}, "2": far}}}})
    exercise = checks.exercise("two")
    exercise.value("f", [2.0], {"L": 2.0, "dL": -2.0}, case=1)
    exercise.value("f", [9.0], {"near": 9.0, "far": 9.0}, case=2)
    text = shown(exercise, capsys)[1]
    assert "[unstable-exp-log]" in text and "softmax-wrong-axis" not in text


def test_a_number_that_rounds_to_zero_is_no_news(capsys):
    exercise = grading.Assignment("test", {"f": lambda x: np.exp(-x)}).exercise("tiny")
    exercise.value("f", [np.array([1000.0, 0.0])], np.array([0.0, 1.0]), case=1)
    assert shown(exercise, capsys)[1] == "tiny: right, 1 of 1 points\n"


@pytest.mark.parametrize(
    ("answer", "points", "said"),
    [
        (lambda a: np.zeros(2) + np.zeros(3), 1.0, "right"),
        (lambda a: a, 0.0, "f: takes anything.\n[column-against-row]"),
        (lambda a: a["key"], 0.0, "f raised IndexError, expected ValueError."),
        (None, 0.0, "f is not defined"),
    ],
    ids=["refuses", "accepts", "stops at something else", "unwritten"],
)
def test_a_refusal_is_a_part(answer, points, said, capsys):
    exercise = grading.Assignment("test", {"f": answer} if answer else {}).exercise("refusal")
    exercise.refuses("f", [np.ones(2)], "takes anything.", "column-against-row")
    earned, text = shown(exercise, capsys)
    assert earned == points and said in text


@pytest.mark.parametrize(("returned", "kind"), [((3.0,), "a tuple of 1"), (np.float64(5.0), "one number")])
def test_too_few_gradients_are_told_what_belongs_there(returned, kind, capsys):
    exercise = grading.Assignment("test", {"f": lambda w, b: returned}).exercise("f")
    exercise.gradient("f", lambda p: p["w"] * p["b"], {"w": 2.0, "b": 3.0}, case=1)
    assert f"f: returned {kind}, expected 2: dw, db." in shown(exercise, capsys)[1]


def test_a_function_that_waits_for_another_names_the_other(capsys):
    names = {}
    exec("def helper(x):\n    raise NotImplementedError\n\ndef f(x):\n    return helper(x)", names)
    exercise = grading.Assignment("test", names).exercise("f")
    exercise.value("f", [1.0], 2.0, case=1)
    earned, text = shown(exercise, capsys)
    assert earned == 0.0 and "helper is not written yet" in text


@pytest.mark.parametrize(
    "judge, points, said",
    [
        (lambda x: x > 0, 4.0, "right"),
        (lambda x: np.bool_(x > 2), 3.0, "says False of a small one."),
        (lambda x: True, 0.0, "says True of every case, right or wrong."),
        (lambda x: x, 0.0, "a small one: expected True or False, got float."),
        (lambda x: x > 0 if x > -2 else None, 3.0, "returned None"),
    ],
    ids=["right", "one missed", "always", "no verdict", "None once"],
)
def test_a_check_is_judged_by_its_verdicts(judge, points, said, capsys):
    cases = {"a small one": 1.0, "a large one": 3.0, "a negative one": -1.0, "a very negative one": -3.0}
    checks = grading.Assignment("test", {"judge": judge})
    checks.load({"judge": 4.0}, {})
    exercise = checks.exercise("judge")
    exercise.verdicts("judge", {what: ([x], x > 0) for what, x in cases.items()}, case=1)
    earned, text = shown(exercise, capsys)
    assert earned == points and said in text


def test_a_check_that_passes_the_one_right_case_earns_half(capsys):
    checks = grading.Assignment("test", {"judge": lambda x: x > 0 or x == -5})
    checks.load({"judge": 4.0}, {})
    exercise = checks.exercise("judge")
    exercise.verdicts("judge", {f"case {x}": ([x], x > 0) for x in (1, -1, -2, -3, -5)}, case=1)
    earned, text = shown(exercise, capsys)
    assert earned == 3.5 and "says True of case -5." in text


def test_a_known_mistake_is_named_though_other_cases_ask_for_other_outputs(capsys):
    checks = grading.Assignment("test", {"f": lambda x: (x, -x)})
    wrong = {"far": grading.fingerprint(-9.0)}
    checks.load({"two": 2.0}, {"two": {"sign": {"f": {"1": {}, "2": wrong}}}})
    exercise = checks.exercise("two")
    exercise.value("f", [2.0], {"L": 2.0, "dL": -2.0}, case=1)
    exercise.value("f", [9.0], {"near": 9.0, "far": 9.0}, case=2)
    points, text = shown(exercise, capsys)
    assert points == 1.5 and "[sign]" in text


# The four traps of nbgrader --------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.float64(0.0), True, "wrong", -1.0])
def test_nbgrader_pays_in_full_for_what_is_not_a_float(value):
    """The trap itself, so that it is noticed when nbgrader mends it."""
    assert determine_grade(cell([result(value)])) == (6.0, 6.0)


@pytest.mark.parametrize("points", [np.float64(6), 6, np.float32(6), 6.0])
@pytest.mark.parametrize("right", [True, False])
def test_score_is_a_python_float_that_nbgrader_reads(points, right, capsys):
    exercise = graded(lambda x: 3 * x**2 if right else np.zeros_like(x), points=points)[1]
    value = exercise.score()
    assert type(value) is float and 0.0 <= value <= 6.0
    assert determine_grade(cell([result(value)])) == (6.0 if right else 0.0, 6.0)


def test_warnings_and_prints_of_honest_code_cost_nothing(capfd):
    def loud(x):
        print("debugging")
        print("on stderr", file=sys.stderr)
        warnings.warn("careful", stacklevel=1)
        np.log(np.zeros(1))
        return 3 * x**2

    points = graded(loud)[1].score()
    out, err = capfd.readouterr()
    assert points == 6.0 and err == ""
    assert "cube_grad warned: careful (this costs nothing)" in out
    assert "divide by zero" in out and "debugging" not in out


def test_a_cell_that_asks_nothing_is_an_error():
    checks = grading.Assignment("test", {})
    with pytest.raises(RuntimeError, match="has checked nothing"):
        checks.exercise("cube").score()


# Answers that are no gradient --------------------------------------------------------------------------------


def unwritten(x):
    raise NotImplementedError()


def leave(x):
    sys.exit("bye")


def endless(x):
    return endless(x)


@pytest.mark.parametrize(
    "answer, line",
    [
        (None, "cube_grad is not defined"),
        (unwritten, "cube_grad is not written yet"),
        (3.0, "cube_grad is a float, not a function"),
        (lambda x: None, "cube_grad returned None"),
        (lambda x: 1 / 0, "cube_grad stopped: ZeroDivisionError: division by zero"),
        (lambda: 0, "cube_grad stopped: TypeError"),
        (leave, "cube_grad stopped: SystemExit: bye"),
        (endless, "cube_grad stopped: RecursionError"),
        (lambda x: 3 * x.ravel() ** 2, "shape (6,), expected (2, 3)"),
        (lambda x: "seven", "cube_grad: "),
        (lambda x: {"dy": x}, "cube_grad: "),
        (lambda x: (x, x), "cube_grad: "),
        (lambda x: x * np.nan, "nan"),
        (lambda x: [[1, 2], [3]], "cube_grad: "),
    ],
)
def test_every_other_answer_is_told_what_it_is(answer, line, capsys):
    points, text = shown(graded(answer)[1], capsys)
    assert points == 0.0
    assert line in text
    assert "Traceback" not in text


def test_changing_an_input_in_place_is_told_and_costs_nothing(capsys):
    def greedy(x):
        x *= 2
        return 3 * (x / 2) ** 2

    points, text = shown(graded(greedy)[1], capsys)
    assert points == 6.0
    assert "[input-mutated] cube_grad changed an array that it was given (this costs nothing)" in text


def test_wrong_line_of_the_student_is_quoted(tmp_path, capsys):
    path = tmp_path / "cell.py"
    path.write_text("def cube_grad(x):\n    return x @ missing\n")
    module = types.ModuleType("cell")
    exec(compile(path.read_text(), str(path), "exec"), vars(module))
    text = shown(graded(module.cube_grad)[1], capsys)[1]
    assert "NameError: name 'missing' is not defined (in your line `return x @ missing`)" in text


# Naming, hints, parts ----------------------------------------------------------------------------------------


def test_known_wrong_answer_is_named_by_its_fingerprint_in_every_case(capsys):
    odd = lambda x: 3 * x**2 + np.cos(x)
    seen = graded(odd)[1].seen
    known = {"stale-cache": {"cube_grad": seen["cube_grad"]}}
    assert "[stale-cache]" in shown(graded(odd, known=known)[1], capsys)[1]
    other = lambda x: 3 * x**2 + np.sin(x)
    assert "[stale-cache]" not in shown(graded(other, known=known)[1], capsys)[1]


def test_ties_are_reported_as_ties(capsys):
    odd = lambda x: 3 * x**2 + np.cos(x)
    prints = {"cube_grad": graded(odd)[1].seen["cube_grad"]}
    text = shown(graded(odd, known={"stale-cache": prints, "one-path-only/other": prints})[1], capsys)[1]
    assert "[stale-cache]" in text and "[one-path-only]" in text and "same numbers" in text


def test_hints_unfold_one_at_a_time(capsys):
    checks, exercise = graded(lambda x: -3 * x**2)
    exercise.score()
    capsys.readouterr()
    for hint in grading.CATALOGUE["sign"].hints:
        checks.hint("cube")
        assert capsys.readouterr().out == hint + "\n"
    checks.hint("cube")
    assert capsys.readouterr().out == "No further hint.\n"
    with pytest.raises(ValueError, match="no exercise 'sphere' has been run"):
        checks.hint("sphere")


def test_html_folds_hints_and_escapes_what_students_write(capsys):
    def evil(x):
        raise ValueError("<script>alert(1)</script>")

    feedback = []
    _, exercise = graded(evil)
    show, grading._show = grading._show, feedback.append
    try:
        exercise.score()
    finally:
        grading._show = show
    page = feedback[0]._repr_html_()
    assert "&lt;script&gt;" in page and "<script" not in page
    _, exercise = graded(lambda x: -3 * x**2)
    grading._show = feedback.append
    try:
        exercise.score()
    finally:
        grading._show = show
    assert feedback[1]._repr_html_().count("<details>") == 3


def test_parts_share_the_points_by_weight(capsys):
    namespace = {"slope": lambda w, b: (2 * w, 1.0), "double": lambda x: 3 * x}
    checks = grading.Assignment("test", namespace)
    checks.load({"e": 10}, {})
    exercise = checks.exercise("e")
    exercise.gradient("slope", lambda p: p["w"] ** 2 + 3 * p["b"], {"w": 1.5, "b": 0.5}, case=1, weight=2.0)
    exercise.value("double", [2.0], 4.0, case=1)
    exercise.expect("order", True, "never shown")
    points, text = shown(exercise, capsys)
    assert points == round(10 * 3 / 6, 2)
    assert "slope: db" in text and "double: yours 6, expected 4." in text


def test_two_numbers_that_differ_are_written_so_that_they_do(capsys):
    checks = grading.Assignment("test", {"near": lambda: 1.0 + 1e-8})
    checks.load({"e": 10}, {})
    exercise = checks.exercise("e")
    exercise.value("near", [], 1.0, case=1)
    assert "near: yours 1.00000001, expected 1." in shown(exercise, capsys)[1]


# A whole backward pass ---------------------------------------------------------------------------------------

FORWARD = {
    "u": lambda v: v.w * v.x,
    "v": lambda v: v.w + v.x,
    "a": lambda v: np.tanh(v.u),
    "L": lambda v: v.a * v.v,
}


def whole(answer, **options):
    checks = grading.Assignment("test", {"backward": answer})
    checks.load({"e": 5}, {})
    exercise = checks.exercise("e")
    wrt = ["v", "a", "u", "w", "x"]
    for seed in (1, 2):
        w, x = np.random.default_rng(seed).normal(size=2)
        exercise.backward("backward", FORWARD, {"w": w, "x": x}, wrt, args=[w, x], case=seed, **options)
    return exercise


def backward(w, x, slip=None):
    v, a = w + x, np.tanh(w * x)
    grads = {"dv": a, "da": v}
    grads["du"] = grads["da"] * (1 if slip == "du" else 1 - a**2)
    grads["dw"] = grads["du"] * x + (0 if slip == "dw" else grads["dv"])
    grads["dx"] = grads["du"] * w + grads["dv"]
    if slip == "zeros":
        grads.update(du=0.0, dw=0.0, dx=0.0)
    return grads


@pytest.mark.parametrize("slip, points", [(None, 5.0), ("du", 4.0), ("dw", 4.0), ("zeros", 2.0)])
def test_a_later_gradient_is_judged_by_what_was_fed_into_it(slip, points, capsys):
    earned, text = shown(whole(lambda w, x: backward(w, x, slip)), capsys)
    assert earned == points
    if slip == "du":
        assert "backward: du" in text
        assert "marked as right: dw, dx" in text


def test_a_gradient_that_is_missing_is_said_to_be(capsys):
    earned, text = shown(whole(lambda w, x: {"dv": np.tanh(w * x), "da": w + x}), capsys)
    assert earned == 2.0
    assert "du" in text


@pytest.mark.parametrize(
    "answer, points, said",
    [
        (lambda w, x: (np.tanh(w * x) * (w + x), backward(w, x)), 5.0, "right"),
        (lambda w, x: (np.tanh(w * x), backward(w, x)), 4.17, "backward: L: yours"),
        (lambda w, x: (np.tanh(w * x) * (w + x), backward(w, x, "du")), 4.17, "backward: du"),
        (backward, 0.0, "backward: expected a tuple (L, dv, da, du, dw, dx), got a dict."),
    ],
    ids=["right", "wrong loss", "wrong gradient", "no loss"],
)
def test_a_whole_pass_may_give_its_loss_too(answer, points, said, capsys):
    earned, text = shown(whole(answer, with_loss=True), capsys)
    assert earned == points and said in text


# By the clock, and by a judge --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer, points, said",
    [
        (lambda x: x[:, None] - x, 1.0, "right"),
        (lambda x: gaps(x), 0.0, "times as fast as the loop, expected at least 20 times.\n[loop-left]"),
        (lambda x: x - x[:, None], 0.0, "f[0, 399]: yours"),
    ],
    ids=["fast", "slow", "fast and wrong"],
)
def test_a_loop_that_was_to_go_is_seen_by_the_clock(answer, points, said, capsys):
    exercise = grading.Assignment("test", {"f": answer}).exercise("speed")
    exercise.faster("f", [np.arange(400.0)], gaps, times=20, mistake="loop-left")
    earned, text = shown(exercise, capsys)
    assert earned == points and said in text


def gaps(x):
    return np.array([[one - other for other in x] for one in x])


def test_a_judge_may_ask_for_several_parts_and_leave_no_fingerprint(capsys):
    exercise = grading.Assignment("test", {"f": lambda x: x}).exercise("parts")
    judge = lambda value: None if value > 1 else ("too small.", "sign")
    exercise.holds("f", [2.0], judge, case="first", output="first")
    exercise.holds("f", [1.0], judge, case="second", output="second", remember=False)
    assert exercise.seen == {"f": {"first": {"first": grading.fingerprint(2.0)}}}
    earned, text = shown(exercise, capsys)
    assert earned == 0.5 and "f: too small.\n[sign]" in text


class Tensor:
    """Refuses to become an array, as a tensor of PyTorch that is in a graph does."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")


def test_a_tensor_that_refuses_is_told_how_to_give_its_numbers(capsys):
    exercise = grading.Assignment("test", {"f": lambda x: Tensor()}).exercise("numbers")
    exercise.value("f", [1.0], 1.0, case=1)
    exercise.value("f", [1.0], {"L": 1.0}, case=2)
    exercise.holds("f", [1.0], lambda value: None, case=3)
    exercise.gradient("f", lambda p: p["x"] ** 2, {"x": 2.0}, case=4)
    _, text = shown(exercise, capsys)
    assert "f is a Tensor, expected a number" in text and ".item()" in text


@pytest.mark.parametrize(
    "value, wanted, said",
    [
        ([np.ones(2), np.ones(3)], np.ones(2), "f is a list whose entries are not all single numbers,"),
        ("none", 1.0, "f is a str, expected a number or an array of numbers."),
        (3.0, {"W": 1.0, "b": 1.0}, "f: expected a dict with W, b, got float."),
    ],
    ids=["arrays in a list", "text", "number for a dict"],
)
def test_what_is_no_array_at_all_gets_no_name_of_a_mistake_with_arrays(value, wanted, said, capsys):
    exercise = grading.Assignment("test", {"f": lambda: value}).exercise("kind")
    exercise.value("f", [], wanted, case=1)
    _, text = shown(exercise, capsys)
    assert said in text and "[" not in text


# Numerical answers -------------------------------------------------------------------------------------------


def central(x, h=1e-5):
    return ((x + h) ** 3 - (x - h) ** 3) / (2 * h)


def test_a_finite_difference_is_flagged_and_not_zeroed(capsys):
    points, text = shown(graded(central)[1], capsys)
    assert points == 6.0
    assert "[numerical-gradient-returned] for the instructor" in text


def test_a_formula_in_float32_is_not_taken_for_a_finite_difference():
    x = np.linspace(0.3, 2.1, 7)
    for answer in (lambda x: np.cos(x.astype("f4")), lambda x: np.cos(x)):
        exercise = grading.Assignment("demo", {"slope": answer}).exercise("one")
        exercise.derivative("slope", np.sin, x, case=1)
        assert exercise.score() > 0 and not exercise.notes



def test_calling_the_loss_once_per_entry_is_flagged(capsys):
    def by_complex_step(x):
        g = np.zeros(x.shape)
        for i in np.ndindex(x.shape):
            z = x.astype(complex)
            z[i] += 1e-30j
            g[i] = np.imag(namespace["cube"](z)) / 1e-30
        return g

    namespace = {"cube": lambda x: np.sum(x**3), "cube_grad": by_complex_step}
    exercise = grading.Assignment("test", namespace).exercise("e")
    x = np.random.default_rng(1).normal(size=(2, 3))
    exercise.gradient("cube_grad", CUBE, {"x": x}, case=1, watch=["cube"])
    text = shown(exercise, capsys)[1]
    assert "evaluated the forward pass 6 times" in text
    honest = grading.Assignment("test", namespace | {"cube_grad": lambda x: 3 * x**2}).exercise("e")
    honest.gradient("cube_grad", CUBE, {"x": x}, case=1, watch=["cube"])
    assert "instructor" not in shown(honest, capsys)[1]


# Tests whose numbers decide nothing --------------------------------------------------------------------------


def test_a_check_without_a_verdict_is_an_error_and_no_points(monkeypatch):
    report = types.SimpleNamespace(verdict="inconclusive", ok=False, findings=[], wrong={})
    monkeypatch.setattr(grading, "check_gradient", lambda *args, **options: report)
    for ask in (lambda: whole(backward), lambda: graded(lambda x: 3 * x**2)):
        with pytest.raises(RuntimeError, match="the check is inconclusive"):
            ask()


class Unwritten:
    def __enter__(self):
        raise NotImplementedError

    def __exit__(self, *exception):
        raise NotImplementedError


def enter():
    with Unwritten():
        pass


def test_a_method_that_is_not_written_is_called_by_its_class(capsys):
    exercise = grading.Assignment("test", {"enter": enter, "Unwritten": Unwritten}).exercise("block")
    exercise.value("enter", [], 1.0, case="block")
    points, text = shown(exercise, capsys)
    assert points == 0 and "Unwritten is not written yet" in text


def deep(n):
    return 0.0 if n == 0 else 1.0 + deep(n - 1)


def test_a_recursion_that_is_too_deep_is_named(capsys):
    exercise = grading.Assignment("test", {"deep": deep}).exercise("depth")
    exercise.value("deep", [10.0], 10.0, case="shallow")
    exercise.value("deep", [100_000.0], 100_000.0, case="deep")
    points, text = shown(exercise, capsys)
    assert points == 0 and "[recursion-too-deep]" in text


def test_a_value_may_be_asked_for_in_another_way(capsys):
    exercise = grading.Assignment("test", {"make": lambda x: {"square": x * x}}).exercise("made")
    exercise.value("make", [3.0], 9.0, case="square", output="square", via=lambda make, x: make(x)["square"])
    exercise.value("make", [3.0], 8.0, case="wrong", output="wrong", via=lambda make, x: make(x)["square"])
    points, text = shown(exercise, capsys)
    assert points == 0.5 and "make" in text and "expected 8" in text


def test_what_is_remembered_of_a_check_changes_no_verdict(monkeypatch, capsys):
    """A right answer first, as the instructor's; what comes after it is judged and flagged as without it."""
    answers = [
        lambda x: 3 * x**2,
        lambda x: 3 * x * x,
        lambda x: 2 * x**2,
        lambda x: ((x + 1e-5) ** 3 - (x - 1e-5) ** 3) / 2e-5,
        lambda x: (x**3 - (x - 1e-5) ** 3) / 1e-5,
    ]
    told = [shown(graded(answer)[1], capsys) for answer in answers]
    kept: dict = {}
    monkeypatch.setattr(grading, "MEMORY", lambda exercise, function, case, *_: kept.setdefault((function, case), {}))
    assert [shown(graded(answer)[1], capsys) for answer in answers] == told
    assert [len(each["accepted"]) for each in kept.values()] == [1, 1]


def test_a_numerical_answer_is_not_what_others_are_compared_with(monkeypatch, capsys):
    numerical = lambda x: ((x + 1e-5) ** 3 - (x - 1e-5) ** 3) / 2e-5
    kept: dict = {}
    monkeypatch.setattr(grading, "MEMORY", lambda exercise, function, case, *_: kept.setdefault((function, case), {}))
    for _ in range(2):
        assert "numerical-gradient-returned" in shown(graded(numerical)[1], capsys)[1]
    assert [each["accepted"] for each in kept.values()] == [[], []]
