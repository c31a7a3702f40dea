"""What a worker is told at its birth: which handler to run, what to load first, under which limits.

Functions are named, not copied: by module and qualified name, which is how pickle does it too, but
through guards and other wrappers, whose inside pickle would refuse. What has no name that another
process could find (a lambda, a closure, a function of a session without a file) is copied by
`cloudpickle`, if that is installed.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import pickle
import sys
from collections.abc import Callable
from types import FunctionType
from typing import Any, NamedTuple

from timeouts.named import find
from timeouts.stack import Stack


class Charter(NamedTuple):
    """The handler, what prepares a worker for it, and its limits.

    Pickled in one piece, so that methods of one object stay methods of one object.
    """

    handler: Callable[..., Any]
    setup: Callable[[], object] | None
    preload: Callable[[], object] | None
    limits: Stack

    def write(self) -> bytes:
        """Write it down for another process.

        Raises:
            TypeError: a part of it can neither be named nor copied.
        """
        try:
            return _by_name(self)
        except Exception as why:  # noqa: BLE001 - whatever it is
            try:
                return _copied(tuple(self))
            except Exception as final:  # noqa: BLE001 - not installed, or cannot do it either
                what = why if isinstance(final, ImportError) else final
                raise TypeError(_complaint(self, what)) from why


def bare(function: Any) -> Any:
    """Return the function inside a guard; others as they are."""
    from timeouts.decorate import BoundGuard, Guard

    while isinstance(function, (Guard, BoundGuard)):
        function = function.__wrapped__
    return function


class _Pickler(pickle.Pickler):
    """Names functions where they stand behind wrappers."""

    def reducer_override(self, thing: Any) -> Any:
        if isinstance(thing, FunctionType) and (depth := _depth(thing)):
            return find, (thing.__module__, thing.__qualname__, depth)
        return NotImplemented


def _depth(function: FunctionType) -> int:
    """Return how many wrappers hide a function under its own name; 0 if none, or if it is not there."""
    try:
        found = find(function.__module__, function.__qualname__)
    except (ImportError, AttributeError):
        return 0
    for depth in range(100):
        if found is function:
            return depth
        found = getattr(found, "__wrapped__", None)
    return 0


def _by_name(charter: Charter) -> bytes:
    if _nowhere(charter):
        raise pickle.PicklingError("it was defined in a session that has no file")
    file = io.BytesIO()
    _Pickler(file, 5).dump(tuple(charter))
    return file.getvalue()


def _nowhere(charter: Charter) -> bool:
    """Tell whether functions live in a `__main__` that another process cannot run again."""
    main = sys.modules["__main__"]
    if getattr(main, "__spec__", None) is not None:
        return False
    path = getattr(main, "__file__", None)
    found = path is not None and os.path.exists(path)  # noqa: PTH110 - a plain question
    return not found and any(_home(part) == "__main__" for part in charter[:3])


def _home(function: Any) -> str | None:
    while isinstance(function, functools.partial):
        function = function.func
    owner = getattr(function, "__self__", None)
    return getattr(function if owner is None else type(owner), "__module__", None) or getattr(
        type(function), "__module__", None
    )


def _copied(parts: Any) -> bytes:
    import cloudpickle  # type: ignore[import-untyped,import-not-found,unused-ignore]

    copied: bytes = cloudpickle.dumps(parts, 5)
    return copied


def _complaint(charter: Charter, why: Exception) -> str:
    culprit = next(
        (f"{name} {part!r}" for name, part in charter._asdict().items() if _refused(part)),
        "the handler",
    )
    return (
        f"{culprit} cannot be sent to a worker process: {why}. Define it at the top level of a "
        "module, or install cloudpickle (pip install 'timeouts[process]')"
    )


def _refused(part: Any) -> bool:
    with contextlib.suppress(Exception):  # whatever it is
        _Pickler(io.BytesIO(), 5).dump(part)
        return False
    with contextlib.suppress(Exception):
        _copied(part)
        return False
    return True


def read(written: bytes) -> Charter:
    """Read what `write` has written, in another process; import what it names."""
    handler, setup, preload, limits = pickle.loads(written)  # noqa: S301 - our own server wrote it
    return Charter(bare(handler), setup, preload, limits)
