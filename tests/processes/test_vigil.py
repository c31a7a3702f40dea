"""When a worker stays awake for its next call, on a clock and a channel of the test's own."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeouts.workers.process.child import vigil
from timeouts.workers.process.child.vigil import AWAKE, REST, SOON, TAKEN, Vigil

LOOK = 1e-6


class Channel:
    """A channel that is spoken to at given instants, and the processor that looks at it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.next = 0.0
        self.slept = 0
        self.awake = 0.0
        self.wants: Callable[[], float] = lambda: 0.0

    def poll(self, timeout: float | None = None) -> bool:
        """Look, or sleep until there is something."""
        if timeout == 0:
            self.now += LOOK
            self.awake += LOOK
        elif self.now < self.next:
            self.slept += 1
            self.now = self.next
        return self.now >= self.next

    def give_way(self) -> None:
        """Let others have the processor."""
        self.now += self.wants()


@pytest.fixture
def channel(monkeypatch: pytest.MonkeyPatch) -> Channel:
    return made(monkeypatch)


def made(monkeypatch: pytest.MonkeyPatch) -> Channel:
    channel = Channel()
    monkeypatch.setattr(vigil, "monotonic", lambda: channel.now)
    monkeypatch.setattr(os, "sched_yield", channel.give_way, raising=False)
    return channel


@pytest.fixture
def worker(channel: Channel) -> Iterator[Vigil]:
    yield from watching(channel)


def watching(channel: Channel) -> Iterator[Vigil]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        worker = Vigil(ours)
        worker._poll = channel  # type: ignore[assignment]
        yield worker


def ask(worker: Vigil, channel: Channel, *gaps: float) -> None:
    """Have it wait for calls that come so long after it began to wait."""
    for gap in gaps:
        channel.next = channel.now + gap
        worker.keep()
        assert channel.now >= channel.next, "it returned with nothing to read"


def test_who_is_asked_at_once_stays_awake(worker: Vigil, channel: Channel) -> None:
    ask(worker, channel, 1.0, SOON / 2)
    assert channel.slept == 2
    ask(worker, channel, *[AWAKE / 2] * 10)
    assert channel.slept == 2


def test_who_is_asked_rarely_sleeps(worker: Vigil, channel: Channel) -> None:
    ask(worker, channel, *[SOON * 1.5] * 10)
    assert (channel.slept, channel.awake) == (10, 0.0)


def test_in_vain_it_rests(worker: Vigil, channel: Channel) -> None:
    """One try is enough for a while, and then it tries again."""
    between = (AWAKE + SOON) / 2
    ask(worker, channel, between, between)
    spent = channel.awake
    assert 0 < spent <= AWAKE + 2 * LOOK
    ask(worker, channel, *[between] * int(REST / between / 2))
    assert channel.awake == spent
    ask(worker, channel, *[between] * int(REST / between))
    assert channel.awake > spent


def test_it_gives_way(worker: Vigil, channel: Channel) -> None:
    """Whoever takes the processor for a while has it for longer: the worker sleeps."""
    ask(worker, channel, AWAKE / 2)
    channel.wants = lambda: TAKEN * 1.1
    slept = channel.slept
    ask(worker, channel, TAKEN * 1.5)
    assert channel.slept == slept + 1
    spent = channel.awake
    ask(worker, channel, *[AWAKE / 2] * 10)
    assert channel.awake == spent


def test_where_the_processor_cannot_be_offered_it_sleeps(
    channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_yield")
    for worker in watching(channel):
        ask(worker, channel, *[AWAKE / 2] * 10)
    assert channel.awake == 0.0


@given(st.lists(st.floats(1e-6, 1e-3), min_size=1, max_size=300))
def test_in_vain_it_takes_a_small_share(gaps: list[float]) -> None:
    """However calls come: what was spent awake without being asked is one `AWAKE` for each `REST`, at most."""
    in_vain = 0.0
    with pytest.MonkeyPatch.context() as patch:
        channel = made(patch)
        for worker in watching(channel):
            for gap in gaps:
                before, slept = channel.awake, channel.slept
                ask(worker, channel, gap)
                if channel.slept > slept:
                    in_vain += channel.awake - before
        assert in_vain <= (AWAKE + 2 * LOOK) * (channel.now / REST + 1)
