"""What bodies look like on the wire: JSON, raw bytes, or a numpy array as `.npy`.

A request says what it sends by `Content-Type`; an answer is what the result is, and an array goes out
as `.npy` to who accepts that, and as lists in JSON to all others.
"""

from __future__ import annotations

import io
import math
from typing import Any, NamedTuple

from pydantic_core import to_json

from timeouts.serve.parameters import Invalid, Parameters

JSON, BYTES, NPY = "application/json", "application/octet-stream", "application/x-npy"
ACCEPTED = (JSON, BYTES, NPY)


class UnknownMediaType(ValueError):
    """A request whose `Content-Type` is none of those that are read; the answer is 415."""


class Body(NamedTuple):
    """A whole body and its type."""

    media_type: str
    content: bytes


def read(parameters: Parameters, media_type: str, body: bytes) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments that a request carries.

    Raises:
        Invalid: they are none that the handler takes.
        UnknownMediaType: the body is of a type that nobody here can read.
    """
    kind = media_type.partition(";")[0].strip().lower()
    if kind in ("", JSON) or kind.endswith("+json"):
        return parameters.from_json(body)
    if kind == BYTES:
        return parameters.from_value(body)
    if kind == NPY:
        return parameters.from_value(_array(body))
    raise UnknownMediaType(f"Content-Type must be one of {', '.join(ACCEPTED)}; got {kind[:80]!r}")


def write(result: Any, accept: str) -> Body:
    """Return the body that stands for a result.

    Raises:
        ValueError: the result is nothing that JSON can hold.
    """
    if isinstance(result, (bytes, bytearray, memoryview)):
        return Body(BYTES, bytes(result))
    if NPY in accept and _is_array(result):
        return Body(NPY, _npy(result))
    return Body(JSON, as_json(result))


def as_json(value: Any) -> bytes:
    """Write a value as JSON; nan and infinities, which JSON does not have, as null.

    Raises:
        ValueError: it is nothing that JSON can hold.
    """
    return to_json(value, inf_nan_mode="null", fallback=_plain)


def _plain(value: Any) -> Any:
    """Return numpy's and torch's values as Python's own."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} cannot be written as JSON")


def _is_array(value: Any) -> bool:
    return hasattr(value, "__array_interface__")


def _array(body: bytes) -> Any:
    try:
        import numpy as np
    except ModuleNotFoundError:
        raise UnknownMediaType(f"{NPY} cannot be read: numpy is not installed here") from None
    try:
        _check_size(np.lib.format, body)
        return np.load(io.BytesIO(body), allow_pickle=False)
    except Exception as why:  # noqa: BLE001 - whatever numpy makes of a stranger's bytes
        what = f"no .npy array: {type(why).__name__}: {why}"
        raise Invalid([{"where": "body", "what": what[:300]}]) from None


def _check_size(npy: Any, body: bytes) -> None:
    """Refuse an array that is larger than its body, before numpy makes room for it.

    So is one of a vast number of items of no size: lists of them would have a size.
    """
    file = io.BytesIO(body)
    version = npy.read_magic(file)
    head = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = head(file)
    size, places = math.prod(shape) * dtype.itemsize, math.prod(max(1, side) for side in shape)
    if max(size, places) > len(body):
        raise ValueError(f"the shape {shape} needs more bytes than there are")


def _npy(array: Any) -> bytes:
    import numpy as np

    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()
