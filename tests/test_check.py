"""The checker: no wrong gradient passes and no right one fails; what it costs; what it says."""

import math
import subprocess
import sys

import corpus
import numpy as np
import pytest
from conftest import CI, SEED
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backprop import oracle, tape
from backprop.check import (
    Finding,
    check_gradient,
    check_vjp,
    complex_step,
    directional_derivative,
    noise_level,
    numerical_gradient,
    ridders,
)  # fmt: skip

SEEDS = sorted({0, SEED})
PROPERTY = settings(
    max_examples=25, deadline=None, derandomize=not CI, suppress_health_check=[HealthCheck.too_slow], database=None
)


# The corpus ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_no_wrong_gradient_passes_and_no_right_one_fails(seed):
    counts, mistaken, undecided = {}, [], []
    for case in corpus.cases(seed, per_variant=1):
        report = check_gradient(case.f, case.grad, case.params)
        counts[case.right, report.verdict] = counts.get((case.right, report.verdict), 0) + 1
        if report.verdict != ("pass" if case.right else "fail"):
            open_ = case.right and report.verdict == "inconclusive"
            (undecided if open_ else mistaken).append(f"{case.name}: {report.verdict}: {str(report).splitlines()[0]}")
    assert not mistaken, f"seed {seed}: {mistaken}"
    # One of 12,000 at 22 seeds, far from 0, of a layer whose units are all but shut.
    assert len(undecided) <= (5 if seed else 0), f"seed {seed}: {undecided}"
    assert counts[True, "pass"] >= 500 and counts[False, "fail"] >= 2000, counts


@pytest.mark.parametrize("seed", SEEDS)
def test_float64_alone_is_never_wrong_but_may_be_undecided(seed, monkeypatch):
    """As on a machine without extended precision, with an f that takes no complex numbers."""
    monkeypatch.setattr(oracle, "EXTENDED", False)
    undecided, mistaken = [], []
    for number, case in enumerate(corpus.cases(seed, per_variant=1)):
        if not case.right and number % 5:
            continue
        report = check_gradient(case.f, case.grad, case.params, method="ridders")
        if report.verdict == "inconclusive":
            undecided.append(case)
        elif report.ok != case.right:
            mistaken.append(f"{case.name}: {report.verdict}: {str(report).splitlines()[0]}")
    assert not mistaken, f"seed {seed}: {mistaken}"
    # Only where the loss is dwarfed by what is added to it.
    assert {case.variant for case in undecided} <= {"offset", "far"} and len(undecided) <= 12, undecided


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_drowned_in_rounding_is_undecided_and_never_wrong(seed):
    counts, refused, passed = {}, [], []
    for case in corpus.noisy(np.random.default_rng(seed), 150):
        verdict = check_gradient(case.f, case.grad, case.params).verdict
        counts[case.right, verdict] = counts.get((case.right, verdict), 0) + 1
        if verdict == ("fail" if case.right else "pass"):
            (refused if case.right else passed).append(case.name)
    assert not passed, f"seed {seed}: {passed}"
    # Of 3,300 right ones at 22 seeds 3 are refused; more than 4 of 150 have a chance below 1e-6.
    assert len(refused) <= (4 if seed else 0), f"seed {seed}: {refused}"
    assert counts[True, "pass"] >= 50 and counts[False, "fail"] >= 300, counts


@pytest.mark.parametrize("size", [1e-12, 1e-13, 1e-14])
@pytest.mark.parametrize("extended", [True, False])
def test_zeros_do_not_stand_for_a_small_gradient_whose_imaginary_part_is_dropped(extended, size, monkeypatch):
    monkeypatch.setattr(oracle, "EXTENDED", oracle.EXTENDED and extended)
    params = {"a": np.array([0.7, -1.1, 0.4]), "b": np.array([1.0, 2.0, -0.5])}
    f = lambda p: size * (np.real(p["a"]) ** 2).sum() + (p["b"] ** 2).sum()
    zeros = check_gradient(f, lambda p: {"a": 0 * p["a"], "b": 2 * p["b"]}, params)
    assert zeros.verdict == "fail" if oracle.EXTENDED else not zeros.ok
    assert check_gradient(f, lambda p: {"a": 2 * size * p["a"], "b": 2 * p["b"]}, params).verdict != "fail"


def test_an_array_on_which_nothing_depends_has_a_gradient_of_zeros(monkeypatch):
    """A bias before batch normalisation moves the loss by its rounding alone, and a dead unit's only far away."""
    monkeypatch.setattr(oracle, "EXTENDED", False)
    X = np.random.default_rng(0).normal(size=(8, 3))
    params = {"b": np.array([0.3, -1.0, 2.0]), "dead": np.array([-9.0, -8.0]), "c": np.array([0.5])}

    def f(p):
        Z = X + p["b"]
        Z = (Z - Z.mean(axis=0)) / Z.std(axis=0)
        return float((p["c"] * Z**3).sum() + 3 * (p["c"] ** 2).sum() + np.maximum(p["dead"], 0).sum())

    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    grad = lambda p: {"b": np.zeros(3), "dead": np.zeros(2), "c": (Z**3).sum() + 6 * p["c"]}
    assert check_gradient(f, grad, params).ok
    assert not check_gradient(f, lambda p: grad(p) | {"dead": np.full(2, 1e-3)}, params).ok


@pytest.mark.parametrize("seed", SEEDS)
def test_the_right_gradients_of_the_corpus_are_right(seed):
    """By a plain complex step, entry by entry, in a loop that shares nothing with check."""
    rng, seen = np.random.default_rng(seed), 0
    for model in corpus.models(rng):
        if not model.safe or model.family == "kink":
            continue
        right = model.grad(model.params)
        for name, value in model.params.items():
            for index in np.ndindex(value.shape):
                stepped = np.array(value, dtype=complex)
                stepped[index] += 1e-40j
                slope = np.imag(model.f(model.params | {name: stepped})) / 1e-40
                assert math.isclose(slope, right[name][index], rel_tol=1e-9, abs_tol=1e-13), (seed, model.name, name)
                seen += 1
    assert seen > 500


# One function, many gradients ------------------------------------------------------------------------------------

PARAMS = {"w": np.array([1.0, 2.0, 3.0]), "b": 0.5}


def loss(p):
    return (p["w"] ** 2).sum() + 3 * p["b"]


def right(p):
    return {"w": 2 * p["w"], "b": 3.0}


def mutates(p):
    p["w"] *= 2
    return {"w": p["w"], "b": 3.0}


def rebinds(p):
    p["b"] = 0.0
    return right(p)


def unwritten(p):
    raise NotImplementedError


def accumulating():
    total = np.zeros(3)

    def grad(p):
        nonlocal total
        total += 2 * p["w"]
        return {"w": total, "b": 3.0}

    return grad


def stale():
    kept = []

    def grad(p):
        kept.append(right(p))
        return kept[0]

    return grad


def noisy():
    rng = np.random.default_rng(0)
    return lambda p: {"w": 2 * p["w"] * rng.random(), "b": 3.0}


WRONG = [
    ("none-returned", lambda p: None, "The gradient function returned None: is a return missing?"),
    ("none-returned", lambda p: {"w": None, "b": 3.0}, "dw is None, expected an array of shape (3,)."),
    ("wrong-container", lambda p: [2 * p["w"], 3.0], "The gradient is a list, expected a dict with 'w', 'b'."),
    ("missing-key", lambda p: {"w": 2 * p["w"]}, "db is missing: the gradient has 'w', expected 'w', 'b'."),
    ("wrong-shape", lambda p: {"w": 2 * p["w"][None], "b": 3.0}, "dw: shape (1, 3), expected (3,)."),
    ("wrong-shape", lambda p: {"w": 2 * p["w"], "b": np.array([3.0])}, "db: shape (1,), expected ()."),
    ("wrong-dtype", lambda p: {"w": np.array([2, 4, 6]), "b": 3.0}, "dw holds int64, expected floats."),
    ("wrong-dtype", lambda p: {"w": 2 * p["w"] + 0j, "b": 3.0}, "dw is complex, expected an array of floats."),
    ("", lambda p: {"w": {"W": 2 * p["w"]}, "b": 3.0}, "dw is dict, expected an array of floats."),
    ("", lambda p: {"w": "abc", "b": 3.0}, "dw is str, expected an array of floats."),
    ("wrong-dtype", lambda p: {"w": 2 * p["w"], "b": True}, "db holds bool, expected floats."),
    ("", lambda p: {"w": tape.Tensor(2 * p["w"]), "b": 3.0}, "dw is a Tensor, expected an array of floats: take"),
    (
        "not-finite",
        lambda p: {"w": np.array([2, np.nan, 6]), "b": 3.0},
        "dw: 1 of 3 entries is not finite, the first is nan [1].",
    ),
    ("input-mutated", mutates, "w was changed in place: work on a copy."),
    ("input-mutated", rebinds, "b was changed in place: work on a copy."),
    ("exception", lambda p: 1 / 0, "<lambda> raised ZeroDivisionError: division by zero"),
    ("not-written", unwritten, "unwritten is not written yet."),
    ("not-zeroed", accumulating(), "dw: the second call gives twice the first: it adds to what the first one left."),
    ("stale-cache", stale(), "dw did not change when the parameters did: it was computed from an earlier call."),
    ("randomness-between-calls", noisy(), "dw: two calls with the same parameters give different answers."),
    ("zeros", lambda p: {"w": 0 * p["w"], "b": 3.0}, "dw: every entry is 0; finite differences give values up to 6."),
    ("wrong-value", lambda p: {"w": 2 * p["w"], "b": 1.5}, "db: yours 1.5, finite differences give 3 ± "),
    (
        "wrong-value",
        lambda p: {"w": p["w"] * 4, "b": 3.0},
        "dw: 3 of 3 entries are wrong; the worst is [2]: yours 12, finite differences give 6 ± ",
    ),
    (
        "wrong-value",
        lambda p: {"w": 2 * p["w"] + np.array([0, 1e-4, 0]), "b": 3.0},
        "dw: 1 of 3 entries is wrong; the worst is [1]: yours 4.0001, finite differences give 4 ± ",
    ),
]


@pytest.mark.parametrize(("id", "grad", "sentence"), WRONG, ids=[f"{k}-{row[0]}" for k, row in enumerate(WRONG)])
def test_a_wrong_gradient_fails_with_one_sentence(id, grad, sentence):
    report = check_gradient(loss, grad, PARAMS)
    assert (report.verdict, report.ok) == ("fail", False)
    assert report.findings[0].id == id
    assert str(report).startswith(sentence)
    assert all("\n" not in finding.message for finding in report.findings)
    with pytest.raises(AssertionError, match="expected|yours|wrong|call|copy|raised|written|finite|0;|did not|return"):
        report.raise_if_failed()


@pytest.mark.parametrize(
    "grad",
    [
        right,
        lambda p: {"w": 2 * p["w"], "b": 3},  # `return 3` loses nothing
        lambda p: {"w": list(2 * p["w"]), "b": np.array(3.0)},
        lambda p: right(p) | {"x": "an extra"},
        lambda p: {"w": (2 * p["w"]).astype(np.float32), "b": np.float32(3)},
    ],
)
def test_a_right_gradient_in_any_dress_passes(grad):
    report = check_gradient(loss, grad, PARAMS)
    report.raise_if_failed()
    assert str(report) == "Right: dw, db." and report.findings == []


@pytest.mark.parametrize(
    ("f", "params", "message"),
    [
        (lambda p: p["w"], PARAMS, "f: expected one real number, got ndarray of shape"),
        (lambda p: None, PARAMS, "f: expected one real number, got NoneType"),
        (lambda p: 1j, PARAMS, "f: expected one real number, got complex"),
        (lambda p: np.nan, PARAMS, "f: expected a finite number, got nan"),
        (lambda p: p["x"], PARAMS, r"f raised KeyError: 'x' \(params has 'w', 'b'\)"),
        (lambda p: 1 / 0, PARAMS, "f raised ZeroDivisionError"),
        (loss, {"w": np.array([1, 2]), "b": 0.5}, r"params\['w'\]: expected a float array .*, got an array of int"),
        (loss, {"w": [1.0, 2.0], "b": 0.5}, r"params\['w'\]: expected a float array or a float, got list"),
        (loss, {"w": np.array([1.0, np.inf]), "b": 0.5}, r"params\['w'\]: expected finite numbers"),
        (loss, {}, "params: expected a dict of float arrays by name"),
        (loss, [1.0], "params: expected a dict of float arrays by name"),
        (loss, {1: np.ones(2)}, "params: expected names that are strings, got 1"),
    ],
)
def test_a_bad_call_is_an_error_and_never_a_fail(f, params, message):
    with pytest.raises(ValueError, match=message):
        check_gradient(f, right, params)


def test_the_cause_of_a_bad_call_is_chained():
    with pytest.raises(ValueError) as caught:
        check_gradient(lambda p: 1 / 0, right, PARAMS)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize("argument", [{"method": "guess"}, {"mode": "fast"}, {"points": 0}])
def test_arguments_are_checked(argument):
    with pytest.raises(ValueError, match=f"{list(argument)[0]}: expected"):
        check_gradient(loss, right, PARAMS, **argument)


def test_a_random_loss_cannot_pass():
    rng = np.random.default_rng(0)
    report = check_gradient(lambda p: loss(p) * rng.random(), right, PARAMS)
    assert [finding.id for finding in report.findings] == ["randomness-between-calls"]


def test_the_callers_arrays_are_left_alone():
    params = {"w": PARAMS["w"].copy(), "b": 0.5}
    check_gradient(loss, mutates, params)
    assert np.array_equal(params["w"], PARAMS["w"]) and params["b"] == 0.5


def test_a_cache_that_f_keeps_is_left_with_real_numbers():
    kept = {}

    def f(p):
        kept["w"] = p["w"] * 1
        return loss(p)

    check_gradient(f, lambda p: {"w": 2 * kept["w"], "b": 3.0}, PARAMS).raise_if_failed()
    assert kept["w"].dtype == float and np.array_equal(kept["w"], PARAMS["w"])


def test_a_diagnosis_is_asked_for_failures_only():
    asked = []

    def mistakes(report):
        asked.append(report.verdict)
        return [Finding("factor-two", "w", "twice")]

    check_gradient(loss, right, PARAMS, mistakes=mistakes)
    report = check_gradient(loss, lambda p: {"w": 4 * p["w"], "b": 3.0}, PARAMS, mistakes=mistakes)
    assert asked == ["fail"] and report.findings[-1].id == "factor-two"


# Hard functions --------------------------------------------------------------------------------------------------

X6 = np.array([0.3, -1.2, 0.7, 2.1, -0.4, 1.6])
HARD = {
    # f, gradient, params
    "log-small": (lambda p: -np.log(p["x"]).sum(), lambda p: {"x": -1 / p["x"]}, [1e-8, 1e-3, 0.5, 1e6]),
    "sqrt-small": (lambda p: np.sqrt(p["x"]).sum(), lambda p: {"x": 0.5 / np.sqrt(p["x"])}, [1e-10, 1e-3, 2, 1e6]),
    "modulus": (lambda p: np.linalg.norm(p["x"]), lambda p: {"x": p["x"] / np.linalg.norm(p["x"])}, X6),
    "vdot": (lambda p: np.vdot(p["x"], p["x"]), lambda p: {"x": 2 * p["x"]}, X6),
    "fast": (lambda p: np.sin(1000 * p["x"]).sum(), lambda p: {"x": 1000 * np.cos(1000 * p["x"])}, X6),
    "far-out": (lambda p: np.exp(-(p["x"] ** 2)).sum(), lambda p: {"x": -2 * p["x"] * np.exp(-(p["x"] ** 2))}, [10.0]),
    "tiny-params": (lambda p: ((p["x"] - 3) ** 2).sum(), lambda p: {"x": 2 * (p["x"] - 3)}, 1e-20 * X6),
    "big-params": (lambda p: np.sin(p["x"]).sum(), lambda p: {"x": np.cos(p["x"])}, 1e6 * X6),
    "staircase": (lambda p: ((1e8 + p["x"]) - 1e8).sum(), lambda p: {"x": np.ones_like(p["x"])}, X6),
    "overflow": (
        lambda p: np.logaddexp(0, p["x"]).sum(), lambda p: {"x": 1 / (1 + np.exp(-p["x"]))}, [1000.0, -1000.0, 1.0]
    ),
    "at-zero": (lambda p: (p["x"] ** 4).sum(), lambda p: {"x": 4 * p["x"] ** 3}, np.zeros(3)),
    "constant": (lambda p: 3.0, lambda p: {"x": 0 * p["x"]}, X6),
    "math": (lambda p: math.exp(p["x"][0]), lambda p: {"x": np.array([math.exp(p["x"][0])])}, [1e-12]),
    "tiny-entry": (lambda p: p["x"] @ np.array([1, 1e-9]), lambda p: {"x": np.array([1, 1e-9])}, [1.0, 2.0]),
}  # fmt: skip


@pytest.mark.parametrize("extended", [True, False])
@pytest.mark.parametrize("opaque", [True, False])
@pytest.mark.parametrize("name", HARD)
def test_hard_functions(name, opaque, extended, monkeypatch):
    monkeypatch.setattr(oracle, "EXTENDED", oracle.EXTENDED and extended)
    f, grad, x = HARD[name]
    params = {"x": np.array(x, dtype=float)}
    f = (lambda p, f=f: float(f(p))) if opaque else f
    assert check_gradient(f, grad, params).ok
    worse = lambda p: {"x": grad(p)["x"] * 1.01 + (0.01 if name in ("at-zero", "constant") else 0)}
    assert check_gradient(f, worse, params).verdict == "fail"


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble])
def test_other_floats(dtype):
    params = {"x": X6.astype(dtype)}
    assert check_gradient(lambda p: (p["x"] ** 2).sum(), lambda p: {"x": 2 * p["x"]}, params).ok
    assert check_gradient(lambda p: (p["x"] ** 2).sum(), lambda p: {"x": 3 * p["x"]}, params).verdict == "fail"


def test_a_loss_in_single_precision_inside():
    f = lambda p: np.float32((np.tanh(p["x"].astype(np.float32)) ** 2).sum())
    grad = lambda p: {"x": 2 * np.tanh(p["x"]) * (1 - np.tanh(p["x"]) ** 2)}
    assert check_gradient(f, grad, {"x": X6}).ok
    assert check_gradient(f, lambda p: {"x": 1.1 * grad(p)["x"]}, {"x": X6}).verdict == "fail"


def test_an_entry_a_billion_times_smaller_is_still_seen():
    f = lambda p: p["x"] @ np.array([1, 1e-9])
    report = check_gradient(f, lambda p: {"x": np.array([1, 2e-9])}, {"x": np.array([1.0, 2.0])})
    assert report.wrong["x"].tolist() == [False, True]


def test_a_vanishing_gradient_is_still_seen():
    params = {"a": X6, "b": X6.copy()}
    f = lambda p: 1e-9 * (p["a"] ** 2).sum() + (p["b"] ** 2).sum()
    assert check_gradient(f, lambda p: {"a": 2e-9 * p["a"], "b": 2 * p["b"]}, params).ok
    report = check_gradient(f, lambda p: {"a": 2.001e-9 * p["a"], "b": 2 * p["b"]}, params)
    assert report.wrong["a"].any() and not report.wrong["b"].any()


def test_one_wrong_entry_of_a_hundred_thousand():
    x = np.random.default_rng(0).normal(size=100_000)

    def grad(p):
        gradient = 2 * p["x"]
        gradient[777] *= 1.01
        return {"x": gradient}

    report = check_gradient(lambda p: (p["x"] ** 2).sum(), grad, {"x": x})
    assert str(report).startswith("dx: at least 1 of 100000 entries is wrong; the worst is [777]: yours")
    assert np.flatnonzero(report.wrong["x"]).tolist() == [777]


def test_an_error_orthogonal_to_a_random_direction_is_caught_by_another():
    x, directions = np.arange(1.0, 7.0), []

    def f(p):
        if np.iscomplexobj(p["x"]) and len(cache) == 1:
            directions.append(p["x"].imag / np.abs(p["x"].imag).max())
        return (p["x"] ** 2).sum()

    cache = {}
    for _ in range(2):  # the first fills the cache, the second shows its directions
        check_gradient(f, lambda p: {"x": 2 * p["x"]}, {"x": x}, cache=cache)
    first = directions[-3]
    error = np.array([first[1], -first[0], 0, 0, 0, 0])
    report = check_gradient(f, lambda p: {"x": 2 * p["x"] + error}, {"x": x}, cache=cache)
    assert report.wrong["x"].tolist() == [True, True, False, False, False, False]


def test_a_cache_from_another_function_does_not_mislead():
    """Same code, same shapes: the remembered complex step is right for one inner function, wrong for the other."""
    cache, inner = {}, [lambda x: (x**2).sum()]
    f = lambda p: inner[0](p["x"])
    assert check_gradient(f, lambda p: {"x": 2 * p["x"]}, {"x": X6}, cache=cache).ok
    inner[0] = lambda x: np.vdot(x, x)
    assert check_gradient(f, lambda p: {"x": 2 * p["x"]}, {"x": X6}, cache=cache).ok
    assert check_gradient(f, lambda p: {"x": 3 * p["x"]}, {"x": X6}, cache=cache).verdict == "fail"


def test_what_agrees_with_an_accepted_gradient_to_rounding_needs_no_oracle():
    calls, accepted = [], []
    f = lambda p: calls.append(1) or (np.tanh(p["x"]) ** 2).sum()
    grad = lambda p: {"x": 2 * np.tanh(p["x"]) * (1 - np.tanh(p["x"]) ** 2)}
    other = lambda p: {"x": 2 * np.tanh(p["x"]) / np.cosh(p["x"]) ** 2}
    check = lambda grad, f=f, **options: check_gradient(f, grad, {"x": X6}, accepted=accepted, **options)
    assert check(grad).ok and len(accepted) == 1
    calls.clear()
    report = check(other)
    assert report.ok and report.as_before and len(calls) <= 5 and len(accepted) == 1
    # Only rounding will do; what is further off is judged as ever, and so is any other place or loss.
    near = lambda p: {"x": grad(p)["x"] * (1 + 1e-9)}
    for grads, loss, options in ((near, f, {}), (grad, lambda p: f(p) + 1.0, {}), (grad, f, {"seed": 1})):
        report = check(grads, loss, **options)
        assert report.ok and not report.as_before
    assert check(lambda p: {"x": grad(p)["x"] * (1 + 1e-5)}).verdict == "fail"
    assert check(lambda p: {"x": grad({"x": X6})["x"]}).findings[0].id == "stale-cache"
    assert check(grad, lambda p: (np.tanh(p["x"]) ** 3).sum()).verdict == "fail"


def test_a_slope_outside_a_kink_is_wrong_even_at_one_point():
    params = {"x": np.array([0.0, 1.0, -2.0])}
    f = lambda p: np.abs(p["x"]).sum()
    for slope in (-1.0, 0.0, 0.3, 1.0):
        grad = lambda p, s=slope: {"x": np.where(p["x"] == 0, s, np.sign(p["x"]))}
        assert check_gradient(f, grad, params, points=1).ok
    report = check_gradient(f, lambda p: {"x": np.where(p["x"] == 0, 2.0, np.sign(p["x"]))}, params, points=1)
    assert report.findings[0].id == "at-a-kink" and report.wrong["x"].tolist() == [True, False, False]


@pytest.mark.parametrize("opaque", [True, False])
def test_a_gradient_that_is_the_same_everywhere_is_not_stale(opaque):
    """Piecewise linear losses: wrong at a kink already, right at the first place alone, or zero there by symmetry."""
    u = np.array([1.5, -0.7, 0.9])
    loss = {
        "clip": lambda p: (u * np.where(p["x"] > 1, 1, np.where(p["x"] < -1, -1, p["x"]))).sum(),
        "relu": lambda p: (u * np.where(p["x"] > 1, p["x"] - 1, 0)).sum(),
        "square": lambda p: (p["x"] ** 2).sum(),
    }
    cases = [
        ("clip", lambda p: {"x": u * (abs(p["x"]) < 1) / 5}, [1.0, 0.2, -0.3]),
        ("relu", lambda p: {"x": u}, [1.02, 1.1, 1.05]),
        ("square", lambda p: {"x": 0 * p["x"]}, [0.0, 0.0, 0.0]),
    ]
    for kind, grad, x in cases:
        f = (lambda p, f=loss[kind]: float(f(p))) if opaque else loss[kind]
        for seed in range(5):
            report = check_gradient(f, grad, {"x": np.array(x)}, seed=seed)
            assert not report.ok, (kind, seed)
            assert "stale-cache" not in {finding.id for finding in report.findings}, (kind, seed)
    old = []
    stale = lambda p: {"x": old[0] if old else old.append(2 * p["x"]) or old[0]}
    report = check_gradient(lambda p: float(loss["square"](p)), stale, {"x": u})
    assert report.findings[0].id == "stale-cache"


def test_what_cannot_be_seen_is_called_undecided(monkeypatch):
    monkeypatch.setattr(oracle, "EXTENDED", False)
    f = lambda p: float(1e-7 * (p["x"] ** 2).sum() + 1e6)
    report = check_gradient(f, lambda p: {"x": 2e-7 * p["x"]}, {"x": X6})
    assert report.verdict == "inconclusive" and str(report).startswith("dx cannot be decided: ")
    report.raise_if_failed()


# Costs -----------------------------------------------------------------------------------------------------------


def counted(width, opaque=False):
    """A two-layer network with its gradient, and a list that grows at every forward pass."""
    rng, calls = np.random.default_rng(1), []
    X, Y = rng.normal(size=(8, width)), rng.normal(size=(8, 3))
    params = {"W1": rng.normal(size=(width, width)) / np.sqrt(width), "b1": 0.1 * rng.normal(size=width),
              "W2": rng.normal(size=(width, 3)), "b2": rng.normal(size=3)}  # fmt: skip

    def f(p):
        calls.append(1)
        value = ((np.tanh(X @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"] - Y) ** 2).sum() / 8
        return float(value) if opaque else value

    def grad(p):
        A = np.tanh(X @ p["W1"] + p["b1"])
        dP = 2 * (A @ p["W2"] + p["b2"] - Y) / 8
        dZ = dP @ p["W2"].T * (1 - A**2)
        return {"W1": X.T @ dZ, "b1": dZ.sum(axis=0), "W2": A.T @ dP, "b2": dP.sum(axis=0)}

    return f, grad, params, calls


@pytest.mark.parametrize("opaque", [False, True])
@pytest.mark.parametrize("width", [2, 20, 100])
def test_a_right_gradient_costs_a_few_forward_passes(width, opaque):
    f, grad, params, calls = counted(width, opaque)
    cache = {}
    assert check_gradient(f, grad, params, cache=cache).ok and len(calls) <= 120
    for seed in range(3):
        calls.clear()
        assert check_gradient(f, grad, params, cache=cache, seed=seed).ok
        assert len(calls) <= 40 + 6 * len(params)


@pytest.mark.parametrize("seed", range(4))
def test_a_right_gradient_of_thirty_arrays_costs_no_more_for_being_loud_and_quiet(seed):
    rng = np.random.default_rng(seed)
    params = {f"p{k}": rng.normal(size=rng.integers(1, 4, 2)) for k in range(1, 31)}
    weight = {name: k for k, name in enumerate(params, 1)}
    calls, cache = [], {}
    sums = lambda p: {name: (np.tanh(value) * weight[name]).sum() for name, value in p.items()}
    f = lambda p: calls.append(1) or float(sum(total**2 for total in sums(p).values()))
    grad = lambda p: {n: 2 * total * weight[n] * (1 - np.tanh(p[n]) ** 2) for n, total in sums(p).items()}
    for _ in range(2):
        calls.clear()
        assert check_gradient(f, grad, params, cache=cache, seed=seed).ok
    assert len(calls) <= 40 + 6 * len(params)
    wrong = lambda p: grad(p) | {"p1": 1.0001 * grad(p)["p1"]}
    assert check_gradient(f, wrong, params, cache=cache, seed=seed).wrong["p1"].any()


@pytest.mark.parametrize("seed", SEEDS)
def test_what_a_right_gradient_costs_over_the_corpus(seed):
    """Kinks and losses drowned in rounding included."""
    dear, seen = {}, 0
    for case in corpus.cases(seed, per_variant=0):
        if not case.right:
            continue
        calls, cache = [], {}
        f = lambda p, case=case, calls=calls: calls.append(1) or case.f(p)
        assert check_gradient(f, case.grad, case.params, cache=cache).verdict != "fail"
        first = len(calls)
        assert check_gradient(f, case.grad, case.params, cache=cache).verdict != "fail"
        seen += 1
        if len(calls) - first > 40 + 6 * len(case.params) or first > 120:
            dear.setdefault(case.name.partition("/")[0], []).append(f"{case.name}: {first}, then {len(calls) - first}")
    # None at the seeds that the benchmarks' README names.  Elsewhere a network whose units are all but shut, or so, may
    # need longer tables of differences, and all its variants with it: two networks at the worst of 22 seeds.
    assert seen >= 500 and len(dear) <= (6 if seed else 0), f"seed {seed}: {dear}"


def test_importing_costs_what_numpy_costs():
    code = (
        "import sys, numpy; before = set(sys.modules); import backprop.check; print(*(set(sys.modules) - before))"
    )
    new = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    ours = {"backprop", *(f"backprop.{name}" for name in ("answers", "check", "oracle", "report", "slopes"))}
    allowed = ours | {"dataclasses", "copy", "heapq", "_heapq", "keyword"}
    assert set(new) <= allowed


# Layers, oracles, the slope of a line ----------------------------------------------------------------------------


def affine():
    rng = np.random.default_rng(3)
    return {"X": rng.normal(size=(5, 3)), "W": rng.normal(size=(3, 4)), "b": rng.normal(size=4)}


@pytest.mark.parametrize(
    "backward",
    [
        lambda dY, X, W, b: (dY @ W.T, X.T @ dY, dY.sum(axis=0)),
        lambda dY, X, W, b: {"W": X.T @ dY, "b": dY.sum(axis=0), "X": dY @ W.T},
    ],
)
def test_a_layer(backward):
    assert check_vjp(lambda X, W, b: X @ W + b, backward, affine()).ok


def test_a_wrong_layer():
    report = check_vjp(lambda X, W, b: X @ W + b, lambda dY, X, W, b: (dY @ W.T, X.T @ dY, dY), affine())
    assert str(report).startswith("db: shape (5, 4), expected (4,).")
    ones = np.ones((5, 4))
    blind = lambda dY, X, W, b: (np.ones_like(dY) @ W.T, X.T @ dY, dY.sum(axis=0))  # the upstream is forgotten
    assert check_vjp(lambda X, W, b: X @ W + b, blind, affine(), upstream=ones).ok
    assert check_vjp(lambda X, W, b: X @ W + b, blind, affine()).verdict == "fail"


def test_layers_with_labels_one_input_two_outputs_and_scalars():
    x = np.array([0.2, -0.4, 1.3])
    take = lambda x, index: x[index]

    def take_backward(dY, x, index):
        dx = np.zeros_like(x)
        np.add.at(dx, index, dY)
        return dx, None

    index = np.array([0, 2, 2])
    assert check_vjp(take, take_backward, {"x": x, "index": index}).ok
    assert check_vjp(lambda x: np.tanh(x), lambda dY, x: dY * (1 - np.tanh(x) ** 2), {"x": x}).ok
    two = lambda x: (x**2, x.sum())
    assert check_vjp(two, lambda d, x: 2 * x * d[0] + d[1], {"x": x}).ok
    assert check_vjp(lambda x: x * x, lambda d, x: 2 * x * d, {"x": 0.7}).ok


def test_a_layer_that_changes_its_upstream():
    def backward(dY, x):
        dY *= 2 * x
        return dY

    report = check_vjp(lambda x: x**2, backward, {"x": np.ones(3)})
    message = "the upstream gradient was changed in place: work on a copy."
    assert report.findings[0] == Finding("input-mutated", "", message)


def test_a_layer_called_badly():
    with pytest.raises(ValueError, match="forward raised KeyError"):
        check_vjp(lambda x: {}["y"], lambda d, x: d, {"x": np.ones(2)})
    with pytest.raises(ValueError, match="forward: expected an array of floats"):
        check_vjp(lambda x: "text", lambda d, x: d, {"x": np.ones(2)})
    with pytest.raises(ValueError, match=r"upstream: shape \(3,\)"):
        check_vjp(lambda x: x, lambda d, x: d, {"x": np.ones(2)}, upstream=np.ones(3))
    with pytest.raises(ValueError, match="inputs: expected a dict"):
        check_vjp(lambda x: x, lambda d, x: d, [np.ones(2)])


@pytest.mark.parametrize("method", ["auto", "complex", "ridders"] + ["extended"] * oracle.EXTENDED)
def test_numerical_derivatives_hold_their_bounds(method):
    f, grad, params, _ = counted(4)
    gradient, bound = numerical_gradient(f, params, method=method)
    exact = grad(params)
    for name in params:
        assert gradient[name].shape == bound[name].shape == params[name].shape
        assert (np.abs(gradient[name] - exact[name]) <= bound[name] + 1e-14).all() and bound[name].max() < 1e-8
    direction = {name: np.cos(np.arange(value.size)).reshape(value.shape) for name, value in params.items()}
    value, error = directional_derivative(f, params, direction, method=method)
    assert abs(value - sum((exact[name] * direction[name]).sum() for name in params)) <= error + 1e-13
    assert error < 1e-8


def test_numerical_derivatives_called_badly():
    with pytest.raises(ValueError, match="cannot be called with complex numbers"):
        numerical_gradient(lambda p: float(loss(p)), PARAMS, method="complex")
    with pytest.raises(ValueError, match="does not compute in long double"):
        numerical_gradient(lambda p: float(loss(p)), PARAMS, method="extended")
    with pytest.raises(ValueError, match=r"direction\['x'\]: no such parameter"):
        directional_derivative(loss, PARAMS, {"x": np.ones(3)})
    with pytest.raises(ValueError, match=r"direction\['w'\]: shape \(2,\), expected \(3,\)"):
        directional_derivative(loss, PARAMS, {"w": np.ones(2)})


def test_the_slope_of_a_line():
    assert math.isclose(complex_step(lambda t: np.exp(t) * np.sin(1 + t)), np.sin(1) + np.cos(1), rel_tol=1e-15)
    phi = lambda t: np.exp(t) * np.sin(1 + t)
    value, bound, jump = ridders(phi, noise_level(phi, 2.0**-52))
    assert abs(value - np.sin(1) - np.cos(1)) <= bound < 1e-9 and jump == 0
    value, bound, jump = ridders(lambda t: np.float64(abs(t)) + 2 * t, 1e-16)
    assert abs(value - 2) <= bound and math.isclose(jump, 2, rel_tol=1e-6)


@pytest.mark.parametrize("noise", [1e-12, 1e-8, 1e-4])
def test_the_noise_of_a_function_is_measured(noise):
    rng = np.random.default_rng(0)
    measured = noise_level(lambda t: np.cos(t) + noise * rng.normal(), 2.0**-52)
    assert noise / 4 < measured < 4 * noise


# What never changes a verdict ------------------------------------------------------------------------------------

BUGS = [
    None, "sign", "missing-batch-mean", "bias-averaged@b2", "missing-activation-derivative@W2", "penalty-missing@W1"
]  # fmt: skip


def network(seed):
    return corpus.mlp(np.random.default_rng(seed), 2, "tanh", "mse")


def verdict(f, grad, params, **arguments):
    report = check_gradient(f, grad, params, **arguments)
    assert report.verdict != "inconclusive"
    return report.verdict


@PROPERTY
@given(seed=st.integers(0, 10**6), bug=st.sampled_from(BUGS), power=st.integers(-6, 6), offset=st.floats(-1e3, 1e3))
def test_scaling_and_shifting_the_loss(seed, bug, power, offset):
    model, factor = network(seed), 10.0**power
    f = lambda p: factor * (model.f(p) + offset)
    grad = lambda p: {name: factor * g for name, g in model.grad(p, bug).items()}
    assert verdict(f, grad, model.params) == ("fail" if bug else "pass")


@PROPERTY
@given(seed=st.integers(0, 10**6), bug=st.sampled_from(BUGS), order=st.permutations(["W1", "b1", "W2", "b2"]))
def test_order_and_names_of_the_parameters(seed, bug, order):
    model = network(seed)
    new = {name: f"<{k}> θ" for k, name in enumerate(order)}
    old = {new[name]: name for name in order}
    translate = lambda p: {old[name]: value for name, value in p.items()}
    f = lambda p: model.f(translate(p))
    grad = lambda p: {new[name]: g for name, g in model.grad({n: translate(p)[n] for n in model.params}, bug).items()}
    assert verdict(f, grad, {new[name]: model.params[name] for name in order}) == ("fail" if bug else "pass")


@PROPERTY
@given(seed=st.integers(0, 10**6), bug=st.sampled_from(BUGS), data=st.data())
def test_layout_and_type_of_the_arrays(seed, bug, data):
    model = network(seed)
    dress = {
        "fortran": np.asfortranarray,
        "read-only": lambda a: np.lib.stride_tricks.as_strided(a, writeable=False),
        "strided": lambda a: np.repeat(a, 2, axis=0)[::2],
        "reversed": lambda a: a[::-1].copy()[::-1],
        "float32": lambda a: a.astype(np.float32),
    }
    params = {n: dress[data.draw(st.sampled_from(sorted(dress)), label=n)](v) for n, v in model.params.items()}
    kept = {name: np.zeros(value.shape) for name, value in params.items()}

    def grad(p):
        for name, g in model.grad(p, bug).items():
            kept[name][...] = g
        return kept

    assert verdict(model.f, grad, params) == ("fail" if bug else "pass")


@PROPERTY
@given(seed=st.integers(0, 10**6), bug=st.sampled_from(BUGS), c=st.floats(0.1, 3))
def test_zero_size_and_scalar_parameters(seed, bug, c):
    model = network(seed)
    params = {"none": np.zeros((0, 3)), "c": c, "d": np.array(c)} | model.params
    f = lambda p: model.f({n: p[n] for n in model.params}) * p["c"] + p["d"] ** 2

    def grad(p):
        inner = {n: p[n] for n in model.params}
        outer = {"none": np.zeros((0, 3)), "c": float(model.f(inner)), "d": 2 * p["d"]}
        return outer | {n: g * p["c"] for n, g in model.grad(inner, bug).items()}

    assert verdict(f, grad, params) == ("fail" if bug else "pass")


@PROPERTY
@given(seed=st.integers(0, 10**6), bug=st.sampled_from(BUGS), mode=st.sampled_from(["screen", "full"]))
def test_both_modes_agree_and_every_seed_does(seed, bug, mode):
    model = network(seed)
    found = verdict(model.f, lambda p: model.grad(p, bug), model.params, mode=mode, seed=seed)
    assert found == ("fail" if bug else "pass")


# The report ------------------------------------------------------------------------------------------------------


def test_full_mode_computes_every_entry():
    report = check_gradient(loss, right, PARAMS, mode="full")
    assert report.ok and np.allclose(report.numeric["w"], [2, 4, 6]) and report.error_bound["w"].max() < 1e-9
    assert np.isnan(check_gradient(loss, right, PARAMS).numeric["w"]).all()


def test_the_text_is_a_sentence_and_a_table():
    report = check_gradient(loss, lambda p: {"w": 4 * p["w"], "b": 3.0}, PARAMS)
    sentence, header, w, b = str(report).splitlines()
    assert header.split("  ")[0] == "parameter"
    assert w.split()[:6] == ["w", "(3,)", "3", "of", "3", "[2]"] and b.split() == ["b", "()", "none"]


def test_the_html_is_escaped_and_does_not_rely_on_colour():
    name = "<script>alert('w')</script>"
    f = lambda p: (p[name] ** 2).sum()
    html = check_gradient(f, lambda p: {name: 3 * p[name]}, {name: X6})._repr_html_()
    assert "<script" not in html and "&lt;script&gt;" in html
    assert "✗ wrong" in html and "currentColor" in html and "var(--" in html
    assert "✓ right" in check_gradient(f, lambda p: {name: 2 * p[name]}, {name: X6})._repr_html_()


@pytest.mark.parametrize(
    "grad", [right, lambda p: {"w": 4 * p["w"], "b": 3.0}, lambda p: {"w": p["w"][None]}, lambda p: None]
)
def test_the_figure_marks_wrong_entries(grad, tmp_path):
    report = check_gradient(loss, grad, PARAMS)
    figure = report.plot()
    assert figure._repr_png_().startswith(b"\x89PNG")  # a notebook shows it though nobody has imported pyplot
    figure.savefig(tmp_path / "report.png")
    crosses = sum(len(line.get_xdata()) for axis in figure.axes for line in axis.lines if line.get_marker() == "x")
    shown = [name for name in PARAMS if np.shape(report.analytic.get(name)) == np.shape(PARAMS[name])]
    assert crosses == sum(report.wrong[name].sum() for name in shown)


def test_the_figure_of_many_parameters_stays_legible():
    params = {f"layer{k}.weight_with_a_long_name": np.ones((2, 3)) for k in range(9)}
    loss = lambda p: sum((value**2).sum() for value in p.values())
    figure = check_gradient(loss, lambda p: {name: 3 * value for name, value in p.items()}, params).plot()
    figure.draw_without_rendering()
    assert figure.get_size_inches()[0] < 11
    titles = [axis.title.get_window_extent() for axis in figure.axes if axis.get_title()]
    assert len(titles) == 9
    assert not any(a.overlaps(b) for k, a in enumerate(titles) for b in titles[:k])
