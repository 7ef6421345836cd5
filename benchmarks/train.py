"""Time and memory of one training epoch: our NumPy network and our engine against their peers, all in one run.

    python benchmarks/train.py [HIDDEN ...]        sizes of the hidden layers, 32 without any
    python benchmarks/train.py --profile           where our two spend their time, at batch 32

Everyone trains one network (64-32-10, ReLU, softmax cross-entropy, float64, plain SGD) on the same examples of
scikit-learn's 8 x 8 digits, in the same batches and the same order, from the same parameters, on one thread.  Each
step takes its rows out of X, computes loss and gradients, updates, and reads the loss.  The epochs are interleaved:
everyone does the first, then everyone the second.  Reported is the time of the first step, the second, ... each at
its fastest, added up: an epoch on a machine that does nothing else.  The losses of every epoch have to agree, so that
all are known to do the same work.  Memory is the peak resident size of a process of its own that loads what it needs
and trains for one epoch of batches of 512, and what of that was there before training began.

The scalar engine is as many lines as it takes here, after micrograd: a number is a node.  It does one step on four
examples, whose loss has to agree too, and its time is multiplied up to an epoch.

tinygrad compiles with clang (Debian: apt install clang lld); where it can't its rows say so.
"""

import cProfile
import math
import os
import pstats
import shutil
import subprocess
import sys
import tempfile
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUM_CPU_THREADS"):
    os.environ[name] = "1"  # before NumPy, PyTorch and tinygrad are loaded
os.environ.update(DEV="CPU", TRAINING="1", DEFAULT_FLOAT="float64")  # tinygrad

import numpy as np  # noqa: E402

EXAMPLES = 1536  # full batches of 32 and of 512
BATCHES = (32, 128, 512)
EPOCHS = 25
LR = 0.3
SLICE = 4  # examples for the scalar engine
AGREE = 1e-9


def initial(hidden):
    """The parameters that everyone starts from."""
    rng = np.random.default_rng(0)
    sizes = [64, *hidden, 10]
    layers = [(rng.normal(size=(d, h)) * math.sqrt(2 / d), np.zeros(h)) for d, h in zip(sizes, sizes[1:], strict=False)]
    return {f"{letter}{i}": array for i, pair in enumerate(layers, 1) for letter, array in zip("Wb", pair, strict=True)}


def digits():
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))[:EXAMPLES]
    return X[order] / 16, y[order]


# ---------------------------------------------------------------- who takes part: step(rows) returns the loss


class NumPyNetwork:
    name = "our NumPy network"

    def __init__(self, params, X, y):
        from backprop.nn import MLP, SGD

        self.params, self.X, self.y = params, X, y
        self.net = MLP([64, *(V.size for name, V in params.items() if name[0] == "b")])
        self.optimiser = SGD(LR)

    def step(self, rows):
        L, grads = self.net.loss_and_grads(self.params, self.X[rows], self.y[rows])
        self.optimiser.step(self.params, grads)
        return L


class Engine(NumPyNetwork):
    name = "our engine"

    def __init__(self, params, X, y):
        from backprop.tape import Tensor

        super().__init__(params, X, y)
        self.tensors = {name: Tensor(V, requires_grad=True) for name, V in params.items()}

    def step(self, rows):
        for t in self.tensors.values():
            t.zero_grad()
        L = self.net.tape_loss(self.tensors, self.X[rows], self.y[rows])
        L.backward()
        self.optimiser.step(self.params, {name: t.grad for name, t in self.tensors.items()})
        return L.item()


class PyTorch:
    name = "PyTorch"

    def __init__(self, params, X, y):
        import torch

        torch.set_num_threads(1)
        self.torch, self.X, self.y = torch, torch.tensor(X), torch.tensor(y)
        layers = []
        for i in range(1, len(params) // 2 + 1):
            layer = torch.nn.Linear(*params[f"W{i}"].shape, dtype=torch.float64)
            with torch.no_grad():
                layer.weight.copy_(torch.tensor(params[f"W{i}"].T))
                layer.bias.copy_(torch.tensor(params[f"b{i}"]))
            layers += [layer, torch.nn.ReLU()]
        self.net = torch.nn.Sequential(*layers[:-1])
        self.loss = torch.nn.CrossEntropyLoss()
        self.optimiser = torch.optim.SGD(self.net.parameters(), LR)

    def step(self, rows):
        rows = self.torch.from_numpy(rows)
        self.optimiser.zero_grad()
        L = self.loss(self.net(self.X[rows]), self.y[rows])
        L.backward()
        self.optimiser.step()
        return L.item()


class HipsAutograd:
    name = "HIPS autograd"

    def __init__(self, params, X, y):
        import autograd
        import autograd.numpy as anp
        from autograd.scipy.special import logsumexp

        self.params, self.X, self.y = params, X, y
        last = len(params) // 2

        def loss(params, X, y):
            A = X
            for i in range(1, last + 1):
                Z = anp.dot(A, params[f"W{i}"]) + params[f"b{i}"]
                A = anp.maximum(Z, 0)
            return anp.mean(logsumexp(Z, axis=1) - Z[np.arange(len(y)), y])

        self.value_and_grad = autograd.value_and_grad(loss)

    def step(self, rows):
        L, grads = self.value_and_grad(self.params, self.X[rows], self.y[rows])
        for name, dV in grads.items():
            self.params[name] -= LR * dV
        return L


class Tinygrad:
    name = "tinygrad"

    def __init__(self, params, X, y):
        if not shutil.which("clang"):
            raise ImportError("it needs clang")
        from tinygrad import Tensor, TinyJit, dtypes
        from tinygrad.nn.optim import SGD

        self.Tensor, self.X, self.y = Tensor, X, y
        self.dtype = dtypes.float64
        tensors = {name: Tensor(V, dtype=dtypes.float64).realize() for name, V in params.items()}
        for t in tensors.values():
            t.is_param_()
        optimiser = SGD([*tensors.values()], lr=LR)

        def step(X, y):
            A = X
            for i in range(1, len(params) // 2 + 1):
                Z = A @ tensors[f"W{i}"] + tensors[f"b{i}"]
                A = Z.relu()
            optimiser.zero_grad()
            L = Z.sparse_categorical_crossentropy(y).backward()
            return L.realize(*optimiser.schedule_step())

        self.jitted = TinyJit(step)

    def step(self, rows):
        X, y = self.Tensor(self.X[rows], dtype=self.dtype), self.Tensor(self.y[rows].astype(np.int32))
        return self.jitted(X.realize(), y.realize()).item()


class Value:
    """A number that knows where it came from."""

    __slots__ = ("data", "grad", "parents", "slopes")

    def __init__(self, data, parents=(), slopes=()):
        self.data, self.grad, self.parents, self.slopes = data, 0.0, parents, slopes

    def __add__(self, other):
        return Value(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other):
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def relu(self):
        return Value(max(self.data, 0.0), (self,), (float(self.data > 0),))

    def exp(self):
        e = math.exp(self.data)
        return Value(e, (self,), (e,))

    def log(self):
        return Value(math.log(self.data), (self,), (1 / self.data,))

    def backward(self):
        order, seen, stack = [], set(), [(self, False)]
        while stack:
            v, done = stack.pop()
            if done:
                order.append(v)
            elif v not in seen:
                seen.add(v)
                stack.append((v, True))
                stack.extend((p, False) for p in v.parents)
        self.grad = 1.0
        for v in reversed(order):
            for p, slope in zip(v.parents, v.slopes, strict=True):
                p.grad += slope * v.grad


class Scalars:
    name = "scalars, as micrograd"

    def __init__(self, params, X, y):
        self.X, self.y = X, y
        self.params = {name: [[Value(v) for v in row] for row in np.atleast_2d(V)] for name, V in params.items()}

    def step(self, rows):
        L = Value(0.0)
        for x, label in zip(self.X[rows], self.y[rows], strict=True):
            a = [Value(float(v)) for v in x]
            for i in range(1, len(self.params) // 2 + 1):
                z = list(self.params[f"b{i}"][0])
                for v, row in zip(a, self.params[f"W{i}"], strict=True):
                    z = [s + v * w for s, w in zip(z, row, strict=True)]
                a = [v.relu() for v in z]
            top, total = Value(-max(v.data for v in z)), Value(0.0)
            for v in z:
                total = total + (v + top).exp()
            L = L + (total.log() + (z[label] + top) * Value(-1.0)) * Value(1 / len(rows))
        L.backward()
        for rows_of in self.params.values():
            for v in (v for row in rows_of for v in row):
                v.data, v.grad = v.data - LR * v.grad, 0.0
        return L.data


PEERS = [NumPyNetwork, Engine, PyTorch, HipsAutograd, Tinygrad]


# ---------------------------------------------------------------- one run


def epoch(peer, order, size):
    """Seconds for each step of one epoch, and the mean loss of its batches."""
    seconds, total = [], 0.0
    for start in range(0, len(order), size):
        started = time.perf_counter()
        total += peer.step(order[start : start + size])
        seconds.append(time.perf_counter() - started)
    return np.array(seconds), float(total) * size / len(order)


def race(hidden, size, X, y):
    """{name: least seconds per epoch}; None for one that can't take part."""
    peers, best = [], {}
    for kind in PEERS:
        try:
            peers.append(kind({name: V.copy() for name, V in initial(hidden).items()}, X, y))
            best[kind.name] = np.inf
        except ImportError as error:
            print(f"{kind.name} is left out: {error}", file=sys.stderr)
    for number in range(EPOCHS):
        order = np.random.default_rng(number).permutation(len(X))
        losses = {}
        for peer in peers[number % len(peers) :] + peers[: number % len(peers)]:
            seconds, losses[peer.name] = epoch(peer, order, size)
            best[peer.name] = np.minimum(best[peer.name], seconds)
        first = losses[NumPyNetwork.name]
        for name, loss in losses.items():
            assert abs(loss - first) < AGREE * first, f"epoch {number}: {name} has loss {loss}, ours {first}"
    assert first < 1, f"nobody has learnt anything: {first}"
    return {name: seconds.sum() for name, seconds in best.items()}


def scalars(hidden, X, y):
    """Seconds for an epoch of the scalar engine, from one step on a slice."""
    slow, fast = Scalars(initial(hidden), X, y), NumPyNetwork(initial(hidden), X, y)
    rows, best = np.arange(SLICE), math.inf
    for _ in range(3):
        started = time.perf_counter()
        loss = slow.step(rows)
        best = min(best, time.perf_counter() - started)
        expected = fast.step(rows)
        assert abs(loss - expected) < AGREE * expected, f"scalars: {loss}, ours {expected}"
    return best * EXAMPLES / SLICE


def peak():
    """Peak resident size in MB; that of `resource` begins with the peak of the process that started this one."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def memory(kind, path, size):
    """Print MB before training and at the peak, for one peer in this process."""
    with np.load(path) as saved:
        X, y = saved["X"], saved["y"]
    peer = kind(initial([32]), X, y)
    before = peak()
    epoch(peer, np.arange(SLICE if kind is Scalars else EXAMPLES), size)
    print(before, peak())


def profile():
    X, y = digits()
    for kind in (NumPyNetwork, Engine):
        peer, order = kind(initial([32]), X, y), np.arange(EXAMPLES)
        epoch(peer, order, 32)
        with cProfile.Profile() as profiler:
            for _ in range(20):
                epoch(peer, order, 32)
        print(kind.name)
        pstats.Stats(profiler).sort_stats("tottime").print_stats(14)


def main(hidden):
    X, y = digits()
    best = {size: race(hidden, size, X, y) for size in BATCHES}
    slow = scalars(hidden, X, y)
    print(f"64-{'-'.join(map(str, hidden))}-10, {EXAMPLES} examples: ms per epoch (as a multiple of PyTorch's time)\n")
    print("| batch | " + " | ".join(map(str, BATCHES)) + " | peak memory (before training) |")
    print("|---|" + "---|" * (len(BATCHES) + 1))
    for kind in [*PEERS, Scalars]:
        cells = []
        for size in BATCHES:
            seconds = slow if kind is Scalars else best[size].get(kind.name)
            if seconds is None:
                cells.append("left out")
                continue
            ratio = seconds / best[size][PyTorch.name]
            cells.append(f"{1e3 * seconds:,.1f} ({f'{ratio:.2f}' if ratio < 100 else f'{ratio:,.0f}'}×)")
        with tempfile.NamedTemporaryFile(suffix=".npz") as data:  # scikit-learn would count too
            np.savez(data, X=X, y=y)
            data.flush()
            run = [sys.executable, __file__, "--memory", kind.__name__, data.name]
            done = subprocess.run(run, capture_output=True, text=True)
        sizes = done.stdout.split()
        cells.append(f"{float(sizes[1]):.0f} MB ({float(sizes[0]):.0f})" if done.returncode == 0 else "left out")
        print(f"| {kind.name} | " + " | ".join(cells) + " |")
    print()
    for wanted, met in required(best):
        print(f"Required: {wanted}: {met}.")


def required(best):
    """What the project asks of itself, and the ratio that was measured."""
    times = lambda size, name: best[size][name]
    torch, ours, engine = PyTorch.name, NumPyNetwork.name, Engine.name
    yield "the NumPy network at batch 32 at least 3 × as fast as PyTorch", _met(times(32, torch) / times(32, ours), 3)
    yield "and at 512 no slower", _met(times(512, torch) / times(512, ours), 1)
    yield "the engine at batch 32 as fast as PyTorch", _met(times(32, torch) / times(32, engine), 1)
    yield "and at 512 within 1.5 × of its time", _met(times(512, torch) / times(512, engine), 1 / 1.5)
    for other in (HipsAutograd.name, Tinygrad.name):
        least = min((times(size, other) / times(size, engine) for size in BATCHES if other in best[size]), default=None)
        yield f"the engine faster than {other} everywhere", _met(least, 1) if least else "not tried"


def _met(ratio, least):
    return f"{'met' if ratio >= least else 'MISSED'}, {ratio:.2f} × as fast"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memory"]:
        memory({kind.__name__: kind for kind in [*PEERS, Scalars]}[sys.argv[2]], sys.argv[3], 512)
    elif sys.argv[1:2] == ["--profile"]:
        profile()
    else:
        main([int(argument) for argument in sys.argv[1:]] or [32])
