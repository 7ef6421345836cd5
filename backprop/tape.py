r"""An autograd engine over NumPy arrays: it writes down what is computed, and walks back over what it wrote.

    W = Tensor([[1.0, -2.0]], requires_grad=True)       a leaf: W.grad is filled by backward
    L = ((X @ W.T - Y) ** 2).mean()                     every operation is recorded as it is done
    L.backward()                                        one walk back; adds dL/dW to W.grad

Forwards and derivatives are those of `backprop.ops`: the table OPS pairs them, and says what the way back needs.
What is here is what a derivative does not know: which tensor came from which, in what order to walk back, where
gradients meet and are added, and when all of this is thrown away.

    Tensor(data, requires_grad)         .data .grad .requires_grad .op .parents .shape .ndim .size .dtype .T
    t.backward(dL)                      t.zero_grad()  t.retain_grad()  t.detach()  t.item()
    + - * / ** @ -t t[index]            t.sum(axis, keepdims)  t.mean  t.max  t.reshape(shape)  t.transpose(axes)
    exp log sigmoid tanh relu leaky_relu gelu softplus softmax log_softmax logsumexp        functions of one tensor
    affine(X, W, b)  mse(P, Y)  bce_with_logits(Z, Y)  softmax_cross_entropy(Z, y)  l2_penalty(W, lam)
    topological_order(t)                every tensor that t was computed from, parents first, t last
    no_grad()                           nothing is recorded in here;  grad_enabled() says which it is

**Saved values.**  The way back uses values of the way forward, and a value overwritten in between gives a wrong
gradient without a word.  So the result of an operation is read-only from the start: NumPy refuses the write.
A leaf stays writable, since an optimiser must write to it, so of each leaf that is saved a random projection is
kept (its product with fixed random numbers), and backward compares: an overwritten leaf is a RuntimeError.
What goes unseen is a change so small that the product does not move, and one that is undone before backward.

**Life of a graph.**  A result holds its parents, so the graph lives as long as its last tensor does.  A walk back
frees the saved values; a second walk over the same graph is a RuntimeError.
"""

import contextlib
import inspect
import itertools
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from backprop import ops

__all__ = [
    *("Tensor", "affine", "bce_with_logits", "exp", "gelu", "grad_enabled", "l2_penalty", "leaky_relu", "log"),
    *("log_softmax", "logsumexp", "mse", "no_grad", "relu", "sigmoid", "softmax", "softmax_cross_entropy", "softplus"),
    *("tanh", "topological_order"),
]


class Op(NamedTuple):
    """One operation: what it computes, its way back, and what the way back needs to have kept.

    `keeps` is "inputs" or "output", for the values its backward is given, or "shapes" where it is given the inputs
    and reads their shapes alone; an input overwritten is then no harm.
    """

    name: str
    forward: Callable
    backward: Callable
    keeps: str


OPS = {
    name: Op(name, getattr(ops, name), getattr(ops, f"{name}_backward"), keeps)
    for keeps, names in {
        "shapes": "add subtract sum mean reshape transpose take",
        "inputs": "affine matmul multiply divide power log max relu leaky_relu gelu softplus logsumexp "
        "mse bce_with_logits softmax_cross_entropy l2_penalty",
        "output": "exp sigmoid tanh softmax log_softmax",
    }.items()
    for name in names.split()
}
GONE = "gone"
_births = itertools.count()
_recording = True


class Tensor:
    """An array, and how it came about.

    `data` is what `np.asarray` takes; an array is not copied.  With `requires_grad` it must be of floats, and
    `backward` of anything computed from it adds to its `grad`, None until then.  `op` is the name of the operation
    that made the tensor ("" for a leaf), `parents` the tensors that it was made from.
    """

    __slots__ = ("data", "grad", "requires_grad", "op", "parents", "_birth", "_saved", "_retains", "__weakref__")
    __array_ufunc__ = None  # array + tensor is left to the tensor

    def __init__(self, data, requires_grad: bool = False):
        if isinstance(data, Tensor):
            raise TypeError("Tensor(t) of a tensor t: t.detach() shares its data, Tensor(t.data.copy()) does not")
        self.data = np.asarray(data)
        if self.data.dtype.kind not in "biufc":
            raise TypeError(f"a tensor holds numbers, not {self.data.dtype}")
        if requires_grad and self.data.dtype.kind != "f":
            raise TypeError(
                f"requires_grad needs floats, and this tensor is of {self.data.dtype}: "
                f"nothing can move by a little. Give Tensor(data.astype(float)) or write 1.0 for 1"
            )
        self.grad = None
        self.requires_grad = bool(requires_grad)
        self.op, self.parents = "", ()
        self._saved, self._retains, self._birth = None, False, next(_births)

    # ------------------------------------------------------------ the way back

    def backward(self, dL=None) -> None:
        """Add dL/dV to the `grad` of every leaf V that this tensor was computed from.

        `dL` is the gradient of the loss with respect to this tensor, of its shape; for one number it is 1.0.
        """
        grads = {self: self._seed(dL)}
        order = topological_order(self)
        done = []
        for t in reversed(order):
            dOut = grads.pop(t, None)
            if dOut is None or not t.requires_grad:
                continue
            if not t.op or t._retains:
                done.append((t, dOut.copy() if t.op else dOut))
            if not t.op:
                continue
            if t._saved is GONE:
                raise RuntimeError(
                    f"a second walk back over one graph: the values that {t.op!r} saved were freed by the first. "
                    f"Compute the loss again before each backward(), or add the losses up and call it once"
                )
            saved, fingerprints = t._saved
            for i, fingerprint in fingerprints:
                if not _same(_fingerprint(saved[i]), fingerprint):
                    raise RuntimeError(_overwritten(t.op, i, saved[i]))
            gradients = OPS[t.op].backward(dOut, *saved)
            if len(t.parents) == 1:
                gradients = (gradients,)
            for parent, d in zip(t.parents, gradients, strict=True):
                if parent.requires_grad:
                    if parent in grads:
                        grads[parent] += d
                    else:
                        grads[parent] = d if d.__class__ is np.ndarray else np.asarray(d)
        # Only now, so that an error on the way leaves every grad as it was.
        for t, d in done:
            t.grad = d if t.grad is None else np.asarray(t.grad + d)
        for t in order:
            if t.op:
                t._saved = GONE

    def _seed(self, dL):
        if not self.requires_grad:
            raise RuntimeError(
                "backward() of a tensor that requires no grad: nothing it was computed from has "
                "requires_grad=True, or it was computed under no_grad() or detached"
            )
        if dL is None:
            if self.size != 1:
                raise ValueError(
                    f"backward() of a tensor of shape {self.shape} needs dL, the gradient of the loss with respect "
                    f"to it, of that shape; only for one number is it 1.0. Is a mean() missing?"
                )
            return np.ones_like(self.data)
        dL = dL.data if isinstance(dL, Tensor) else dL
        if np.shape(dL) != self.shape:
            raise ValueError(f"dL has shape {np.shape(dL)}, and must have that of the tensor, {self.shape}")
        return np.array(dL, dtype=self.dtype)

    def zero_grad(self) -> None:
        """Forget the gradient: `grad` is None again."""
        self.grad = None

    def retain_grad(self) -> "Tensor":
        """Let `backward` fill `grad` although this is no leaf; returns the tensor."""
        if not self.requires_grad:
            raise RuntimeError("retain_grad() of a tensor that requires no grad: there will be none to keep")
        self._retains = True
        return self

    def detach(self) -> "Tensor":
        """A leaf without grad that shares this tensor's data: a constant, for what is computed from it."""
        return Tensor(self.data)

    def item(self) -> float:
        """The one number of a tensor of size 1."""
        return self.data.item()

    # ------------------------------------------------------------ what an array has

    shape = property(lambda self: self.data.shape)
    ndim = property(lambda self: self.data.ndim)
    size = property(lambda self: self.data.size)
    dtype = property(lambda self: self.data.dtype)
    T = property(lambda self: self.transpose())

    def __repr__(self):
        values = np.array2string(self.data, separator=", ", prefix="Tensor(")
        made = f", op={self.op!r}" if self.op else ", requires_grad=True" if self.requires_grad else ""
        return f"Tensor({values}{made})"

    def __len__(self):
        return len(self.data)

    def __bool__(self):
        return bool(self.data)

    def __float__(self):
        return float(self.data)

    def __array__(self, dtype=None, copy=None):
        raise TypeError("NumPy can't record what it does to a Tensor: use the functions of backprop.tape, or t.data")

    def __add__(self, other):
        return _apply(OPS["add"], (self, _tensor(other, self)))

    def __radd__(self, other):
        return _apply(OPS["add"], (_tensor(other, self), self))

    def __sub__(self, other):
        return _apply(OPS["subtract"], (self, _tensor(other, self)))

    def __rsub__(self, other):
        return _apply(OPS["subtract"], (_tensor(other, self), self))

    def __mul__(self, other):
        return _apply(OPS["multiply"], (self, _tensor(other, self)))

    def __rmul__(self, other):
        return _apply(OPS["multiply"], (_tensor(other, self), self))

    def __truediv__(self, other):
        return _apply(OPS["divide"], (self, _tensor(other, self)))

    def __rtruediv__(self, other):
        return _apply(OPS["divide"], (_tensor(other, self), self))

    def __matmul__(self, other):
        return _apply(OPS["matmul"], (self, _tensor(other, self)))

    def __rmatmul__(self, other):
        return _apply(OPS["matmul"], (_tensor(other, self), self))

    def __neg__(self):
        return _apply(OPS["multiply"], (self, _tensor(-1, self)))

    def __pow__(self, p):
        if isinstance(p, Tensor):
            raise TypeError("t ** p: the exponent p is a number; for a tensor write exp(p * log(t))")
        return _apply(OPS["power"], (self,), (p,))

    def __getitem__(self, index):
        parts = index if isinstance(index, tuple) else (index,)
        parts = tuple(_array(i) if isinstance(i, (list, np.ndarray, Tensor)) else i for i in parts)
        return _apply(OPS["take"], (self,), (parts,))

    def sum(self, axis=None, keepdims=False):
        return _apply(OPS["sum"], (self,), (axis, keepdims))

    def mean(self, axis=None, keepdims=False):
        return _apply(OPS["mean"], (self,), (axis, keepdims))

    def max(self, axis=None, keepdims=False):
        return _apply(OPS["max"], (self,), (axis, keepdims))

    def reshape(self, *shape):
        return _apply(OPS["reshape"], (self,), (shape[0] if len(shape) == 1 else shape,))

    def transpose(self, *axes):
        axes = axes[0] if len(axes) == 1 else axes or None
        return _apply(OPS["transpose"], (self,), (axes,))


# ---------------------------------------------------------------- writing down


def _apply(op: Op, inputs: tuple[Tensor, ...], constants: tuple = ()) -> Tensor:
    """The result of an operation on tensors, and what its way back needs."""
    values = (*[t.data for t in inputs], *constants)
    data = op.forward(*values)
    if data.__class__ is not np.ndarray:
        data = np.asarray(data)
    out = Tensor.__new__(Tensor)
    out.data, out.grad, out._retains, out._birth = data, None, False, next(_births)
    if not (_recording and any([t.requires_grad for t in inputs])):
        out.requires_grad, out.op, out.parents, out._saved = False, "", (), None
        return out
    data.setflags(write=False)
    out.requires_grad, out.op, out.parents = True, op.name, inputs
    if op.keeps == "output":
        out._saved = (data, *constants), ()
    elif op.keeps == "shapes":
        out._saved = values, ()
    else:
        if op.name == "affine":
            # Its backward has no use for b, and makes no dX that nobody wants.
            values = (values[0], values[1], inputs[0].requires_grad)
        out._saved = values, [(i, _fingerprint(v)) for i, v in enumerate(values) if _writable(v)]
    return out


def _tensor(value: Any, like: Tensor | None = None) -> Tensor:
    """`value` as a constant, if it is no tensor; a plain number takes the precision of the tensor it meets."""
    if value.__class__ is Tensor:
        return value
    if like is not None and isinstance(value, (int, float)) and like.data.dtype.kind in "fc":
        return Tensor(np.asarray(value, dtype=like.data.dtype))
    return Tensor(value)


def _array(constant: Any, dtype=None) -> np.ndarray:
    """A copy, which nobody can overwrite, of something that has no gradient: targets, labels, an index."""
    if isinstance(constant, Tensor):
        if constant.requires_grad:
            raise ValueError("targets are constants, and this tensor requires grad: hand over t.detach()")
        constant = constant.data
    array = np.array(constant, dtype=dtype)
    array.setflags(write=False)
    return array


def topological_order(t: Tensor) -> list[Tensor]:
    """Every tensor that `t` was computed from, parents before children, and `t` last.

    A tensor is born after its parents, so to sort by birth is to sort topologically.
    There is no recursion: a graph may be deeper than Python's stack.
    """
    found, seen = [t], {t}
    for tensor in found:
        for parent in tensor.parents:
            if parent not in seen:
                seen.add(parent)
                found.append(parent)
    found.sort(key=_birth)
    return found


_birth = operator.attrgetter("_birth")


class no_grad(contextlib.ContextDecorator):
    """In `with no_grad():`, or in a function under `@no_grad()`, nothing is recorded and nothing is saved."""

    def __init__(self):
        self._before = []

    def __enter__(self):
        global _recording
        self._before.append(_recording)
        _recording = False

    def __exit__(self, *exception):
        global _recording
        _recording = self._before.pop()


def grad_enabled() -> bool:
    """Whether operations are being recorded."""
    return _recording


# ---------------------------------------------------------------- guarding what was saved

_numbers: dict[np.dtype, np.ndarray] = {}


def _fingerprint(x: np.ndarray) -> float:
    """The product of x with fixed random numbers: it moves when an entry does, or when two change places."""
    kind = x.dtype if x.dtype.kind == "f" else np.dtype(float)
    numbers = _numbers.get(kind)
    if numbers is None or len(numbers) < x.size:
        # One seed, so that a longer run begins with the same numbers.
        longer = np.random.default_rng(20).uniform(1, 2, 1 << max(12, x.size.bit_length()))
        numbers = _numbers[kind] = longer.astype(kind)
    return np.dot(numbers[: x.size], x.reshape(-1))


def _same(a: float, b: float) -> bool:
    """Equal, or both not a number."""
    return a == b or (a != a and b != b)


def _writable(value: Any) -> bool:
    """Whether a saved value is an array that somebody can still write to, by itself or through what it is a view of."""
    if value.__class__ is not np.ndarray:
        return False
    while value.base is not None:
        value = value.base
        if value.__class__ is not np.ndarray:
            return True
    return value.flags.writeable


def _overwritten(name: str, i: int, value: np.ndarray) -> str:
    operand = list(inspect.signature(OPS[name].forward).parameters)[i]
    return (
        f"{operand} of {name!r}, an array of shape {value.shape}, was overwritten between the way forward and the way "
        f"back, and the gradient would be wrong. First backward(), then the update; or compute on a copy"
    )


# ---------------------------------------------------------------- functions, by the names of backprop.ops


def affine(X, W, b) -> Tensor:
    """Z = X @ W + b: X (N, D), W (D, H), b (H,) -> Z (N, H)."""
    return _apply(OPS["affine"], (_tensor(X), _tensor(W), _tensor(b)))


def exp(t) -> Tensor:
    """exp(t), entry by entry."""
    return _apply(OPS["exp"], (_tensor(t),))


def log(t) -> Tensor:
    """The natural logarithm of t, entry by entry."""
    return _apply(OPS["log"], (_tensor(t),))


def sigmoid(Z) -> Tensor:
    """1 / (1 + exp(-Z)), entry by entry."""
    return _apply(OPS["sigmoid"], (_tensor(Z),))


def tanh(Z) -> Tensor:
    """tanh(Z), entry by entry."""
    return _apply(OPS["tanh"], (_tensor(Z),))


def relu(Z) -> Tensor:
    """Z where Z > 0, else 0."""
    return _apply(OPS["relu"], (_tensor(Z),))


def leaky_relu(Z, slope=0.01) -> Tensor:
    """Z where Z > 0, else slope * Z."""
    return _apply(OPS["leaky_relu"], (_tensor(Z),), (slope,))


def gelu(Z) -> Tensor:
    """The tanh approximation of Z Phi(Z)."""
    return _apply(OPS["gelu"], (_tensor(Z),))


def softplus(Z) -> Tensor:
    """log(1 + exp(Z)), entry by entry, safe for large Z."""
    return _apply(OPS["softplus"], (_tensor(Z),))


def softmax(Z) -> Tensor:
    """exp(Z) / sum(exp(Z)) along the last axis."""
    return _apply(OPS["softmax"], (_tensor(Z),))


def log_softmax(Z) -> Tensor:
    """Z - logsumexp(Z) along the last axis."""
    return _apply(OPS["log_softmax"], (_tensor(Z),))


def logsumexp(Z) -> Tensor:
    """log(sum(exp(Z))) along the last axis, which goes."""
    return _apply(OPS["logsumexp"], (_tensor(Z),))


def mse(P, Y) -> Tensor:
    """1/N sum((P - Y)^2): predictions P, targets Y of one shape, (N,) or (N, C)."""
    P = _tensor(P)
    return _apply(OPS["mse"], (P,), (_array(Y, P.dtype),))


def bce_with_logits(Z, Y) -> Tensor:
    """Mean cross-entropy of sigmoid(Z) with targets Y between 0 and 1, of one shape, (N,) or (N, C)."""
    Z = _tensor(Z)
    return _apply(OPS["bce_with_logits"], (Z,), (_array(Y, Z.dtype),))


def softmax_cross_entropy(Z, y) -> Tensor:
    """Mean of -log softmax(Z)[i, y_i]: logits Z (N, C), labels y (N,) from 0 to C - 1."""
    Z = _tensor(Z)
    logP = ops.log_softmax(Z.data)
    logP.setflags(write=False)
    return _apply(OPS["softmax_cross_entropy"], (Z,), (_array(y), logP))


def l2_penalty(W, lam) -> Tensor:
    """lam/2 sum(W^2)."""
    return _apply(OPS["l2_penalty"], (_tensor(W),), (lam,))
