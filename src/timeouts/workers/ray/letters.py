"""What a value becomes on its way through Ray: a pickle, the memory it refers to, the references in it.

Laws:
- What a stranger's class does while it is pickled or loaded, it does in our code, where it is caught,
  and never in Ray's: an answer that Ray itself could not load would never come.
- The memory of a large array is copied once, into Ray's object store, and read there: it arrives
  read-only, as it always does with Ray.
- A Ray `ObjectRef` inside a value stays one; it travels where Ray sees and counts it.
"""

from __future__ import annotations

import io
import pickle
import threading
from types import FunctionType
from typing import Any, TypeAlias

from timeouts.named import find
from timeouts.workers.process.charter import _depth
from timeouts.workers.process.parcel import Unsendable
from timeouts.workers.ray.guest import ray

Letter: TypeAlias = bytes | tuple[Any, list[Any], list[Any]]
"""A pickle; where that is not all, also the buffers beside it and the references in it."""

SMALL = 16 * 1024  # bytes; for a smaller buffer a place of its own costs more than a copy
LARGE = (
    64 * 1024
)  # bytes; what is smaller travels with the call, what is larger is put into the store

_loading = threading.local()


def seal(value: Any) -> Letter:
    """Pickle a value, by name or by value as Ray does; raise `Unsendable` where that fails."""
    file, buffers, refs = io.BytesIO(), list[Any](), list[Any]()

    def keep(buffer: pickle.PickleBuffer) -> bool:
        if buffer.raw().nbytes < SMALL:
            return True
        buffers.append(buffer)
        return False

    try:
        _Pickler(file, keep, refs).dump(value)
    except Exception as why:
        raise Unsendable(f"{type(why).__name__}: {why}") from why
    stream = file.getvalue()
    if not buffers and not refs and len(stream) < SMALL:
        return stream  # Ray carries bytes 0.3 ms faster than anything else
    return pickle.PickleBuffer(stream), buffers, refs


def unseal(letter: Letter) -> Any:
    """Return the value of a letter; raise whatever loading it raises."""
    if isinstance(letter, bytes):
        return pickle.loads(letter)  # noqa: S301 - from our own server or actor
    stream, buffers, _loading.refs = letter
    try:
        return pickle.loads(stream, buffers=buffers)  # noqa: S301 - as above
    finally:
        _loading.refs = None


def posted(letter: Letter) -> Any:
    """Return a letter as it is to be sent, often or once: put into the object store if it is large."""
    if isinstance(letter, bytes):
        return letter
    stream, buffers, _ = letter
    size = sum(buffer.raw().nbytes for buffer in (stream, *buffers))
    return ray.put(letter) if size >= LARGE and ray.is_initialized() else letter


class _Pickler(ray.cloudpickle.CloudPickler):  # type: ignore[misc]  # untyped
    """Names functions where they stand behind wrappers, and keeps references out of the stream."""

    def __init__(self, file: io.BytesIO, keep: Any, refs: list[Any]) -> None:
        super().__init__(file, protocol=5, buffer_callback=keep)
        self._refs = refs

    def reducer_override(self, thing: Any) -> Any:
        if isinstance(thing, ray.ObjectRef):
            self._refs.append(thing)
            return _enclosed, (len(self._refs) - 1,)
        if isinstance(thing, FunctionType) and (depth := _far_depth(thing)):
            return find, (thing.__module__, thing.__qualname__, depth)
        return super().reducer_override(thing)


def _far_depth(function: FunctionType) -> int:
    """Return how many wrappers hide a function where an actor would find it; 0 if none, or not there."""
    return 0 if function.__module__ == "__main__" else _depth(function)


def _enclosed(number: int) -> Any:
    return _loading.refs[number]
