"""Events are plain data, in the words of the books."""

from __future__ import annotations

import gc
import json
import weakref
from collections import Counter
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.observe.traffic import Request, play, requests
from timeouts import Job, Observer, QueueTimeout, Server
from timeouts.observe import EventStream
from timeouts.observe.events import (
    Answered,
    Arrived,
    Event,
    Killed,
    Late,
    Respawned,
    Started,
)
from timeouts.observe.observer import HOOKS, Announcer
from timeouts.testing import ManualClock


def told(*script: Request, **options: Any) -> list[Event]:
    """Play a script and return its events."""
    events: list[Event] = []
    play(list(script), [EventStream(events.append)], **options)
    return events


@given(st.lists(requests, max_size=12), st.none() | st.integers(0, 12))
def test_the_events_are_the_books(script: list[Request], closes: int | None) -> None:
    """Each job arrives once and is answered once; the outcomes are those of `stats()`."""
    events: list[Event] = []

    def look(server: Server) -> None:
        stats = server.stats()
        kinds = Counter(type(event) for event in events)
        outcomes = Counter(event.outcome for event in events if isinstance(event, Answered))
        assert kinds[Arrived] == stats.arrived
        assert outcomes == stats.outcomes
        on = sum(isinstance(e, Answered) and e.work == "still running" for e in events)
        assert on - kinds[Late] == stats.abandoned

    play(script, [EventStream(events.append)], closes=closes, look=look)
    arrived = [event.job for event in events if isinstance(event, Arrived)]
    assert len(set(arrived)) == len(arrived)


@given(st.lists(requests, max_size=8))
def test_every_event_can_be_sent_as_json(script: list[Request]) -> None:
    """Infinity, which JSON does not have, is never among them."""
    for event in told(*script):
        assert json.loads(json.dumps(asdict(event), allow_nan=False)) == asdict(event)


def test_the_life_of_a_job_that_is_in_time() -> None:
    """It waits for 2 s behind another and runs for 3."""
    assert told(Request(takes=2), Request(takes=3, budget=9), slots=1)[3:] == [
        Answered(2, 1, "completed", "none", None, 2, 2, None, "done"),
        Started(2, 2, 2),
        Answered(5, 2, "completed", "none", None, 5, 3, None, "done"),
    ]


def test_the_life_of_a_job_that_expires_and_runs_on() -> None:
    """The limit is 7 s; told to stop, it takes 2 s more."""
    assert told(Request(takes=99, stubborn=2, budget=8)) == [
        Arrived(0, 1, 8),
        Started(0, 1, 0),
        Answered(7, 1, "execution_timeout", "ExecutionTimeout", 7, 7, 7, 0, "still running"),
        Late(9, 1, "stopped", 9, "CancelledError"),
    ]


def test_a_job_that_is_refused_has_a_bound_for_a_limit() -> None:
    """It has never started, and has no lateness: nothing was promised for an instant."""
    last = told(Request(takes=5), Request(), Request(), slots=1, capacity=1)[-1]
    full = [e for e in told(Request(), Request(), slots=1, capacity=0) if isinstance(e, Answered)]
    assert isinstance(last, Answered)
    assert full[0] == Answered(0, 2, "queue_full", "none", 0, 0, None, None, "never started")


def test_processes() -> None:
    """Their numbers are passed on."""
    events: list[Event] = []
    stream = EventStream(events.append)
    stream.killed(Job(7), 4711, "killed by SIGKILL", 0.25, 9.0)
    stream.respawned(0, 4712, 1.5, 10.5)
    assert events == [
        Killed(9.0, 7, 4711, "killed by SIGKILL", 0.25),
        Respawned(10.5, 0, 4712, 1.5),
    ]


def test_an_event_keeps_nothing_alive() -> None:
    """Neither the arguments of the job nor its result."""

    class Big:
        """Something that can be referred to weakly."""

    events: list[Event] = []
    with Server(lambda big: big, observers=[EventStream(events.append)]) as server:
        big = Big()
        gone = weakref.ref(big)
        server.call(big)
        del big
    gc.collect()
    assert len(events) == 3
    assert gone() is None


def test_events_are_frozen() -> None:
    """Many may be given the same one."""
    with pytest.raises(AttributeError):
        Arrived(0, 1, None).now = 1  # type: ignore[misc]


def test_a_callback_must_be_one() -> None:
    """At construction, not at the first event."""
    with pytest.raises(TypeError, match="callback must take an event; got 7"):
        EventStream(7)  # type: ignore[arg-type]


# Hooks.


def test_a_hook_that_nobody_overrides_costs_nothing() -> None:
    """There is not even something to call."""
    announcer = Announcer([Observer()])
    assert [getattr(announcer, hook) for hook in HOOKS] == [None] * len(HOOKS)


def test_each_hook_is_announced_under_its_own_name() -> None:
    """They are told apart although they are unpacked by position."""
    for hook in HOOKS:
        calls: list[Any] = []
        cls = type("One", (Observer,), {hook: lambda _, *facts, calls=calls: calls.append(facts)})
        announcer = Announcer([cls()])
        assert [name for name in HOOKS if getattr(announcer, name) is not None] == [hook]
        getattr(announcer, hook)("fact")
        assert calls == [("fact",)]


def test_an_observer_is_told_of_its_server_before_all_else() -> None:
    """Once for each; it may read the books."""
    seen: list[Any] = []

    class Opened(Observer):
        def opened(self, server: Server) -> None:
            seen.append((server, server.stats().arrived))

    server = Server(lambda: None, QueueTimeout(1), clock=ManualClock(), observers=[Opened()])
    assert seen == [(server, 0)]
    server.close()
