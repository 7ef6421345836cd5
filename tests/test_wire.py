"""What crosses between the two sides: exactly what was sent, and of what breaks a rule nothing at all."""

import json
import math
import socket
import struct
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader import wire

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.complex_numbers() | st.text() | st.binary(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=4)
    ),
    max_leaves=20,
)


def there_and_back(value, functions=None):
    return wire.unpack(wire.pack(value, functions))


def same(one, other) -> bool:
    """Equal in type and value, a NaN to a NaN, half a character to a question mark."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return [*map(clean, one)] == [*map(clean, other)] and all(map(same, one.values(), other.values()))
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (float, complex)):
        return repr(one) == repr(other)
    return clean(one) == clean(other)


def clean(value):
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


@settings(max_examples=200, deadline=None)
@given(plain)
def test_plain_values_arrive_as_they_were(value):
    assert same(value, there_and_back(value))


@pytest.mark.parametrize("dtype", ["b1", "i1", "u2", "i4", "i8", "f2", "f4", "f8", "c8", "c16", "U3", "S2", ">f8"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 0, 4)])
def test_arrays_arrive_as_they_were(dtype, shape):
    array = np.random.default_rng(0).integers(0, 2, size=shape).astype(dtype)
    for given_ in (array, np.asfortranarray(array), array[..., ::-1] if shape else array):
        got = there_and_back(given_)
        assert type(got) is np.ndarray and got.dtype == given_.dtype and got.shape == given_.shape
        assert np.array_equal(got, given_) and got.flags.writeable
    scalar = array.dtype.type(1)
    assert type(there_and_back(scalar)) is type(scalar)


def test_what_is_not_plain_arrives_as_a_name():
    class Tensor:
        pass

    for value, name in [(Tensor(), "Tensor"), (lambda: 0, "function"), (Tensor, "type"), (slice(1), "slice")]:
        got = there_and_back(value)
        assert isinstance(got, wire.Opaque) and type(got).__name__ == name
    for value, name in [({1: 2}.values(), "dict_values"), (map(abs, [-1, 2]), "map"), (range(3), "range")]:
        got = there_and_back(value)
        assert type(got).__name__ == name and list(got) in ([2], [1, 2], [0, 1, 2])
    assert there_and_back(np.array([1, "a", None], dtype=object)).tolist() == [1, "a", None]


@pytest.mark.parametrize(
    "value",
    [
        [0] * (wire.ITEMS + 1),
        np.broadcast_to(0.0, (10**5, 10**5)),
        10 ** (10**5),
        iter(int, 1),
        [np.zeros(wire.FRAME // 16)] * 3,
    ],
    ids=["long", "large", "digits", "endless", "many"],
)
def test_too_much_is_refused_by_the_sender(value):
    with pytest.raises(wire.Refused):
        wire.pack(value)
    nest = []
    for _ in range(1000):
        nest = [nest]
    with pytest.raises(wire.Refused):
        wire.pack(nest)


def frame(text: bytes, buffers: bytes = b"") -> bytes:
    return struct.pack(">II", len(text), len(buffers)) + text + buffers


def message(value, sizes=(), buffers: bytes = b"") -> bytes:
    return frame(json.dumps({"message": value, "sizes": list(sizes)}).encode(), buffers)


BAD = {
    "no JSON": frame(b"\xff\xfe"),
    "no message": frame(b"{}"),
    "lengths": frame(b"{}") + b"x",
    "brackets": frame(b'{"sizes": [], "message": ' + b"[" * 100_000),
    "bare object": message({"a": 1}),
    "no tag": message([1, 2]),
    "unknown tag": message(["pickle", "gASV"]),
    "function": message(["function", 0]),
    "dtype object": message(["array", "|O", [1], "C", 0], [8], b"x" * 8),
    "dtype record": message(["array", "V8", [1], "C", 0], [8], b"x" * 8),
    "shape": message(["array", "<f8", [2], "C", 0], [8], b"x" * 8),
    "negative shape": message(["array", "<f8", [-1, -1], "C", 0], [8], b"x" * 8),
    "truth as length": message(["array", "<f8", [True], "C", 0], [8], b"x" * 8),
    "sixty axes": message(["array", "<f8", [1] * 60, "C", 0], [8], b"x" * 8),
    "no such buffer": message(["array", "<f8", [1], "C", 7], [8], b"x" * 8),
    "sizes": message(["bytes", 0], [9], b"x" * 8),
    "negative sizes": message(["bytes", 0], [16, -8], b"x" * 8),
    "characters": message(["array", "<U1", [1], "C", 0], [4], b"\xff" * 4),
    "unhashable": message(["dict", [[["list", []], 1]]]),
    "set of lists": message(["set", [["list", []]]]),
    "digits": message(["int", "0x" + "f" * 10_000]),
    "name": message(["opaque", "a b; import os"]),
    "many keys": message(["dict", [[k, 0] for k in range(wire.KEYS + 1)]]),
    "text": frame(b'{"sizes": [], "message": "' + b"x" * wire.TEXT + b'"}'),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_frame_is_refused(what):
    with pytest.raises(wire.Refused):
        wire.unpack(BAD[what])


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 200), plain)
def test_a_damaged_frame_is_refused_or_read_as_values(noise, at, value):
    whole = bytearray(wire.pack(value))
    whole[8 + at : 8 + at + len(noise)] = noise
    try:
        wire.unpack(bytes(whole))
    except wire.Refused:
        pass


def test_a_truth_is_true_or_false_whatever_its_byte():
    got = wire.unpack(message(["array", "|b1", [3], "C", 0], [3], b"\x00\x01\x02"))
    assert got.tolist() == [False, True, True] and np.sum(got == np.True_) == 2


def test_colliding_keys_take_no_time():
    pairs = [[["int", hex(k * (2**61 - 1))], 0] for k in range(1, wire.KEYS)]
    start = time.monotonic()
    wire.unpack(message(["dict", pairs]))
    assert time.monotonic() - start < 10


def test_a_link_has_deadlines_and_a_most():
    ours, theirs = socket.socketpair()
    link = wire.Link(ours)
    with pytest.raises(TimeoutError):
        link.receive(time.monotonic() + 0.05)
    theirs.sendall(struct.pack(">II", 2**32 - 1, 2**32 - 1))
    with pytest.raises(wire.Refused):
        link.receive(time.monotonic() + 1)
    with pytest.raises(TimeoutError):
        link.send(bytes(2**24), time.monotonic() + 0.05)
    theirs.close()
    with pytest.raises(wire.Gone):
        link.receive(math.inf)
    link.close()
