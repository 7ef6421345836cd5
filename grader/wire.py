"""What crosses between the student's process and the trusted one: plain values, and nothing that runs.

    pack(message, functions=None) -> bytes      a frame: two lengths, JSON, then the arrays' bytes
    unpack(frame, functions=None) -> message    the message again; `Refused` where a frame breaks a rule
    Link(socket)                                frames over a socket, each with a deadline

Numbers, strings, None, lists, tuples, sets, dicts and NumPy arrays of numbers, truths and text arrive as what they
were, exactly.  A function arrives as one that calls back, where `functions` says how.  Anything else arrives as an
`Opaque` that has the name of its type and nothing more: no class, no code and no pickle ever crosses.  A frame is at
most `TEXT` and `FRAME` bytes, a message at most `DEPTH` levels deep and `ITEMS` values long.
"""

import json
import math
import re
import select
import socket
import struct
import threading
import time
from collections import abc
from collections.abc import Callable
from typing import Any

import numpy as np

FRAME = 64 * 2**20
TEXT = 8 * 2**20
DEPTH = 30
ITEMS = 200_000
# Keys whose hashes collide take a time that grows with the square of their number.
KEYS = 5_000
DIGITS = 4000
HEAD = struct.Struct(">II")
DTYPE = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248]|c8|c16|[US]\d{1,6})")
# An iterable that isn't kept as what it is: its items cross, and the name of its type.
STREAMS = (abc.Iterator, abc.KeysView, abc.ValuesView, abc.ItemsView, range)


class Refused(ValueError):
    """A frame or a value that breaks a rule of the wire."""


class Gone(ConnectionError):
    """The other process is no longer there."""


class Abandoned(BaseException):
    """The process for which the work is done is no longer there."""


class Opaque:
    """Stands for an object that doesn't cross; its class has the name of the object's type."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Stream(Opaque):
    """Stands for an iterator, a range or a view of a dict: what it would have given, in order."""

    def __init__(self, items: list):
        self._items = items

    def __iter__(self):
        return iter(self._items)


# Writing -----------------------------------------------------------------------------------------------------


def pack(message: Any, functions: Callable[[Callable], int] | None = None) -> bytes:
    """A frame; `functions(f)` gives the number under which a function can be called back."""
    buffers: list[bytes] = []
    left = [ITEMS, FRAME]

    def encode(value: Any, depth: int) -> Any:
        left[0] -= 1
        if depth > DEPTH or left[0] < 0:
            raise Refused("too deep or too long to be handed over")
        inside = lambda items: [encode(item, depth + 1) for item in items]
        kind = type(value)
        if value is None or kind in (bool, str):
            return value
        if kind is float:
            return value if math.isfinite(value) else ["float", repr(value)]
        if kind is int:
            if value.bit_length() > 3 * DIGITS:
                raise Refused("a number too long to be handed over")
            return value if abs(value) < 2**53 else ["int", hex(value)]
        if kind is complex:
            return ["complex", encode(value.real, depth + 1), encode(value.imag, depth + 1)]
        if isinstance(value, np.generic):
            return _array(np.asarray(value), "scalar", buffers, kind.__name__, left)
        if isinstance(value, bytes):
            left[1] -= len(value)
            buffers.append(bytes(value))
            return ["bytes", len(buffers) - 1]
        if isinstance(value, tuple):
            return ["tuple", inside(value)]
        if isinstance(value, list):
            return ["list", inside(value)]
        if isinstance(value, dict):
            return ["dict", [inside(pair) for pair in dict.items(value)]]
        if isinstance(value, (set, frozenset)):
            return ["set", inside(value)]
        if isinstance(value, str):
            return str.__str__(value)
        if functions and callable(value):
            return ["function", functions(value)]
        if isinstance(value, np.ndarray) and value.dtype == object:
            return ["objects", list(value.shape), inside(value.ravel().tolist())]
        if hasattr(kind, "__array__"):
            try:
                return _array(np.asarray(value), "array", buffers, kind.__name__, left)
            except Refused:
                raise
            except (TypeError, ValueError, RuntimeError):
                return ["opaque", kind.__name__[:80]]
        if isinstance(value, STREAMS) or isinstance(value, Stream):
            items = []
            for item in value:
                items.append(encode(item, depth + 1))
            return ["stream", kind.__name__[:80], items]
        return ["opaque", kind.__name__[:80]]

    text = json.dumps({"message": encode(message, 0), "sizes": [len(buffer) for buffer in buffers]}).encode()
    total = sum(map(len, buffers))
    if len(text) > TEXT or total > FRAME:
        raise Refused(f"{len(text) + total:,} bytes are too many to be handed over")
    return b"".join([HEAD.pack(len(text), total), text, *buffers])


def _array(array: np.ndarray, tag: str, buffers: list[bytes], name: str, left: list[int]) -> list:
    if array.dtype.kind in "fc" and array.dtype.itemsize > (8 if array.dtype.kind == "f" else 16):
        array = array.astype(float if array.dtype.kind == "f" else complex)
    if not DTYPE.fullmatch(array.dtype.str):
        return ["opaque", name[:80]]
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    left[1] -= array.nbytes
    if left[1] < 0:
        raise Refused(f"arrays of more than {FRAME:,} bytes are too large to be handed over")
    buffers.append(array.tobytes(order))
    return [tag, array.dtype.str, list(array.shape), order, len(buffers) - 1]


# Reading -----------------------------------------------------------------------------------------------------


def unpack(frame: bytes, functions: Callable[[int], Any] | None = None) -> Any:
    """The message of a frame without its head; `functions(number)` gives what a function arrives as."""
    length, total = HEAD.unpack_from(frame)
    if HEAD.size + length + total != len(frame):
        raise Refused("a frame's lengths don't add up")
    if length > TEXT:
        raise Refused(f"{length:,} bytes of text")
    try:
        body = json.loads(frame[HEAD.size : HEAD.size + length].decode())
        message, sizes = body["message"], body["sizes"]
    except (ValueError, KeyError, TypeError, RecursionError, MemoryError) as error:
        raise Refused(f"a frame can't be read: {type(error).__name__}") from None
    if type(sizes) is not list or any(type(size) is not int or size < 0 for size in sizes) or sum(sizes) != total:
        raise Refused("a frame's arrays don't add up")
    buffers, start = [], HEAD.size + length
    for size in sizes:
        buffers.append(frame[start : start + size])
        start += size
    left = [ITEMS, KEYS]

    def decode(value: Any, depth: int) -> Any:
        left[0] -= 1
        if depth > DEPTH or left[0] < 0:
            raise Refused("a message is too deep or too long")
        inside = lambda items: [decode(item, depth + 1) for item in items]
        if value is None or type(value) in (bool, int, float):
            return value
        if type(value) is str:
            # Half a character can be sent, and written nowhere.
            return value if value.isascii() else value.encode("utf-8", "replace").decode()
        if type(value) is not list or not value:
            raise Refused("a message holds something without a tag")
        match value:
            case ["array", str(dtype), list(shape), str(order), int(n)]:
                return _read(buffers, dtype, shape, order, n)
            case ["list", list(items)]:
                return inside(items)
            case ["tuple", list(items)]:
                return tuple(inside(items))
            case ["dict" | "set", list(pairs)] if left[1] < len(pairs):
                raise Refused("a message with too many keys")
            case ["dict", list(pairs)]:
                left[1] -= len(pairs)
                return dict(inside(pair) for pair in pairs)
            case ["scalar", str(dtype), [], str(order), int(n)]:
                return _read(buffers, dtype, [], order, n)[()]
            case ["float", "nan" | "inf" | "-inf" as text]:
                return float(text)
            case ["int", str(text)] if len(text) < DIGITS:
                return int(text, 16)
            case ["complex", real, imag]:
                return complex(decode(real, depth + 1), decode(imag, depth + 1))
            case ["bytes", int(n)]:
                return buffers[n]
            case ["set", list(items)]:
                left[1] -= len(items)
                return set(inside(items))
            case ["objects", list(shape), list(items)] if math.prod(_shape(shape)) == len(items):
                array = np.empty(len(items), dtype=object)
                array[:] = inside(items)
                return array.reshape(shape)
            case ["stream", str(name), list(items)] if name.isidentifier():
                return type(name, (Stream,), {})(inside(items))
            case ["opaque", str(name)] if name.isidentifier():
                return type(name, (Opaque,), {})()
            case ["function", int(number)] if functions:
                return functions(number)
        raise Refused(f"a message holds what no rule allows: {str(value[0])[:40]!r}")

    try:
        return decode(message, 0)
    except Refused:
        raise
    except (TypeError, ValueError, IndexError, OverflowError, MemoryError, RecursionError) as error:
        raise Refused(f"a message can't be read: {type(error).__name__}") from None


def _shape(shape: list) -> list:
    if len(shape) > 32 or any(type(length) is not int or not 0 <= length <= FRAME for length in shape):
        raise Refused("a shape that no array has")
    return shape


def _read(buffers: list[bytes], dtype: str, shape: list, order: str, n: int) -> np.ndarray:
    if not DTYPE.fullmatch(dtype) or order not in ("C", "F"):
        raise Refused("an array of a kind that doesn't cross")
    kind, buffer = np.dtype(dtype), buffers[n]
    if math.prod(_shape(shape)) * kind.itemsize != len(buffer):
        raise Refused("an array's bytes don't fill its shape")
    if kind.kind == "b":
        # Any other byte than 0 and 1 would be a truth that isn't equal to True.
        return (np.frombuffer(buffer, np.uint8) != 0).reshape(shape, order=order)
    if kind.kind == "U" and np.any(np.frombuffer(buffer, kind.byteorder.replace("|", "=") + "u4") > 0x10FFFF):
        raise Refused("text with characters that don't exist")
    if kind.itemsize == 0:
        return np.zeros(shape, kind)
    return np.frombuffer(buffer, kind).reshape(shape, order=order).copy(order="K")


# Sending -----------------------------------------------------------------------------------------------------


class Link:
    """Frames over a stream socket; every wait has a deadline, in seconds of `time.monotonic`."""

    def __init__(self, channel: socket.socket, guard: socket.socket | None = None):
        self.channel, self.guard = channel, guard
        channel.setblocking(False)
        # The audit hook of a student's thread may send too.
        self.lock = threading.RLock()

    def send(self, frame: bytes, deadline: float = math.inf) -> None:
        """Write a whole frame; `Gone` where the other end is closed, `TimeoutError` where it doesn't read."""
        view = memoryview(frame)
        with self.lock:
            while view:
                try:
                    view = view[self.channel.send(view) :]
                except BlockingIOError:
                    self._wait(deadline, write=True)
                except OSError as error:
                    raise Gone(str(error)) from None

    def receive(self, deadline: float = math.inf) -> bytes:
        """Read a whole frame."""
        head = self._read(HEAD.size, deadline)
        size = sum(HEAD.unpack(head))
        if size > FRAME + 2**20:
            raise Refused(f"a frame of {size:,} bytes")
        return head + self._read(size, deadline)

    def _read(self, size: int, deadline: float) -> bytes:
        parts, missing = [], size
        while missing:
            try:
                part = self.channel.recv(min(missing, 2**20))
            except BlockingIOError:
                self._wait(deadline)
                continue
            except OSError as error:
                raise Gone(str(error)) from None
            if not part:
                raise Gone("the other end is closed")
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _wait(self, deadline: float, write: bool = False) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        poll = select.poll()
        poll.register(self.channel, select.POLLOUT if write else select.POLLIN)
        if self.guard:
            poll.register(self.guard, 0)
        if any(fd != self.channel.fileno() for fd, _ in poll.poll(None if left == math.inf else 1000 * left + 1)):
            raise Abandoned

    def close(self) -> None:
        self.channel.close()
