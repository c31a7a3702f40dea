"""Read by mypy and pyright, never run: what a guarded function looks like to a type checker."""

from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Generator, Iterator
from concurrent.futures import Future
from datetime import timedelta
from typing import Any, assert_type

from timeouts import ExecutionTimeout, GatewayTimeout, QueueTimeout, Stack, guard


@ExecutionTimeout("500ms")
def plain(x: int) -> str:
    return str(x)


@guard(GatewayTimeout(timedelta(seconds=3), reserve=1) | QueueTimeout(None), slots=2)
async def coroutine(x: int) -> str:
    return str(x)


@guard()
def generator(n: int) -> Iterator[int]:
    yield n


@guard()
async def async_generator(n: int) -> AsyncIterator[int]:
    yield n


class Model:
    @guard(ExecutionTimeout(1))
    def predict(self, x: int) -> bytes:
        return bytes(x)


def calls() -> None:
    assert_type(plain(1), str)
    _ = assert_type(plain.acall(1), Coroutine[Any, Any, str])
    assert_type(plain.submit(1), Future[str])
    _ = assert_type(coroutine(1), Coroutine[Any, Any, str])
    assert_type(coroutine.submit(1), Future[str])
    assert_type(generator(1), Generator[int, None, Any])
    assert_type(generator.acall(1), AsyncGenerator[int, None])
    assert_type(async_generator(1), AsyncGenerator[int, None])
    assert_type(Model().predict(1), bytes)
    _ = assert_type(Model().predict.acall(1), Coroutine[Any, Any, bytes])
    assert_type(GatewayTimeout(3) | QueueTimeout(1), Stack)


def mistakes() -> None:
    plain("x")  # type: ignore[arg-type]
    Model().predict("x")  # type: ignore[arg-type]
    plain.submit()  # type: ignore[call-arg]
    QueueTimeout(b"5")  # type: ignore[arg-type]
