"""What it costs to accept a right gradient: check_gradient against its peers, all in one run.

    OMP_NUM_THREADS=1 python benchmarks/check.py
    python benchmarks/check.py SEED ...
    python benchmarks/check.py drowned SEED ...

With seeds: the forward passes for every right gradient of the corpus, and which of them are over the budget.
drowned: what is said of opaque losses far from 0, by how far their quietest array stands out of the rounding.
One network (affine, tanh, affine, mean squared error) with about 10, 10^2, ... 10^5 parameters.  Counted: forward
passes, by wrapping f.  Measured: CPU time of the process, the median of rounds in which every peer has its turn.
Each peer decides the same question with its own defaults.  A peer is left out where its last time says that it would
take more than a minute.

numdifftools is not among the project's requirements: pip install numdifftools; without it its rows say so.
"""

import collections
import importlib.util
import math
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy and PyTorch are loaded: threads would blur CPU time
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import statistics
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import scipy.optimize
import torch

from backprop.check import check_gradient

SIZES = (10, 100, 1_000, 10_000, 100_000)
LIMIT = 60.0  # seconds
BATCH = 16


class Network:
    """The loss and its gradient in NumPy, the loss in PyTorch, and a count of forward passes of both."""

    def __init__(self, wanted):
        width = max(2, round((math.sqrt(wanted + 4) - 2) if wanted < 1000 else math.sqrt(wanted / 2)))
        outputs = max(1, round((wanted - width * (width + 1)) / (width + 1)))
        rng = np.random.default_rng(0)
        self.X, self.Y = rng.normal(size=(BATCH, width)), rng.normal(size=(BATCH, outputs))
        self.params = {
            "W1": rng.normal(size=(width, width)) / math.sqrt(width),
            "b1": 0.1 * rng.normal(size=width),
            "W2": rng.normal(size=(width, outputs)) / math.sqrt(width),
            "b2": 0.1 * rng.normal(size=outputs),
        }
        self.size = sum(value.size for value in self.params.values())
        self.tensors = [torch.tensor(value, requires_grad=True) for value in self.params.values()]
        self.tX, self.tY = torch.tensor(self.X), torch.tensor(self.Y)
        self.passes = 0
        self.cache = {}  # as an exercise keeps one

    def f(self, p):
        self.passes += 1
        P = np.tanh(self.X @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"]
        return ((P - self.Y) ** 2).sum() / BATCH

    def grad(self, p):
        A = np.tanh(self.X @ p["W1"] + p["b1"])
        dP = 2 * (A @ p["W2"] + p["b2"] - self.Y) / BATCH
        dZ = dP @ p["W2"].T * (1 - A**2)
        return {"W1": self.X.T @ dZ, "b1": dZ.sum(axis=0), "W2": A.T @ dP, "b2": dP.sum(axis=0)}

    def f_torch(self, W1, b1, W2, b2):
        self.passes += 1
        P = torch.tanh(self.tX @ W1 + b1) @ W2 + b2
        return ((P - self.tY) ** 2).sum() / BATCH

    def flat(self, p):
        return np.concatenate([value.ravel() for value in p.values()])

    def unflat(self, x):
        parts = np.split(x, np.cumsum([value.size for value in self.params.values()])[:-1])
        return {n: part.reshape(self.params[n].shape) for n, part in zip(self.params, parts, strict=True)}


def ours_first(network):
    return check_gradient(network.f, network.grad, network.params).ok


def ours_known(network):
    return check_gradient(network.f, network.grad, network.params, cache=network.cache).ok


def scipy_check_grad(network):
    f = lambda x: network.f(network.unflat(x))
    gradient = lambda x: network.flat(network.grad(network.unflat(x)))
    x = network.flat(network.params)
    return scipy.optimize.check_grad(f, gradient, x) < 1e-4 * np.linalg.norm(gradient(x))


def torch_slow(network):
    return torch.autograd.gradcheck(network.f_torch, network.tensors)


def torch_fast(network):
    return torch.autograd.gradcheck(network.f_torch, network.tensors, fast_mode=True)


def numdifftools_gradient(network):
    import numdifftools

    found = numdifftools.Gradient(lambda x: network.f(network.unflat(x)))(network.flat(network.params))
    return np.allclose(found, network.flat(network.grad(network.params)), rtol=1e-6, atol=1e-9)


PEERS = {
    "check_gradient, first time": ours_first,
    "check_gradient, oracle known": ours_known,
    "torch gradcheck, fast mode": torch_fast,
    "torch gradcheck, slow mode": torch_slow,
    "scipy check_grad": scipy_check_grad,
    "numdifftools Gradient": numdifftools_gradient,
}


def measure(peers, network):
    """dict name -> (forward passes, seconds of CPU): the median of rounds in which every peer has a turn."""
    runs, began = {name: [] for name in peers}, time.process_time()
    while len(next(iter(runs.values()))) < 3 or time.process_time() - began < 2.0:
        for name, peer in peers.items():
            if runs[name] and sum(spent for spent, _ in runs[name]) > 2.0:
                continue  # a slow one has its time, so that the others have more turns
            network.passes = 0
            started = time.process_time()
            accepted = peer(network)
            runs[name].append((time.process_time() - started, network.passes))
            if not accepted:
                raise AssertionError(f"{name} rejects a right gradient of {network.size} parameters")
    return {name: (found[0][1], statistics.median(spent for spent, _ in found)) for name, found in runs.items()}


def _ratio(value):
    return f"{value:.2g}" if value < 100 else f"{value:,.0f}"


def main():
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    peers, absent = dict(PEERS), {}
    if importlib.util.find_spec("numdifftools") is None:
        absent["numdifftools Gradient"] = "not installed"
    columns, sizes = [], []
    for network in map(Network, SIZES):
        ours_known(network)  # fills the cache
        asked = {name: peer for name, peer in peers.items() if name not in absent}
        found = measure(asked, network)
        ours = found["check_gradient, oracle known"][1]
        cells = {n: f"{passes:,} · {1e3 * s:,.1f} ms · {_ratio(s / ours)}×" for n, (passes, s) in found.items()}
        columns.append(absent | cells)
        sizes.append(f"{network.size:,}")
        absent |= {name: f"left out: > {LIMIT:.0f} s" for name, (_, spent) in found.items() if 10 * spent > LIMIT}
    print("forward passes · CPU time · CPU time as a multiple of check_gradient with its oracle known\n")
    print("| " + " | ".join(["parameters", *sizes]) + " |\n|" + "---|" * (len(sizes) + 1))
    for name in peers:
        print(f"| {name} | " + " | ".join(column[name] for column in columns) + " |")


def corpus_costs(seeds):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
    from corpus import cases

    spent, over = [], {"known": {}, "first": {}}
    for case in (case for seed in seeds for case in cases(seed, per_variant=0) if case.right):
        passes, cache, counts = [], {}, []
        for _ in ("first", "known"):
            passes.clear()
            f = lambda p, case=case, passes=passes: passes.append(1) or case.f(p)
            if not check_gradient(f, case.grad, case.params, cache=cache).ok:
                raise AssertionError(f"{case.name}: a right gradient is not accepted")
            counts.append(len(passes))
        spent.append(counts)
        for when, count, limit in zip(("first", "known"), counts, (120, 40 + 6 * len(case.params)), strict=True):
            if count > limit:
                over[when].setdefault(case.group, []).append(count)
    for k, when in enumerate(("first", "known")):
        counts, cases_over = [pair[k] for pair in spent], sum(map(len, over[when].values()))
        print(f"{when}: median {np.median(counts):.0f}, most {max(counts)}; {cases_over} of {len(spent)} over budget:")
        print("  " + ", ".join(f"{group} {found}" for group, found in sorted(over[when].items())))


def drowned(seeds):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
    from corpus import noisy

    said = {True: collections.Counter(), False: collections.Counter()}
    for case in (case for seed in seeds for case in noisy(np.random.default_rng(seed), 150)):
        verdict = check_gradient(case.f, case.grad, case.params).verdict
        if case.right:  # the first of its group: the wrong ones share its loss
            parts = [np.linalg.norm(g * case.params[name]) for name, g in case.grad(case.params).items()]
            loudness = min(part for part in parts if part) / np.spacing(case.f(case.params))
        said[case.right][min(max(math.floor(math.log10(loudness)), 3), 7), verdict] += 1
    head = "right: passed, undecided, failed | wrong: the same"
    print(f"| the quietest array's part, in roundings of the loss | {head} |")
    print("|---|---|---|")
    for power, label in ((3, "below 10⁴"), (4, "10⁴"), (5, "10⁵"), (6, "10⁶"), (7, "10⁷ and more")):
        counts = [[said[right][power, v] for v in ("pass", "inconclusive", "fail")] for right in (True, False)]
        print(f"| {label} | " + " | ".join(", ".join(f"{n:,}" for n in row) for row in counts) + " |")
    for right, counts in said.items():
        undecided = sum(n for (_, verdict), n in counts.items() if verdict == "inconclusive")
        print(f"{'right' if right else 'wrong'}: {undecided} of {counts.total()} undecided")


if __name__ == "__main__":
    if sys.argv[1:2] == ["drowned"]:
        drowned([int(seed) for seed in sys.argv[2:]])
    else:
        corpus_costs([int(seed) for seed in sys.argv[1:]]) if len(sys.argv) > 1 else main()
