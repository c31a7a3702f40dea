"""A connection is bounded where uvicorn leaves it unbounded; on virtual time, with a transport of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from timeouts.serve.connection import MAX_HEAD, Connection
from timeouts.testing import run_virtual

GET = b"GET /live HTTP/1.1\r\nHost: a\r\n\r\n"


class Transport(asyncio.Transport):
    """Holds what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.ended: tuple[str, float] | None = None

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.ended is not None

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def close(self) -> None:
        self._end("closed")

    def abort(self) -> None:
        self._end("cut off")

    def _end(self, how: str) -> None:
        if self.ended is None or how == "cut off":
            self.ended = (how, asyncio.get_running_loop().time())


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer after the seconds that the path names."""
    await asyncio.sleep(float(scope["path"].strip("/") or 0))
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
    )
    await send({"type": "http.response.body", "body": b"ok"})


class Bench:
    """A connection with a silence of 10 s and a write limit of 7 s."""

    def __init__(self) -> None:
        config = uvicorn.Config(application, log_config=None, lifespan="off")
        self.connection = Connection(
            config=config,
            server_state=ServerState(),
            app_state={},
            _loop=asyncio.get_running_loop(),
            request_timeout=10,
            write_timeout=7,
        )
        self.transport = Transport()
        self.connection.connection_made(self.transport)

    def send(self, data: bytes) -> None:
        self.connection.data_received(data)

    @property
    def ended(self) -> tuple[str, float] | None:
        return self.transport.ended


def play(scenario: Callable[[Bench], Awaitable[None]]) -> None:
    async def main() -> None:
        bench = Bench()
        try:
            await scenario(bench)
        finally:
            bench.connection.connection_lost(None)
        assert bench.connection._silence is None or bench.connection._silence.cancelled()
        assert bench.connection._stuck is None

    run_virtual(main())


def get(seconds: float) -> bytes:
    return GET.replace(b"/live", b"/%g" % seconds)


def test_who_says_nothing_is_let_go() -> None:
    async def scenario(bench: Bench) -> None:
        await asyncio.sleep(50)
        assert bench.ended == ("cut off", 10)

    play(scenario)


def test_half_a_head_does_not_buy_more_time() -> None:
    async def scenario(bench: Bench) -> None:
        for byte in GET[:-1]:
            bench.send(bytes([byte]))
            await asyncio.sleep(0.4)
        assert bench.ended == ("cut off", 10)

    play(scenario)


def test_a_long_answer_is_no_silence() -> None:
    async def scenario(bench: Bench) -> None:
        await asyncio.sleep(9)
        bench.send(get(50))
        await asyncio.sleep(51)
        assert bench.ended is None
        assert bench.transport.written.endswith(b"ok")
        await asyncio.sleep(5)
        assert bench.ended == ("closed", 64), "uvicorn's own time for an idle connection"

    play(scenario)


def test_after_an_answer_the_next_head_has_a_time_of_its_own() -> None:
    async def scenario(bench: Bench) -> None:
        bench.send(get(1))
        await asyncio.sleep(4)
        bench.send(GET[:5])
        await asyncio.sleep(50)
        assert bench.ended == ("cut off", 14)

    play(scenario)


def test_a_head_has_a_size() -> None:
    async def scenario(bench: Bench) -> None:
        bench.send(GET[:-2])
        for _ in range(MAX_HEAD // 1000 + 2):
            bench.send(b"X: " + b"a" * 995 + b"\r\n")
        assert bench.ended == ("cut off", 0)

    play(scenario)


def test_a_body_is_no_head_whatever_its_size() -> None:
    async def scenario(bench: Bench) -> None:
        bench.send(b"POST /5 HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
        for _ in range(10):
            bench.send(b"x" * 100_000)
        await asyncio.sleep(6)
        assert bench.ended is None
        assert bench.transport.written.endswith(b"ok")

    play(scenario)


def test_who_takes_nothing_is_cut_off() -> None:
    async def scenario(bench: Bench) -> None:
        bench.send(get(0))
        await asyncio.sleep(1)
        bench.connection.pause_writing()
        await asyncio.sleep(4)
        bench.connection.resume_writing()
        bench.send(get(30))
        await asyncio.sleep(1)
        bench.connection.pause_writing()
        await asyncio.sleep(40)
        assert bench.ended == ("cut off", 13)

    play(scenario)


def test_a_closing_connection_does_not_wait_for_its_reader_for_ever() -> None:
    async def scenario(bench: Bench) -> None:
        bench.send(get(1).replace(b"Host: a", b"Host: a\r\nConnection: close"))
        await asyncio.sleep(2)
        assert bench.ended == ("closed", 1)
        await asyncio.sleep(20)
        assert bench.ended == ("cut off", 8)

    play(scenario)
