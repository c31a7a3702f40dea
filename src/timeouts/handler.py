"""What kind of function the user's handler is, decided once, and how its outcome is caught."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, NamedTuple

from timeouts.outcome import Outcome


class Shape(Enum):
    """How a handler gives its result."""

    PLAIN = auto()
    COROUTINE = auto()
    GENERATOR = auto()
    ASYNC_GENERATOR = auto()


class Handler(NamedTuple):
    """A handler with its name and its shape."""

    function: Callable[..., Any]
    name: str
    shape: Shape

    @property
    def is_async(self) -> bool:
        """Whether it runs on an event loop."""
        return self.shape in (Shape.COROUTINE, Shape.ASYNC_GENERATOR)

    @property
    def is_stream(self) -> bool:
        """Whether it gives items rather than one result."""
        return self.shape in (Shape.GENERATOR, Shape.ASYNC_GENERATOR)


def handler_of(function: Any) -> Handler:
    """Look at a handler: a function, method, partial, staticmethod, classmethod or callable object.

    Raises:
        TypeError: it cannot be called, or is a class.
    """
    if type(function).__module__.startswith("ray.serve"):
        raise TypeError(
            f"guard goes below @serve.deployment, next to the function; got {function!r}"
        )
    bare = _bare(function)
    if not callable(bare):
        raise TypeError(f"handler must be callable; got {function!r}")
    if inspect.isclass(bare):
        raise TypeError(
            f"handler must be a function or a method, not the class {bare.__name__}; "
            "guard the method that does the work"
        )
    name = getattr(bare, "__qualname__", type(bare).__qualname__)
    plain = bare if isinstance(function, (staticmethod, classmethod)) else function
    return Handler(plain, name, _shape(bare))


def _bare(function: Any) -> Any:
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, (staticmethod, classmethod)):
            function = function.__func__
        else:
            return function


def _shape(bare: Any) -> Shape:
    seen = bare if inspect.isroutine(bare) else type(bare).__call__
    if inspect.iscoroutinefunction(seen):
        return Shape.COROUTINE
    if inspect.isasyncgenfunction(seen):
        return Shape.ASYNC_GENERATOR
    if inspect.isgeneratorfunction(seen):
        return Shape.GENERATOR
    return Shape.PLAIN


def outcome_of(function: Callable[..., Any], args: Any, kwargs: Any) -> Outcome:
    """Call a function and catch whatever comes of it."""
    try:
        return Outcome(function(*args, **kwargs))
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the caller's
        return failure(error)


def failure(error: BaseException) -> Outcome:
    """Return the outcome for an error caught right where the handler was called.

    The frame that caught it is ours and is dropped from the traceback: it tells the user nothing,
    and through its locals it would tie the error, the outcome and the call into a reference cycle.
    """
    trace = sys.exc_info()[2]
    # By the base class, because an error may have methods of its own by these names.
    BaseException.with_traceback(error, trace.tb_next if trace is not None else None)
    return Outcome(error=error)
