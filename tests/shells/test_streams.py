"""Streams on every kind of bench: items, gaps, early ends, and who is to blame for a pause."""

from __future__ import annotations

import pytest

from tests.shells.bench import END, Bench, Boom
from tests.shells.recorder import error_of
from timeouts import (
    ExecutionTimeout,
    ExecutionTimeoutError,
    FirstItemTimeout,
    FirstItemTimeoutError,
    GatewayTimeout,
    IdleTimeout,
    IdleTimeoutError,
    QueueTimeout,
    QueueTimeoutError,
    ServerClosed,
    ShuttingDown,
    Withdrawn,
    remaining,
)

Benches = type[Bench]


def test_items_come_as_they_are_asked_for(unlimited_bench: Benches) -> None:
    """Nothing happens before the first request, and nothing is produced ahead."""

    async def scenario(bench: Bench) -> None:
        script = bench.script(1, None, [3])
        items = bench.consumer(script)
        assert bench.server.stats().arrived == 0
        assert await items.next() == 1
        assert script.given == 1
        assert bench.books() == (0, 1, 0)
        assert await items.next() is None
        assert script.given == 2
        assert await items.next() == [3]
        assert await items.next() is END
        assert script.closed
        assert bench.outcomes() == {"completed": 1}
        assert await items.next() is END

    unlimited_bench.play(scenario, None, stream=True)


def test_a_stream_may_be_empty(unlimited_bench: Benches) -> None:
    """No item is an outcome too."""

    async def scenario(bench: Bench) -> None:
        assert await bench.consumer(bench.script()).next() is END
        assert bench.outcomes() == {"completed": 1}

    unlimited_bench.play(scenario, None, stream=True)


def test_a_generators_return_value_arrives(bench: Benches) -> None:
    """A sync generator's consumer finds it in StopIteration, as ever."""
    if not bench.sync_streams:
        return

    async def scenario(bench: Bench) -> None:
        items = bench.consumer(bench.script(1, returns="the end"))
        assert await items.next() == 1
        assert await items.next() == (END, "the end")

    bench.play(scenario, None, stream=True)


@pytest.mark.parametrize("items_before", [0, 2])
def test_an_error_midway_arrives_as_itself(unlimited_bench: Benches, items_before: int) -> None:
    """After the items that came before it, with its traceback, and the slot is free."""
    boom = Boom()

    async def scenario(bench: Bench) -> None:
        items = bench.consumer(bench.script(*range(items_before), boom))
        assert [await items.next() for _ in range(items_before)] == list(range(items_before))
        got = await items.ask().outcome()
        assert bench.is_same(got, boom)
        assert bench.raised_by(got) == "predict"
        assert bench.outcomes() == {"failed": 1}
        assert bench.books() == (0, 0, 0)

    unlimited_bench.play(scenario, None, stream=True)


def test_an_early_close_stops_the_generator(unlimited_bench: Benches) -> None:
    """The generator's `finally` runs, the slot is free for the next stream, the outcome is told."""

    async def scenario(bench: Bench) -> None:
        script = bench.script(1, 2, 3)
        items = bench.consumer(script)
        assert await items.next() == 1
        await items.close()
        await bench.heard("late", 1)
        assert script.closed
        assert script.given == 1
        (fact,) = bench.recorder.of("answered")
        assert type(error_of(fact)) is Withdrawn
        following = bench.consumer(bench.script("next"))
        assert await following.next() == "next"
        assert await following.next() is END

    unlimited_bench.play(scenario, None, stream=True)


def test_a_consumer_may_close_before_it_begins(unlimited_bench: Benches) -> None:
    """Then no job has arrived at all."""

    async def scenario(bench: Bench) -> None:
        await bench.consumer(bench.script(1)).close()
        assert bench.server.stats().arrived == 0

    unlimited_bench.play(scenario, None, stream=True)


def test_a_stream_waits_in_the_queue_like_any_job(bench: Benches) -> None:
    """Behind another stream that holds the slot, it expires on time and never starts."""

    async def scenario(bench: Bench) -> None:
        first = bench.consumer(bench.script(1, 2))
        assert await first.next() == 1
        waiting = bench.consumer(bench.script("never")).ask()
        await bench.heard("arrived", 2)
        await bench.at(5)
        assert (await waiting.error(QueueTimeoutError)).elapsed == 5
        assert await first.next() == 2
        assert await first.next() is END
        assert len(bench.recorder.of("started")) == 1

    bench.play(scenario, QueueTimeout(5), stream=True)


def test_the_first_item_has_a_limit(bench: Benches) -> None:
    """Counted from arrival, the queue included; once it has come, the limit is gone."""

    async def scenario(bench: Bench) -> None:
        quick = bench.consumer(bench.script(1, 2))
        assert await quick.next() == 1
        late = bench.consumer(bench.script("never")).ask()
        await bench.heard("arrived", 2)
        await bench.at(5)
        assert (await late.error(FirstItemTimeoutError)).started is False
        await bench.at(100)
        assert await quick.next() == 2
        assert await quick.next() is END
        hang = bench.hold()
        slow = bench.consumer(bench.script(hang)).ask()
        await bench.heard("arrived", 3)
        await bench.begun(hang)
        await bench.at(105)
        error = await slow.error(FirstItemTimeoutError)
        assert (error.elapsed, error.started) == (5, True)
        hang.release()
        await bench.heard("late", 1)

    bench.play(scenario, FirstItemTimeout(5), stream=True)


def test_a_gap_between_items_has_a_limit(bench: Benches) -> None:
    """Counted from when the item was asked for, at 50; the first item is no gap."""

    async def scenario(bench: Bench) -> None:
        first_hold, hang = bench.hold("first"), bench.hold()
        items = bench.consumer(bench.script(first_hold, 2, hang))
        first = items.ask()
        await bench.heard("arrived", 1)
        await bench.begun(first_hold)
        await bench.at(20)
        first_hold.release()
        assert await first.value() == "first"
        await bench.at(50)
        assert await items.next() == 2
        third = items.ask()
        await bench.begun(hang)
        await bench.at(55)
        error = await third.error(IdleTimeoutError)
        assert (error.elapsed, error.limit) == (5, 5)
        hang.release()
        await bench.heard("late", 1)

    bench.play(scenario, IdleTimeout(5), stream=True)


def test_a_slow_consumer_is_not_the_handlers_fault(bench: Benches) -> None:
    """A thousand seconds between two requests, and the stream goes on."""

    async def scenario(bench: Bench) -> None:
        items = bench.consumer(bench.script(1, 2))
        assert await items.next() == 1
        await bench.at(1000)
        assert await items.next() == 2
        await bench.at(2000)
        assert await items.next() is END
        assert bench.outcomes() == {"completed": 1}

    bench.play(scenario, FirstItemTimeout(9) | IdleTimeout(5), stream=True)


def test_a_paused_stream_expires_and_frees_the_slot(bench: Benches) -> None:
    """Nobody asks, yet at 5 the generator is closed; who asks afterwards is told."""

    async def scenario(bench: Bench) -> None:
        script = bench.script(1, 2)
        items = bench.consumer(script)
        assert await items.next() == 1
        await bench.at(5)
        await bench.heard("late", 1)
        assert script.closed
        assert bench.books() == (0, 0, 0)
        await items.ask().error(ExecutionTimeoutError)
        assert await items.next() is END

    bench.play(scenario, ExecutionTimeout(5) | IdleTimeout(2), stream=True)


def test_a_budget_bounds_a_stream(bench: Benches) -> None:
    """The handler knows what remains of it, at each of its items."""

    async def scenario(bench: Bench) -> None:
        items = bench.consumer(bench.script(remaining, remaining), budget=9)
        assert await items.next() == bench.seconds(9)
        await bench.at(2)
        assert await items.next() == bench.seconds(9 if bench.far else 7)
        assert await items.next() is END

    bench.play(scenario, GatewayTimeout(10), stream=True)


def test_a_handler_knows_what_remains_for_each_item(bench: Benches) -> None:
    """The first item has a limit of its own, and each later one has its gap."""

    async def scenario(bench: Bench) -> None:
        items = bench.consumer(bench.script(remaining, remaining, remaining))
        assert await items.next() == bench.seconds(4)
        await bench.at(2)
        assert await items.next() == bench.seconds(6)
        await bench.at(100)
        assert await items.next() == bench.seconds(6)
        assert await items.next() is END

    bench.play(scenario, FirstItemTimeout(4) | IdleTimeout(6), stream=True)


def test_a_consumer_who_leaves_while_asking_withdraws(bench: Benches) -> None:
    """An interrupt in the middle of a request is the caller's own."""

    async def scenario(bench: Bench) -> None:
        hang = bench.hold()
        items = bench.consumer(bench.script(1, hang))
        assert await items.next() == 1
        asking = items.ask()
        await bench.begun(hang)
        asking.leave()
        await asking.error(bench.left)
        hang.release()
        await bench.heard("late", 1)
        assert bench.outcomes() == {"withdrawn": 1}

    bench.play(scenario, IdleTimeout(5), stream=True)


def test_a_close_ends_streams(bench: Benches) -> None:
    """One paused, one waiting: the one has lost its worker, the other never had any."""

    async def scenario(bench: Bench) -> None:
        script = bench.script(1, 2)
        paused = bench.consumer(script)
        assert await paused.next() == 1
        waiting = bench.consumer(bench.script("never")).ask()
        await bench.heard("arrived", 2)
        bench.server.close()
        await waiting.error(ShuttingDown)
        await paused.ask().error(ServerClosed)
        await bench.heard("late", 1)
        assert script.closed or bench.stop_mode == "kill"

    bench.play(scenario, None, stream=True)
