"""Every kind of function in every place of a class: bound and asked about, it is as without its guard."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import pytest

from timeouts import ExecutionTimeout, guard

LIMIT = ExecutionTimeout(60)


def plain(self: Any, x: int, *, times: int = 2) -> int:
    """Multiply."""
    return x * times


async def coroutine(self: Any, x: int, *, times: int = 2) -> int:
    """Multiply, later."""
    return x * times


def generator(self: Any, x: int, *, times: int = 2) -> Generator[int, None, None]:
    """Multiply, in steps."""
    for _ in range(times):
        yield x


async def async_generator(self: Any, x: int, *, times: int = 2) -> AsyncGenerator[int, None]:
    """Multiply, in steps, later."""
    for _ in range(times):
        yield x


def static(function: Any) -> Any:
    """Bind nothing; the first argument is the class, by hand."""
    return staticmethod(function)


FUNCTIONS: list[Callable[..., Any]] = [plain, coroutine, generator, async_generator]
PLACES: list[Callable[[Any], Any]] = [lambda function: function, classmethod, static]
QUESTIONS: list[Callable[[Any], Any]] = [
    inspect.signature,
    inspect.getdoc,
    inspect.isroutine,
    inspect.iscoroutinefunction,
    inspect.isgeneratorfunction,
    inspect.isasyncgenfunction,
    callable,
    lambda method: method.__name__,
    lambda method: method.__qualname__,
    lambda method: type(getattr(method, "__self__", None)).__name__,
]


def result_of(returned: Any) -> Any:
    """Return what it gives, awaited or iterated."""
    if inspect.isasyncgen(returned):

        async def items() -> list[Any]:
            return [item async for item in returned]

        return asyncio.run(items())
    if inspect.iscoroutine(returned):
        return asyncio.run(returned)
    return list(returned) if inspect.isgenerator(returned) else returned


@pytest.mark.parametrize("inside", [False, True], ids=["guard above", "guard below"])
@pytest.mark.parametrize("place", PLACES, ids=["method", "classmethod", "staticmethod"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_bound_it_is_as_without_its_guard(
    function: Callable[..., Any], place: Callable[[Any], Any], inside: bool
) -> None:
    """On the class as on an instance."""
    guarded = place(guard(LIMIT)(function)) if inside else guard(LIMIT)(place(function))
    bare: Any = type("Model", (), {"predict": place(function)})
    model: Any = type("Model", (), {"predict": guarded})
    for without, under in ((bare().predict, model().predict), (bare.predict, model.predict)):
        for ask in QUESTIONS:
            assert ask(under) == ask(without)
    arguments = (object(), 3) if place is static else (3,)
    assert result_of(model().predict(*arguments, times=3)) == result_of(
        bare().predict(*arguments, times=3)
    )


@pytest.mark.parametrize("place", PLACES, ids=["method", "classmethod", "staticmethod"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_bound_guard_has_what_a_guard_has(
    function: Callable[..., Any], place: Callable[[Any], Any]
) -> None:
    """The same server for class and instance; and `acall`, whatever the kind."""
    model: Any = type("Model", (), {"predict": guard(LIMIT)(place(function))})
    method = model().predict
    assert method.server is model.predict.server
    arguments = (object(), 3) if place is static else (3,)

    async def main() -> Any:
        called = method.acall(*arguments)
        return [item async for item in called] if hasattr(called, "__aiter__") else await called

    assert asyncio.run(main()) == ([3, 3] if "generator" in function.__name__ else 6)
    method.close()
