"""What the ASGI middleware adds to an application: one called directly, and one inside `Timeouts`.

Nothing but the application and the middleware: no server, no socket, `receive` and `send` in memory. The
request has a small body, the answer too, and there are limits of all three kinds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableMapping
from typing import Any

from measure import Subject, is_quick, per_operation, print_costs, print_header, take_turns
from timeouts import ExecutionTimeout, GatewayTimeout, QueueTimeout
from timeouts.adapters.asgi import Timeouts

LIMITS = GatewayTimeout(30) | QueueTimeout(5) | ExecutionTimeout(10)
OWN_COST = "its own cost"
Message = MutableMapping[str, Any]

SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.4"},
    "http_version": "1.1",
    "method": "POST",
    "scheme": "http",
    "path": "/predict",
    "raw_path": b"/predict",
    "query_string": b"",
    "root_path": "",
    "headers": [
        (b"host", b"localhost"),
        (b"content-type", b"application/json"),
        (b"content-length", b"10"),
    ],
}
REQUEST = {"type": "http.request", "body": b'{"x": 3.0}', "more_body": False}
HEAD = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]}
BODY = {"type": "http.response.body", "body": b"9.0"}


async def bare(scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG001 - as ASGI calls it
    """Read the request and answer it."""
    await receive()
    await send(dict(HEAD))
    await send(dict(BODY))


class Exchange:
    """The server's side of requests: each is here at once, and its answer is only counted."""

    def __init__(self) -> None:
        self.answered = 0
        self._asked = False

    async def receive(self) -> Message:
        """Give the body; after that, as a server does, nothing until the client leaves."""
        if self._asked:
            await asyncio.get_running_loop().create_future()
        self._asked = True
        return dict(REQUEST)

    async def send(self, message: Message) -> None:
        """Count what is the end of an answer."""
        if message["type"] == "http.response.body":
            self.answered += 1


def on(runner: asyncio.Runner, app: Any, count: int) -> Subject:
    """Make a subject of requests one after the other."""

    async def requests(count: int) -> None:
        answered = 0
        for _ in range(count):
            exchange = Exchange()
            await app(dict(SCOPE), exchange.receive, exchange.send)
            answered += exchange.answered
        assert answered == count

    return per_operation(lambda count: runner.run(requests(count)), count)


def measure(loop: Callable[[], asyncio.AbstractEventLoop] | None, *, quick: bool) -> None:
    """Print the table for one kind of event loop."""
    count, rounds = (10, 1) if quick else (800, 60)
    with asyncio.Runner(loop_factory=loop) as runner:
        seconds = take_turns(
            {
                "bare": on(runner, bare, count),
                "Timeouts": on(runner, Timeouts(bare, LIMITS), count),
            },
            rounds,
        )
    pairs = zip(seconds["Timeouts"], seconds["bare"], strict=True)
    seconds[OWN_COST] = [inside - outside for inside, outside in pairs]
    print_costs(seconds, most_micros={OWN_COST: 25})


def main() -> None:
    quick = is_quick(__doc__)
    print_header("an ASGI application, three policies around it")
    print("asyncio")
    measure(None, quick=quick)
    try:
        from uvloop import new_event_loop
    except ModuleNotFoundError:
        print("uvloop is not installed: asyncio only")
        return
    print("uvloop")
    measure(new_event_loop, quick=quick)


if __name__ == "__main__":
    main()
