"""Networks and optimisers: by hand, on the tape and in PyTorch they are one network."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from backprop.check import check_gradient
from backprop.nn import MLP, SGD, Adam, Momentum, batches, clip_by_global_norm, init_params, train
from backprop.tape import Tensor

ACTIVATIONS = {
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "gelu": lambda Z: F.gelu(Z, approximate="tanh"),
    "softplus": F.softplus,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}
LOSSES = {
    "softmax_cross_entropy": F.cross_entropy,
    "bce_with_logits": lambda Z, Y: F.binary_cross_entropy_with_logits(Z, Y, reduction="sum") / len(Z),
    "mse": lambda P, Y: F.mse_loss(P, Y, reduction="sum") / len(P),
}
OPTIMISERS = {
    "sgd": (lambda: SGD(0.1), lambda p: torch.optim.SGD(p, 0.1)),
    "momentum": (lambda: Momentum(0.05, 0.8), lambda p: torch.optim.SGD(p, 0.05, momentum=0.8)),
    "adam": (lambda: Adam(0.02, 0.8, 0.95, 1e-6), lambda p: torch.optim.Adam(p, 0.02, (0.8, 0.95), 1e-6)),
}


def problem(sizes, loss, N=7, seed=0):
    """Parameters with biases that are not 0, inputs, and targets with every class among them."""
    rng = np.random.default_rng(seed)
    params = init_params(sizes, seed, scheme="xavier")
    params = {name: V + 0.1 * rng.normal(size=V.shape) for name, V in params.items()}
    X = rng.normal(size=(N, sizes[0]))
    if loss == "softmax_cross_entropy":
        return params, X, rng.permutation(np.arange(N) % sizes[-1])
    return params, X, rng.uniform(size=(N, sizes[-1]))


def torch_loss(net, tensors, X, y):
    Z = None
    for W, b in net.names:
        Z = F.linear(X if Z is None else ACTIVATIONS[net.activation](Z), tensors[W].T, tensors[b])
    return LOSSES[net.loss_name](Z, y) + sum(net.lam / 2 * (tensors[W] ** 2).sum() for W, _ in net.names)


NETWORKS = [
    *(([4, 5, 3], activation, "softmax_cross_entropy", 0.1) for activation in ACTIVATIONS),
    *(([4, 5, 3], "tanh", loss, lam) for loss in LOSSES for lam in (0.0, 0.3)),
    ([4, 3], "relu", "softmax_cross_entropy", 0.2),
    ([4, 6, 5, 3], "gelu", "mse", 0.0),
    ([4, 6, 5, 5, 3], "sigmoid", "bce_with_logits", 0.01),
    ([3, 3, 3, 3, 3, 3, 3], "leaky_relu", "softmax_cross_entropy", 0.05),
]
networks = pytest.mark.parametrize(
    "net", [MLP(*args) for args in NETWORKS], ids=["-".join(map(str, args)) for args in NETWORKS]
)


@networks
def test_gradients_by_hand_against_finite_differences(net):
    params, X, y = problem(net.sizes, net.loss_name)
    report = check_gradient(lambda p: net.loss(p, X, y), lambda p: net.loss_and_grads(p, X, y)[1], params)
    assert report.ok, report


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@networks
def test_by_hand_on_the_tape_and_in_torch_agree_step_after_step(net, optimiser):
    params, X, y = problem(net.sizes, net.loss_name)
    ours, theirs = OPTIMISERS[optimiser]
    by_hand = {name: V.copy() for name, V in params.items()}
    taped = {name: Tensor(V.copy(), requires_grad=True) for name, V in params.items()}
    torches = {name: torch.tensor(V, requires_grad=True) for name, V in params.items()}
    torch_X, torch_y = torch.tensor(X), torch.tensor(y)
    for_hand, for_tape, for_torch = ours(), ours(), theirs(torches.values())
    for _ in range(8):
        L, grads = net.loss_and_grads(by_hand, X, y)
        tape_L = net.tape_loss(taped, X, y)
        torch_L = torch_loss(net, torches, torch_X, torch_y)
        tape_L.backward()
        for_torch.zero_grad()
        torch_L.backward()
        assert L == pytest.approx(tape_L.item(), rel=1e-12) == pytest.approx(torch_L.item(), rel=1e-10)
        for name in params:
            assert_near(grads[name], taped[name].grad, 1e-12, name)
            assert_near(grads[name], torches[name].grad.numpy(), 1e-10, name)
        for_hand.step(by_hand, grads)
        for_tape.step({n: t.data for n, t in taped.items()}, {n: t.grad for n, t in taped.items()})
        for_torch.step()
        for t in taped.values():
            t.zero_grad()
        for name in params:
            assert_near(by_hand[name], taped[name].data, 1e-12, name)
            assert_near(by_hand[name], torches[name].detach().numpy(), 1e-10, name)
    assert any(np.abs(by_hand[name] - params[name]).max() > 1e-3 for name in params)


def assert_near(a, b, rtol, name):
    np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * np.abs(b).max(), err_msg=name)


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_optimisers_agree_with_torch_on_one_list_of_gradients(optimiser):
    rng = np.random.default_rng(5)
    params = {"W": rng.normal(size=(3, 4)), "b": rng.normal(size=4)}
    tensors = {name: torch.tensor(V, requires_grad=True) for name, V in params.items()}
    ours, theirs = OPTIMISERS[optimiser]
    ours, theirs = ours(), theirs(tensors.values())
    for _ in range(50):
        grads = {name: rng.normal(size=V.shape) * 10.0 ** rng.integers(-6, 3) for name, V in params.items()}
        for name, t in tensors.items():
            t.grad = torch.tensor(grads[name])
        ours.step(params, grads)
        theirs.step()
        for name, t in tensors.items():
            np.testing.assert_allclose(params[name], t.detach().numpy(), rtol=1e-12, atol=1e-12, err_msg=name)


def test_a_batch_of_single_precision_stays_single():
    for loss in LOSSES:
        net = MLP([4, 5, 3], "gelu", loss, 0.1)
        params, X, y = problem(net.sizes, loss)
        params = {name: np.float32(V) for name, V in params.items()}
        L, grads = net.loss_and_grads(params, np.float32(X), y)
        assert {L.dtype, *(dV.dtype for dV in grads.values())} == {np.dtype(np.float32)}
        tensors = {name: Tensor(V, requires_grad=True) for name, V in params.items()}
        L = net.tape_loss(tensors, np.float32(X), y)
        L.backward()
        assert {L.dtype, *(t.grad.dtype for t in tensors.values())} == {np.dtype(np.float32)}
        for optimiser in (SGD(0.1), Momentum(0.1), Adam()):
            optimiser.step(params, grads)
        assert {V.dtype for V in params.values()} == {np.dtype(np.float32)}


# ---------------------------------------------------------------- parameters


def test_initial_weights_have_the_spread_of_their_scheme():
    for scheme, spread in [("he", (2 / 400) ** 0.5), ("xavier", (2 / 700) ** 0.5), ("normal", 1.0)]:
        params = init_params([400, 300, 2], 0, scheme, 0.5)
        assert np.std(params["W1"]) == pytest.approx(0.5 * spread, rel=0.02)
        assert not params["b1"].any() and params["W2"].shape == (300, 2)
    assert (init_params([2, 3], 4)["W1"] == init_params([2, 3], 4)["W1"]).all()
    assert init_params([2, 3], 0, dtype=np.float32)["W1"].dtype == np.float32


def test_clipping_scales_all_gradients_by_one_factor():
    grads = {"W": np.array([[3.0, 0.0]]), "b": np.array([4.0])}
    assert clip_by_global_norm(grads, 10.0) == 5 and grads["b"] == 4
    assert clip_by_global_norm(grads, 1.0) == 5
    np.testing.assert_allclose([*grads["W"][0], *grads["b"]], [0.6, 0, 0.8])


# ---------------------------------------------------------------- training


def test_batches_hold_every_example_once():
    parts = list(batches(23, 5, np.random.default_rng(0)))
    assert [len(p) for p in parts] == [5, 5, 5, 5, 3]
    assert sorted(np.concatenate(parts)) == list(range(23)) != list(np.concatenate(parts))


def blobs(N=150, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(N) % 3
    return rng.normal(size=(N, 2)) + 3 * np.array([[0, 0], [1, 1], [0, 2]])[y], y


@pytest.mark.parametrize("optimiser", [SGD(0.3), Momentum(0.05), Adam(0.03)], ids=lambda o: type(o).__name__)
def test_training_learns_and_repeats_itself(optimiser):
    X, y = blobs()
    net = MLP([2, 16, 3])
    params = init_params(net.sizes, seed=1)
    measure = lambda p: {"accuracy": net.accuracy(p, X, y)}
    history = train(net, params, X, y, optimiser, 25, 32, seed=0, evaluate=measure)
    assert history["loss"][-1] < history["loss"][0] / 2 and history["accuracy"][-1] > 0.9
    assert {len(entries) for entries in history.values()} == {25}
    again = init_params(net.sizes, seed=1)
    fresh = type(optimiser)(optimiser.lr)
    assert train(net, again, X, y, fresh, 25, 32, seed=0, evaluate=measure) == history
    assert all((again[name] == params[name]).all() for name in params)


def test_progress_is_told_when_it_takes_long(capsys, monkeypatch):
    X, y = blobs(30)
    net = MLP([2, 3])
    run = lambda progress=None: train(net, init_params(net.sizes, 0), X, y, SGD(0.1), 2, 10, 0, progress=progress)
    run()
    assert capsys.readouterr().out == ""
    run(True)
    assert "epoch 2 of 2, loss" in capsys.readouterr().out
    clock = iter(range(0, 1000, 4))
    monkeypatch.setattr("backprop.nn.time.monotonic", lambda: next(clock))
    run()
    assert "epoch 2 of 2, loss" in capsys.readouterr().out
    run(False)
    assert capsys.readouterr().out == ""


def test_one_logit_is_a_decision_at_zero():
    net = MLP([2, 1], loss="bce_with_logits")
    params = {"W1": np.array([[1.0], [0.0]]), "b1": np.array([-1.0])}
    X = np.array([[0.0, 0], [2, 0], [3, 0]])
    np.testing.assert_array_equal(net.predict(params, X), [0, 1, 1])
    assert net.accuracy(params, X, np.array([[0], [1], [0]])) == net.accuracy(params, X, [0, 1, 0]) == 2 / 3


@pytest.mark.parametrize(
    "wrong, error, message",
    [
        (lambda: MLP([4, 3], activation="swish"), ValueError, "unknown activation 'swish': relu, leaky_relu"),
        (lambda: MLP([4, 3], loss="hinge"), ValueError, "unknown loss 'hinge'"),
        (lambda: MLP([4]), ValueError, "sizes lists"),
        (lambda: init_params([4, 3], 0, "lecun"), ValueError, "unknown scheme"),
        (lambda: list(batches(4, 0, np.random.default_rng(0))), ValueError, "at least one example"),
        (lambda: train(MLP([2, 3]), {}, np.ones((4, 2)), np.ones(3), SGD(1), 1, 2, 0), ValueError, "X has 4 .* y 3"),
    ],
)
def test_errors_say_what_and_why(wrong, error, message):
    with pytest.raises(error, match=message):
        wrong()


def test_a_loss_that_is_not_finite_stops_the_training():
    X, y = blobs(30)
    net = MLP([2, 3])
    params = init_params(net.sizes, 0)
    params["b1"][0] = np.nan
    with pytest.raises(FloatingPointError, match="epoch 1: the loss is nan. Is the learning rate too large"):
        train(net, params, X, y, SGD(0.1), 2, 10, 0)
