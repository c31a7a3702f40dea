"""LitAPIs that do as they are told, one for each kind of loop that LitServe has, and servers of them.

`python -m tests.adapters.litserve_apis <server> <port>` runs one.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import litserve as ls
from fastapi import HTTPException
from pydantic import BaseModel

from timeouts import (
    STATUSES,
    ExecutionTimeout,
    FirstItemTimeout,
    GatewayTimeout,
    IdleTimeout,
    QueueTimeout,
    Status,
    remaining,
)
from timeouts.adapters.headers import Budgets
from timeouts.errors import QueueTimeoutError

BUDGETS = Budgets("x-request-timeout-seconds")
AS_LITSERVE = STATUSES.override({QueueTimeoutError: Status(504, "DEADLINE_EXCEEDED")})
FOREVER = 1000.0
Method = TypeVar("Method", bound=Callable[..., Any])


def mark(name: str) -> None:
    """Leave a trace that work has begun."""
    (Path(os.environ["LITSERVE_MARKS"]) / name).touch()


def work(told: dict[str, Any]) -> Any:
    """Do one thing, and answer."""
    if "mark" in told:
        mark(told["mark"])
    match told.get("do"):
        case "sleep":
            time.sleep(told["seconds"])
        case "boom":
            raise ValueError("the handler's own")
        case "refuse":
            raise HTTPException(status_code=418, detail="no coffee here")
        case "function":
            return lambda: None
        case "die":
            os._exit(3)
        case "left":
            return remaining()
        case "when":
            began = time.monotonic()
            time.sleep(told["seconds"])
            return began, time.monotonic()
        case _:
            pass
    return os.getpid()


def reads(kind: type | None) -> Callable[[Method], Method]:
    """Say what `request` is: LitServe does not resolve annotations that are strings, as those here are."""

    def annotate(method: Method) -> Method:
        method.__annotations__ = {} if kind is None else {"request": kind}
        return method

    return annotate


class Marker(ls.Logger):  # type: ignore[misc]  # litserve ships no types
    """What an API logs becomes a mark."""

    def process(self, key: str, value: Any) -> None:
        mark(f"logged-{key}-{value}")


class Plain(ls.LitAPI):  # type: ignore[misc]  # litserve ships no types
    """One request, one answer; encoding uses what `setup` has made."""

    def setup(self, device: str) -> None:
        mark(f"setup-{os.getpid()}")
        self.name = f"model on {device}"

    def decode_request(self, request: dict[str, Any]) -> Any:
        return {**request, "name": self.name}

    def predict(self, x: Any) -> Any:
        return work(x), x["name"], self.device

    def encode_response(self, output: Any) -> Any:
        answer, name, device = output
        return {"answer": answer, "name": name, "device": device, "mine": self.name == name}


class Untyped(Plain):
    """The same, whose payload LitServe reads from the request by itself."""

    @reads(None)
    def decode_request(self, request: Any, context: Any) -> Any:  # type: ignore[override]
        context["seen"] = True
        return {**request, "name": self.name}

    def predict(self, x: Any, context: dict[str, Any]) -> Any:  # type: ignore[override]
        assert context["seen"]
        return super().predict(x)


class Logging(Untyped):
    """The same, which logs to LitServe's own process for that."""

    def setup(self, device: str) -> None:
        super().setup(device)
        self.log("setup", os.getpid())

    def predict(self, x: Any, context: dict[str, Any]) -> Any:  # type: ignore[override]
        if "log" in x:
            self.log("predict", x["log"])
        return super().predict(x, context)


class Order(BaseModel):
    """A payload that FastAPI checks."""

    do: str = "echo"
    seconds: float = 0.0


class Typed(Plain):
    """A payload with a type of its own."""

    @reads(Order)
    def decode_request(self, request: Order) -> Any:  # type: ignore[override]
        return {**request.model_dump(), "name": self.name}


class Batched(ls.LitAPI):  # type: ignore[misc]  # litserve ships no types
    """Several requests at once."""

    @reads(None)
    def decode_request(self, request: Any, context: Any) -> Any:
        context["tag"] = request.get("tag")
        return request

    def batch(self, inputs: list[Any], context: list[Any]) -> Any:
        assert len(inputs) == len(context)
        return tuple(inputs)

    def predict(self, x: Any) -> Any:
        size = len(x)
        return [(work(told), size) for told in x][: -1 if x[0].get("do") == "lose" else size]

    def unbatch(self, output: Any) -> Any:
        return list(output)

    def encode_response(self, output: Any, context: dict[str, Any]) -> Any:
        return {"answer": output[0], "size": output[1], "tag": context["tag"]}


def pauses(told: dict[str, Any]) -> list[float]:
    """Return how long to wait before each item."""
    told_pauses: list[float] = told.get("pauses", [0, 0, 0])
    return told_pauses


class Stream(ls.LitAPI):  # type: ignore[misc]  # litserve ships no types
    """One request, several items."""

    def predict(self, x: Any) -> Iterator[Any]:
        work(x)
        for number, pause in enumerate(pauses(x)):
            time.sleep(pause)
            yield number

    def encode_response(self, output: Iterator[Any]) -> Iterator[Any]:
        for item in output:
            yield {"item": item}


class BatchedStream(ls.LitAPI):  # type: ignore[misc]  # litserve ships no types
    """Several requests, several items for each."""

    def predict(self, x: Any) -> Iterator[Any]:
        for told in x:
            work(told)
        for number, pause in enumerate(pauses(x[0])):
            time.sleep(pause)
            yield [(number, len(x))] * len(x)

    def unbatch(self, output: Iterator[Any]) -> Iterator[Any]:
        yield from output

    def encode_response(self, output: Iterator[Any]) -> Iterator[Any]:
        for items in output:
            yield [{"item": item, "size": size} for item, size in items]


class Async(ls.LitAPI):  # type: ignore[misc]  # litserve ships no types
    """A coroutine."""

    @reads(None)
    async def decode_request(self, request: Any) -> Any:
        return request

    async def predict(self, x: Any) -> Any:
        if x.get("do") == "sleep":
            try:
                await asyncio.sleep(x["seconds"])
            except asyncio.CancelledError:
                mark(x.get("cancelled", "cancelled"))
                raise
            return os.getpid()
        return work(x)

    async def encode_response(self, output: Any) -> Any:
        return {"answer": output}


class AsyncStream(ls.LitAPI):  # type: ignore[misc]  # litserve ships no types
    """An asynchronous generator."""

    @reads(None)
    async def decode_request(self, request: Any) -> Any:
        return request

    async def predict(self, x: Any) -> AsyncIterator[Any]:
        for number, pause in enumerate(pauses(x)):
            await asyncio.sleep(pause)
            yield number

    async def encode_response(self, output: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for item in output:
            yield {"item": item}


class Chat(ls.LitAPI):  # type: ignore[misc]  # litserve ships no types
    """The OpenAI protocol."""

    def predict(self, x: Any) -> Iterator[str]:
        said = x.messages[0].content
        if said == "hang":
            time.sleep(FOREVER)
        for word in said.split():
            yield word
            if word == "stop":
                time.sleep(FOREVER)


class Failing(ls.LitAPI):  # type: ignore[misc]  # litserve ships no types
    """A model that cannot be loaded."""

    def setup(self, device: str) -> None:
        raise FileNotFoundError("weights.bin")


class Endless(ls.LitAPI):  # type: ignore[misc]  # litserve ships no types
    """A model that is never loaded."""

    def setup(self, device: str) -> None:
        time.sleep(FOREVER)


def whole() -> ls.LitServer:
    """Serve each kind that answers at once, at a path of its own."""
    apis = [
        Untyped(api_path="/plain"),
        Typed(api_path="/typed"),
        Batched(api_path="/batched", max_batch_size=4, batch_timeout=0.05),
        Async(api_path="/async", enable_async=True),
    ]
    server = ls.LitServer(apis, accelerator="cpu", timeout=False)
    limits = GatewayTimeout(1.5) | QueueTimeout(0.5) | ExecutionTimeout(1)
    return limits.apply(server, statuses=AS_LITSERVE, budgets=BUDGETS)


def streams() -> ls.LitServer:
    """Serve each kind that answers item by item, at a path of its own, beside one that does not."""
    apis = [
        Stream(api_path="/stream", stream=True),
        BatchedStream(api_path="/streams", stream=True, max_batch_size=2, batch_timeout=0.05),
        AsyncStream(api_path="/astream", stream=True, enable_async=True),
        Chat(spec=ls.OpenAISpec()),
        Untyped(api_path="/plain"),
    ]
    server = ls.LitServer(apis, accelerator="cpu", timeout=False)
    limits = GatewayTimeout(20) | FirstItemTimeout(1) | IdleTimeout(0.5)
    return limits.apply(server, routes={"/plain": ExecutionTimeout(1)})


def pair() -> ls.LitServer:
    """Serve with two workers, two API servers, and a spare."""
    server = ls.LitServer(Logging(), accelerator="cpu", workers_per_device=2, loggers=Marker())
    limits = GatewayTimeout(20) | QueueTimeout(1) | ExecutionTimeout(5)
    return limits.apply(server, capacity=4, spares=1, preload=True)


def short() -> ls.LitServer:
    """Serve with one worker, and a limit on its work."""
    server = ls.LitServer(Untyped(), accelerator="cpu", fast_queue=True)
    return ExecutionTimeout(1).apply(server, spares=1)


def timed(**options: Any) -> Callable[[], ls.LitServer]:
    """Return a server like those in which LitServe's own `timeout=1` is told too late, or never."""

    def make() -> ls.LitServer:
        kind = {
            (False, False): Untyped,
            (False, True): Batched,
            (True, False): Stream,
            (True, True): BatchedStream,
        }[options.get("stream", False), "max_batch_size" in options]
        server = ls.LitServer(kind(**options), accelerator="cpu", timeout=False)
        return QueueTimeout(1).apply(server, statuses=AS_LITSERVE)

    return make


def alone() -> ls.LitServer:
    """Serve an API that has limits, and no front half."""
    api = ExecutionTimeout(1).apply(Untyped(), spares=1)
    return ls.LitServer(api, accelerator="cpu")


def failing() -> ls.LitServer:
    """Serve a model that cannot be loaded, beside one that is still being loaded."""
    server = ls.LitServer([Failing(api_path="/failing"), Endless()], accelerator="cpu")
    return GatewayTimeout(1).apply(server)


def endless() -> ls.LitServer:
    """Serve a model that is never loaded."""
    server = ls.LitServer(Endless(), accelerator="cpu")
    return GatewayTimeout(1).apply(server, startup_timeout=1)


SERVERS = {
    "whole": whole,
    "streams": streams,
    "pair": pair,
    "single": timed(),
    "batched": timed(max_batch_size=2, batch_timeout=0.05),
    "streaming": timed(stream=True),
    "batched-streaming": timed(stream=True, max_batch_size=2, batch_timeout=0.05),
    "short": short,
    "alone": alone,
    "failing": failing,
    "endless": endless,
}

if __name__ == "__main__":
    name, port, api_servers = sys.argv[1:]
    SERVERS[name]().run(
        host="127.0.0.1",
        port=int(port),
        num_api_servers=int(api_servers),
        generate_client_file=False,
    )
