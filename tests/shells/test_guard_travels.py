"""A guard that cloudpickle copies, for Ray, Dask or joblib, arrives as a guard: never as the bare function."""

from __future__ import annotations

import asyncio
import inspect
import pickle
from collections.abc import AsyncIterator, Callable, Iterator
from types import FunctionType
from typing import Any

import cloudpickle  # type: ignore[import-untyped,unused-ignore]
import pytest

from timeouts import ExecutionTimeout, GatewayTimeout, Stack, guard
from timeouts.decorate import Guard

LIMITS = GatewayTimeout(30) | ExecutionTimeout(9)


@guard(LIMITS, slots=2)
def at_home(x: int) -> int:
    """Be found by name."""
    return x + 1


@guard(LIMITS, slots=2)
def displaced(x: int) -> int:
    """Have its name taken, as a deployment takes it."""
    return x + 1


displaced_guard, displaced = displaced, len  # type: ignore[assignment]


def copied(thing: Any) -> Any:
    """Let it travel."""
    return pickle.loads(cloudpickle.dumps(thing))


def make(limits: Stack, **options: Any) -> Callable[[Any], Any]:
    """Guard functions that a call has defined."""
    return guard(limits, **options)


def test_a_guard_of_a_module_travels_by_name() -> None:
    """So there is one in each process, with one server."""
    assert copied(at_home) is at_home
    assert pickle.loads(pickle.dumps(at_home)) is at_home


@pytest.mark.parametrize("options", [{}, {"slots": 3, "capacity": 7}])
def test_a_guard_of_a_call_travels_by_value(options: dict[str, Any]) -> None:
    """With its limits and options, and its closure."""
    offset = 10

    @make(LIMITS, **options)
    def handler(x: int) -> int:
        return x + offset

    copy = copied(handler)
    assert type(copy) is Guard
    assert copy is not handler
    assert copy.server.limits == LIMITS
    assert {name: copy.server.given[name] for name in options} == options
    assert copy(1) == 11


def test_a_guard_whose_name_is_taken_travels_by_value() -> None:
    """As that of a function which is a deployment."""
    copy = copied(displaced_guard)
    assert type(copy) is Guard
    assert copy(1) == 2


def test_further_rules_travel_too() -> None:
    """Those of a policy that was put above."""

    @GatewayTimeout(30)
    @ExecutionTimeout(9)
    def handler() -> None: ...

    assert copied(handler).server.limits == LIMITS


def test_a_guard_that_calls_itself_travels() -> None:
    """It is one guard afterwards, too."""

    @make(LIMITS, slots=1)
    def factorial(n: int) -> int:
        return n * factorial(n - 1) if n else 1

    copy = copied(factorial)
    assert copy(3) == 6
    assert copy.server.stats().outcomes == {"completed": 1}


def test_methods_of_a_class_travel() -> None:
    """Of every kind, and bound ones."""

    class Model:
        factor = 3

        @make(LIMITS)
        def plain(self, x: int) -> int:
            return self.factor * x

        @make(LIMITS)
        async def coroutine(self, x: int) -> int:
            return self.factor * x

        @make(LIMITS)
        def items(self, count: int) -> Iterator[int]:
            yield from range(count)

        @make(LIMITS)
        async def aitems(self, count: int) -> AsyncIterator[int]:
            for item in range(count):
                yield item

        @make(LIMITS)
        @classmethod
        def of_class(cls, x: int) -> int:
            return cls.factor * x

        @staticmethod
        @make(LIMITS)
        def static(x: int) -> int:
            return x

    model = copied(Model())
    kinds = {name for name, thing in vars(type(model)).items() if type(thing) is Guard}
    assert kinds == {"plain", "coroutine", "items", "aitems", "of_class"}
    assert (model.plain(2), model.of_class(2), model.static(2)) == (6, 6, 2)
    assert asyncio.run(model.coroutine(2)) == 6
    assert list(model.items(2)) == [0, 1]
    assert copied(Model().plain)(2) == 6
    assert copied(Model().plain).server.limits == LIMITS


def test_what_others_see_of_a_guard_is_the_function() -> None:
    """Only cloudpickle is told the truth."""
    assert isinstance(at_home, FunctionType)
    assert inspect.isfunction(at_home)
    assert at_home.__class__ is FunctionType
    assert type(at_home) is Guard
