"""What a value becomes so that it can leave its process.

Law: a parcel's value arrives equal, and writable where it was writable, or `pack` says in the user's
words why it cannot. Small values stay in the pickle stream; the memory of large ones (arrays,
tensors, views of memory) is not copied here but only referred to. It is read when the parcel is
wrapped: what writes to an array in between is seen on the other side.

What this cannot do: two arrays that share memory arrive apart, as with any pickle; `bytes`, `str`
and `bytearray` own their memory, so they are copied once more where they arrive; a format of
memory that only numpy knows (`"<i4"`, columns of a structured array) needs numpy on both sides and
arrives as numpy spells it; a tensor that is neither contiguous nor transposed arrives contiguous.
"""

from __future__ import annotations

import contextlib
import copyreg
import pickle
import struct
import sys
from collections.abc import Callable, Iterable
from types import FunctionType, ModuleType
from typing import Any, TypeAlias

from timeouts.named import is_there

Reducer: TypeAlias = Callable[[Any], Any]

SMALL = 16 * 1024  # bytes; for a smaller buffer a place of its own costs more than a copy
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: a class statement has made it
_DEPTH = 16  # levels of a value that are searched for what cannot be pickled


class Unsendable(Exception):
    """This value cannot be pickled; the message says which type and why, `__cause__` is what was raised."""


class Parcel:
    """A value on its way: its pickle in pieces, and the memory it refers to, in order.

    It is the file that the pickler writes to. A large `bytes` inside a value is a piece of its own,
    and the very same object: no copy.
    """

    __slots__ = ("buffers", "pieces", "write")

    def __init__(self) -> None:
        self.pieces: list[bytes | bytearray] = []
        self.buffers: list[memoryview] = []
        self.write = self.pieces.append

    @property
    def stream(self) -> bytes:
        """The whole pickle, joined; without buffers, `pickle.loads` reads it."""
        return b"".join(self.pieces)

    def keep(self, buffer: pickle.PickleBuffer) -> bool:
        """Keep a large buffer out of the stream; True means that a small one goes into it."""
        memory = buffer.raw()
        if memory.nbytes < SMALL:
            return True
        self.buffers.append(memory)
        return False


def pack(value: Any) -> Parcel:
    """Pickle a value; raise `Unsendable` where that fails."""
    try:
        return _packed(value, _Pickler)
    except Exception as error:
        with contextlib.suppress(Exception):  # no worse than before
            return _packed(value, _Copier)
        raise Unsendable(_why(value, error)) from error


def _packed(value: Any, kind: type[pickle.Pickler]) -> Parcel:
    parcel = Parcel()
    kind(parcel, 5, buffer_callback=parcel.keep).dump(value)
    return parcel


def load(stream: bytes | memoryview, buffers: Iterable[Any] = ()) -> Any:
    """Return the value of a parcel's stream and buffers; raise whatever loading it raises."""
    return pickle.loads(stream, buffers=buffers)  # noqa: S301 - from our own worker


# ── how types that pickle badly are pickled ──────────────────────────────────────────────────────


class _Reducers(dict[type, Reducer]):
    """What `copyreg` knows at this moment, then ours; an empty dict, so that misses are looked up."""

    def __missing__(self, kind: type) -> Reducer:
        reducer = copyreg.dispatch_table.get(kind) or _own_reducer(kind)
        if reducer is None:
            raise KeyError(kind)
        return reducer


class _Pickler(pickle.Pickler):
    dispatch_table = _Reducers()


def _own_reducer(kind: type) -> Reducer | None:
    if kind is memoryview:
        return _reduce_view
    if kind.__module__.startswith("torch") and "torch" in sys.modules:
        torch = sys.modules["torch"]
        if kind is torch.Tensor or kind is torch.nn.Parameter:
            return _reduce_tensor
    return None


class _Copier(_Pickler):
    """Copies what is of a class that came here by value, as a class of Ray Serve's replicas has."""

    def reducer_override(self, thing: Any) -> Any:
        kind = type(thing)
        local = "<locals>" in kind.__qualname__
        if local or not kind.__flags__ & _HEAP_TYPE or is_there(kind):
            return NotImplemented
        import cloudpickle  # type: ignore[import-untyped,import-not-found,unused-ignore]

        return pickle.loads, (cloudpickle.dumps(thing, 5),)


def _reduce_view(view: memoryview) -> tuple[Any, ...]:
    if not _castable(view):
        return memoryview, (_numpy_for(view).asarray(view),)
    if view.c_contiguous:
        return _view, (pickle.PickleBuffer(view), view.format, view.shape)
    whole = bytes(view) if view.readonly else bytearray(view)
    return _view, (pickle.PickleBuffer(whole), view.format, view.shape)


def _castable(view: memoryview) -> bool:
    if not view.nbytes and view.ndim != 1:
        return False
    try:
        memoryview(bytes(view.itemsize)).cast(view.format)  # type: ignore[call-overload]
    except ValueError:
        return False
    return True


def _numpy_for(view: memoryview) -> Any:
    try:
        import numpy as np
    except ImportError:
        raise TypeError(
            f"a memoryview of format {view.format!r} and shape {view.shape} needs numpy"
        ) from None
    return np


def _view(buffer: Any, code: str, shape: tuple[int, ...]) -> memoryview:
    memory = memoryview(buffer)
    if memory.nbytes:
        whole: memoryview = memory.cast("B").cast(code, shape)  # type: ignore[call-overload]
        return whole
    one: memoryview = memoryview(bytearray(struct.calcsize(code))).cast(code)  # type: ignore[call-overload]
    return one[:0].toreadonly() if memory.readonly else one[:0]  # cast() refuses empty memory


def _reduce_tensor(tensor: Any) -> Any:
    array = _as_array(tensor)
    if array is None:
        return tensor.__reduce_ex__(5)
    return _tensor, (type(tensor), array, tensor.dtype, tensor.requires_grad)


def _as_array(tensor: Any) -> Any:
    """Return the array that views a tensor's memory, or None where only torch can pickle it."""
    torch = sys.modules["torch"]
    if (
        tensor.device.type != "cpu"
        or tensor.layout is not torch.strided
        or tensor.is_quantized
        or tensor.is_conj()
        or tensor.is_neg()
        or tensor._backward_hooks  # noqa: SLF001 - torch's own pickling looks there, too
        or vars(tensor)
    ):
        return None
    data = tensor.detach()
    if tensor.dtype.is_floating_point and tensor.dtype not in (
        torch.float16,
        torch.float32,
        torch.float64,
    ):  # numpy has no bfloat16 and no float8: the same bits as integers
        data = data.view({1: torch.uint8, 2: torch.int16}[data.element_size()])
    try:
        array = data.numpy()
    except (RuntimeError, TypeError):  # torch without numpy; a dtype that numpy does not have
        return None
    return array if array.flags.forc else data.contiguous().numpy()


def _tensor(kind: type, array: Any, dtype: Any, requires_grad: bool) -> Any:
    import torch  # type: ignore[import-not-found,unused-ignore]

    tensor = torch.from_numpy(array)
    if tensor.dtype is not dtype:
        tensor = tensor.view(dtype)
    if kind is torch.nn.Parameter:
        return torch.nn.Parameter(tensor, requires_grad)
    return tensor.requires_grad_(requires_grad)


# ── why a value cannot be pickled ────────────────────────────────────────────────────────────────


def _why(value: Any, error: Exception) -> str:
    kind = type(_culprit(value, _DEPTH))
    name = kind.__qualname__
    if kind.__module__ != "builtins":
        name = f"{kind.__module__}.{name}"
    return f"a {name} cannot go to another process: {str(error) or type(error).__name__}"


def _culprit(value: Any, depth: int) -> Any:
    """Return the innermost part of a value that cannot be pickled by itself."""
    for part in _parts(value) if depth else ():
        if not _sendable(part):
            return _culprit(part, depth - 1)
    return value


def _parts(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value, *value.values()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    if isinstance(value, (type, FunctionType, ModuleType)):
        return []  # pickled by name
    try:
        reduced = value.__reduce_ex__(5)
    except Exception:  # noqa: BLE001 - a stranger's method, and it is itself the culprit
        return []
    return [] if isinstance(reduced, str) else list(reduced[1:3])


def _sendable(value: Any) -> bool:
    parcel = Parcel()
    try:
        _Pickler(parcel, 5, buffer_callback=parcel.keep).dump(value)
    except Exception:  # noqa: BLE001 - whatever it is, it is why
        return False
    return True
