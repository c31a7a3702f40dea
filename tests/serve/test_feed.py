"""Frames are JSON, made once for all who look; events end by themselves. Time is virtual, and there is no socket."""

from __future__ import annotations

import asyncio
import json
import math
from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.applications import Starlette

from tests.adapters.asgi_harness import Wire
from timeouts import ExecutionTimeout, QueueTimeout, Server
from timeouts.policy import Policy
from timeouts.serve.feed import INTERVAL, WINDOW, Feed, Rates
from timeouts.serve.gateway import Gateway
from timeouts.serve.live import FILES, PATIENCE, VIEWERS, Events, live_page
from timeouts.serve.sampler import Sampler
from timeouts.testing import VirtualLoop, run_virtual


class House:
    """One route on the virtual loop, its feed, and who looks."""

    def __init__(self) -> None:
        self.sampler = Sampler()
        clock = VirtualLoop.running().clock
        limits = QueueTimeout(5) | ExecutionTimeout(10)
        self.server = Server(
            asyncio.sleep, limits, slots=1, capacity=1, clock=clock, observers=[self.sampler]
        )
        named = SimpleNamespace(target=SimpleNamespace(name="model:predict"))
        self.gateway = SimpleNamespace(
            draining=False,
            servers={"/predict": self.server},
            endpoints={"/predict": SimpleNamespace(server=self.server, served=named)},
        )
        samplers = {"/predict": self.sampler}
        self.feed = Feed(cast("Gateway", self.gateway), samplers, clock)
        self.events = Events(self.feed)
        self.tasks: list[asyncio.Task[Any]] = []

    def frame(self) -> Any:
        return json.loads(self.feed.frame())["routes"]["/predict"]

    def ask(self, seconds: float) -> None:
        self.tasks.append(asyncio.create_task(self.server.acall(seconds)))

    def view(self, **options: Any) -> Wire:
        wire = Wire(method="GET", **options)
        self.tasks.append(asyncio.create_task(wire.serve(self.events)))
        return wire

    async def end(self) -> None:
        """Close the server and leave."""
        await self.server.aclose()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def frames(wire: Wire) -> list[Any]:
    """Return the frames that a viewer has been sent."""
    events = wire.body.decode().split("\n\n")
    assert events.pop() == ""
    return [json.loads(event.removeprefix("data: ")) for event in events]


def test_a_frame_has_the_books_the_limits_and_the_jobs() -> None:
    async def main() -> None:
        house = House()
        with house.feed.watched():
            for seconds in (30, 1, 1):
                house.ask(seconds)
            await asyncio.sleep(1)
            frame = house.frame()
        assert frame["books"] == json.loads(json.dumps(house.server.stats()._asdict()))
        assert (frame["handler"], frame["stop_mode"], frame["capacity"]) == (
            "model:predict",
            "cancel",
            1,
        )
        assert [(one["rule"], one["interval"]) for one in frame["limits"]] == [
            ("QueueTimeout(5)", "waiting time"),
            ("ExecutionTimeout(10)", "service time"),
        ]
        assert frame["kinds"]["queue_full"] == "refused"
        assert [job["outcome"] for job in frame["jobs"]] == ["", "", "queue_full"]
        await house.end()

    run_virtual(main())


def test_limits_are_those_that_are_in_force_now() -> None:
    async def main() -> None:
        house = House()
        house.server.relimit(ExecutionTimeout(3), capacity=7)
        frame = house.frame()
        assert [one["rule"] for one in frame["limits"]] == ["ExecutionTimeout(3)"]
        assert frame["capacity"] == 7
        await house.end()

    run_virtual(main())


def test_what_has_no_bound_is_null() -> None:
    """JSON has no infinity."""

    async def main() -> None:
        house = House()
        house.server.relimit(cast("Policy", None), capacity=math.inf)
        assert house.frame()["capacity"] is None
        await house.end()

    run_virtual(main())


def test_a_frame_is_made_once_for_all() -> None:
    async def main() -> None:
        house = House()
        first = house.feed.frame()
        await asyncio.sleep(INTERVAL * 0.9)
        assert house.feed.frame() is first
        await asyncio.sleep(INTERVAL * 0.2)
        assert house.feed.frame() is not first
        await house.end()

    run_virtual(main())


def test_jobs_are_looked_at_only_while_somebody_looks() -> None:
    async def main() -> None:
        house = House()
        with house.feed.watched():
            with house.feed.watched():
                house.ask(1)
                await asyncio.sleep(0.5)
            assert len(house.frame()["jobs"]) == 1  # one of two has left
        assert house.frame()["jobs"] == []
        assert not house.sampler.looking
        await house.end()

    run_virtual(main())


def test_events_come_until_the_viewer_leaves() -> None:
    async def main() -> None:
        house = House()
        wire = house.view()
        await asyncio.sleep(10 * INTERVAL)
        assert house.feed.viewers == 1
        assert 9 <= len(frames(wire)) <= 12
        assert wire.headers["content-type"].startswith("text/event-stream")
        wire.leave()
        await asyncio.sleep(INTERVAL)
        assert wire.raised is None
        assert wire.ended is not None
        assert house.feed.viewers == 0
        await house.end()

    run_virtual(main())


def test_events_end_with_the_last_job_of_a_drain() -> None:
    """A drain can be watched; its end is not held up by who does."""

    async def main() -> None:
        house = House()
        wire = house.view()
        house.ask(4)
        await asyncio.sleep(1)
        house.gateway.draining = True
        await house.server.adrain(30)
        drained = VirtualLoop.running().time()
        assert drained == pytest.approx(4)
        await asyncio.sleep(2 * INTERVAL)
        assert wire.complete
        assert wire.ended is not None
        assert drained <= wire.ended <= drained + 2 * INTERVAL
        assert frames(wire)[-1]["draining"]
        assert house.feed.viewers == 0
        await house.end()

    run_virtual(main())


def test_events_end_when_the_server_is_closed() -> None:
    async def main() -> None:
        house = House()
        wire = house.view()
        house.ask(40)
        await asyncio.sleep(1)
        house.server.close()
        await asyncio.sleep(2 * INTERVAL)
        assert wire.complete
        await house.end()

    run_virtual(main())


def test_one_viewer_too_many_is_told_so() -> None:
    async def main() -> None:
        house = House()
        many = [house.view() for _ in range(VIEWERS)]
        await asyncio.sleep(INTERVAL)
        refused = house.view()
        await asyncio.sleep(INTERVAL)
        assert refused.status == 503
        assert refused.problem["detail"] == f"{VIEWERS} look already, and no more may"
        assert refused.headers["retry-after"] == "5"
        many[0].leave()
        await asyncio.sleep(INTERVAL)
        assert house.feed.viewers == VIEWERS - 1
        welcome = house.view()
        await asyncio.sleep(INTERVAL)
        assert welcome.status == 200
        await house.end()

    run_virtual(main())


def test_who_does_not_read_loses_his_place() -> None:
    async def main() -> None:
        house = House()
        wire = house.view(reads=False)
        await asyncio.sleep(PATIENCE - 0.5)
        assert house.feed.viewers == 1
        await asyncio.sleep(1)
        assert house.feed.viewers == 0
        assert wire.raised is None
        await house.end()

    run_virtual(main())


def test_rates_are_of_the_last_seconds() -> None:
    rates = Rates()
    assert rates.at(0, {"arrived": 5}) == {}
    assert rates.at(1, {"arrived": 15, "failed": 2}) == {"arrived": 10, "failed": 2}
    assert rates.at(WINDOW, {"arrived": 15, "failed": 2}) == {"arrived": 5, "failed": 1}
    assert rates.at(WINDOW + 1, {"arrived": 15, "failed": 2}) == {"arrived": 0, "failed": 0}
    assert rates.at(WINDOW + 50, {"arrived": 99}) == {}


async def _get(app: Starlette, path: str) -> Wire:
    return await Wire(path=path, method="GET").serve(app)


def test_the_page_comes_from_the_package_and_allows_no_other_host() -> None:
    async def main() -> None:
        house = House()
        app = Starlette(
            routes=live_page(cast("Gateway", house.gateway), {"/predict": house.sampler})
        )
        for name, media in FILES.items():
            path = "/" if name == "index.html" else f"/page/{name}"
            wire = await _get(app, path)
            assert wire.status == 200
            assert wire.headers["content-type"].startswith(media)
            assert wire.headers["content-security-policy"].startswith("default-src 'self';")
            assert b"http://" not in wire.body.replace(b"http://www.w3.org/2000/svg", b"")
            assert b"https://" not in wire.body
        assert (await _get(app, "/page/../feed.py")).status == 404
        await house.end()

    run_virtual(main())
