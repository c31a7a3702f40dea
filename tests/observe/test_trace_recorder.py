"""What is recorded is what happened, and the simulator reads it."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import math
import os
import threading
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.observe.traffic import Request as Asked
from tests.observe.traffic import play
from tests.observe.traffic import requests as asked
from timeouts import ExecutionTimeout, GatewayTimeout, Observer, QueueTimeout, Server, Stack
from timeouts.commands import Late, Reply
from timeouts.core import Core
from timeouts.errors import ExecutionTimeoutError, WorkerLost
from timeouts.job import Job
from timeouts.observe import EventStream, TraceRecorder, trace_file
from timeouts.observe.events import Answered, Arrived
from timeouts.outcome import Outcome
from timeouts.sim import Client, Kill, Request, Trace
from timeouts.sim.books import Books
from timeouts.sim.chance import stream
from timeouts.sim.machine import Machine
from timeouts.testing import ManualClock

Lines = list[dict[str, Any]]


def lines(path: Path) -> Lines:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


# ── the law: recorder → trace → simulator ────────────────────────────────────────────────────────


class Announcing(Core):
    """A core that has a recorder look on, as a shell would."""

    recorder: TraceRecorder


def _announcing(name: str) -> Callable[..., Any]:
    def fed(self: Announcing, *args: Any, **options: Any) -> Any:
        out = getattr(Core, name)(self, *args, **options)
        for command in out:
            if isinstance(command, Reply):
                self.recorder.answered(command.job, command.outcome, self._now)
            elif isinstance(command, Late):
                self.recorder.late(command.job, command.outcome, self._now)
        return out

    return fed


for _name in ("arrive", "finish", "withdraw", "tick", "enlist", "recovered"):
    setattr(Announcing, _name, _announcing(_name))

STOPS = [("cancel", "cancel"), ("abandon", "abandon"), (Kill(2), "kill")]
seconds = st.integers(1, 9)
wishes = st.lists(
    st.tuples(st.integers(1, 4), st.integers(0, 12), st.none() | st.integers(1, 9)),
    min_size=2,
    max_size=25,
)
stacks = st.builds(
    lambda gateway, queue, execution: Stack(*filter(None, (gateway, queue, execution))),
    st.none() | st.builds(GatewayTimeout, seconds, reserve=st.just(0)),
    st.none() | st.builds(QueueTimeout, seconds),
    st.none() | st.builds(ExecutionTimeout, seconds),
)


@pytest.mark.filterwarnings("ignore::timeouts.stack.UselessPolicyWarning")
@given(wishes, stacks, st.integers(1, 3), st.integers(0, 3), st.sampled_from(STOPS), st.booleans())
def test_what_is_recorded_comes_back(  # noqa: PLR0917 - as many as Hypothesis varies
    wanted: list[tuple[int, int, int | None]],
    stack: Stack,
    slots: int,
    capacity: int,
    stop: tuple[Any, str],
    tells: bool,
) -> None:
    """Every request is in the trace at its instant, and its work where that came to its end."""
    now, sent = 0, list[Request]()
    for after, work, budget in wanted:
        now += after
        client = Client(budget=budget or math.inf, at_deadline="tells" if tells else "leaves")
        sent.append(Request(now, work, client))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "trace.jsonl"
        with TraceRecorder(path) as recorder:
            recorder.opened(SimpleNamespace(stop_mode=stop[1]))  # type: ignore[arg-type]
            core = Announcing(stack, slots=slots, capacity=capacity, stops=stop[1] != "abandon")
            core.recorder = recorder
            Machine(
                core,
                requests=iter(sent),
                slowdown=(),
                stop=stop[0],
                random=stream(0, "retries"),
                books=Books(now + 1, 0, slots),
            ).run()
        rows = sorted(lines(path), key=lambda row: row["arrival"])
        if any(not row.get("stopped") for row in rows):
            assert len(Trace.read(path).recorded) == len(sent)
    first = rows[0]["arrival"]
    assert [row["arrival"] - first for row in rows] == [
        one.arrived - sent[0].arrived for one in sent
    ]
    for row, request in zip(rows, sent, strict=True):
        assert row.get("budget", math.inf) == (request.client.budget if tells else math.inf)
        if not row.get("stopped"):
            assert row["service"] == request.work
        else:
            assert row["service"] <= request.work
            if stop[1] == "abandon":
                assert row["service"] == 0, "whoever could not be stopped came to an end"


@given(st.lists(asked, min_size=1, max_size=12), st.none() | st.integers(0, 12))
def test_a_server_records_all_that_arrived(script: list[Asked], closes: int | None) -> None:
    events: list[Any] = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "trace.jsonl"
        with TraceRecorder(path) as recorder:
            play(script, [recorder, EventStream(events.append)], closes=closes, capacity=2)
        rows = lines(path)
    came = {event.job: event for event in events if isinstance(event, Arrived)}
    ends = [event for event in events if isinstance(event, Answered)]
    origin = ends[0].now - ends[0].sojourn if ends else 0.0
    assert [
        (came[end.job].now - origin, end.service or 0.0, end.outcome not in {"completed", "failed"})
        for end in ends
    ] == [(row["arrival"], row["service"], row.get("stopped", False)) for row in rows]
    assert [came[end.job].budget for end in ends] == [row.get("budget") for row in rows]


# ── examples ─────────────────────────────────────────────────────────────────────────────────────


def job(arrived: float, started: float = math.inf, **options: Any) -> Job:
    made = Job(arrived, **options)
    made.arrived, made.started = arrived, started
    return made


def test_a_line_says_no_more_than_there_is_to_say(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    with TraceRecorder(path) as recorder:
        recorder.answered(job(5.0, 6.0), Outcome(), 6.25)
        recorder.answered(job(7.0, 7.0, deadline=9.5, priority=2.0), Outcome(), 7.5)
    assert path.read_text() == (
        '{"arrival": 0.000000, "service": 0.250000}\n'
        '{"arrival": 2.000000, "service": 0.500000, "budget": 2.500000, "priority": 2.0}\n'
    )


class Ends(Observer):
    """Tells when work of an answered job has ended."""

    def __init__(self) -> None:
        self.told = threading.Event()

    def late(self, job: Job, outcome: Outcome, now: float) -> None:
        self.told.set()


def test_a_thread_that_runs_on_is_told_by_its_end_or_by_its_last_sight(tmp_path: Path) -> None:
    clock, gates, begun = (
        ManualClock(),
        [threading.Event(), threading.Event()],
        threading.Barrier(3),
    )

    def predict(gate: int) -> None:
        begun.wait(30)
        gates[gate].wait()

    path, ends = tmp_path / "trace.jsonl", Ends()
    with TraceRecorder(path) as recorder:
        observers = [recorder, ends]
        server = Server(predict, ExecutionTimeout(1), slots=2, clock=clock, observers=observers)
        futures = [server.submit(gate) for gate in (0, 1)]
        begun.wait(30)
        clock.advance(1)
        for future in futures:
            assert isinstance(future.exception(), TimeoutError)
        clock.advance(3)
        gates[0].set()
        assert ends.told.wait(30)
        server.close()
    gates[1].set()
    assert sorted((row["service"], row.get("stopped", False)) for row in lines(path)) == [
        (1, True),
        (4, False),
    ]


def test_an_end_that_overtakes_its_answer_is_told_once(tmp_path: Path) -> None:
    """Hooks of two threads may come in any order."""
    path, late = tmp_path / "trace.jsonl", job(0.0, 0.0)
    server: Any = SimpleNamespace(stop_mode="abandon")
    with TraceRecorder(path) as recorder:
        recorder.opened(server)
        late.error = ExecutionTimeout(1).expired(late, 1.0)
        late.phase = late.phase.__class__("done")
        recorder.late(late, Outcome(), 3.0)
        recorder.answered(late, Outcome(error=late.error), 1.0)
    assert [(row["service"], row.get("stopped")) for row in lines(path)] == [(3, None)]


@pytest.mark.parametrize(
    ("error", "stopped"),
    [
        (None, None),
        (LookupError("its own"), None),
        (WorkerLost("killed by the kernel"), True),
        (ExecutionTimeoutError("a soft limit, or a checkpoint"), True),
        (asyncio.CancelledError(), True),
    ],
)
def test_a_run_that_something_else_has_ended_is_told_from_one_that_failed(
    error: BaseException | None, stopped: bool | None, tmp_path: Path
) -> None:
    path = tmp_path / "trace.jsonl"
    with TraceRecorder(path) as recorder:
        recorder.answered(job(0, 1), Outcome(error=error), 3)
    (row,) = lines(path)
    assert (row["service"], row.get("stopped")) == (2, stopped)


def test_the_limit_ends_the_recording(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "trace.jsonl"
    with caplog.at_level(logging.WARNING), TraceRecorder(path, limit=300) as recorder:
        for number in range(1000):
            recorder.answered(job(number, number), Outcome(), number / 10_000)
        assert not recorder._file._rows, "nothing is kept that nobody writes"
    assert len(lines(path)) == 300
    assert len(caplog.messages) == 1
    assert f"{path} has all the rows that it may have" in caplog.messages[0]


def test_a_full_disk_ends_the_recording_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with caplog.at_level(logging.WARNING), TraceRecorder(full) as recorder:
        server = Server(lambda x: x, observers=[recorder])
        assert [server.call(n) for n in range(3)] == [0, 1, 2]
        server.close()
    messages = [message for message in caplog.messages if "/dev/full" in message]
    assert messages == ["/dev/full cannot be written, recording ends: No space left on device"]


def test_rows_are_written_in_batches_and_each_second(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    recorder = TraceRecorder(path)

    def add(now: float) -> int:
        recorder.answered(job(now, now), Outcome(), now)
        return len(lines(path))

    assert [add(0), add(0.5), add(0.999), add(1.0), add(1.5)] == [1, 1, 1, 4, 4]
    assert [add(1.6) for _ in range(trace_file.BATCH)][-2:] == [4 + trace_file.BATCH] * 2
    recorder.close()
    assert len(lines(path)) == 5 + trace_file.BATCH
    assert add(9) == 5 + trace_file.BATCH, "closed"
    recorder.close()


def test_threads_lose_no_row(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"

    def many(first: int) -> None:
        for number in range(2000):
            recorder.answered(job(first, first), Outcome(), first + number / 1000)

    with TraceRecorder(path) as recorder:
        threads = [threading.Thread(target=many, args=(first,)) for first in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(lines(path)) == 8000


def test_a_file_with_something_in_it_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text("")
    TraceRecorder(path).close()
    path.write_text("precious")
    with pytest.raises(FileExistsError, match=r"trace.jsonl is there already: .*overwrite=True"):
        TraceRecorder(path)
    assert path.read_text() == "precious"
    with pytest.raises(TypeError, match="overwrite must be True or False; got 'no'"):
        TraceRecorder(path, overwrite="no")  # type: ignore[arg-type]
    assert path.read_text() == "precious"
    TraceRecorder(path, overwrite=True).close()
    assert not path.read_text()


@pytest.mark.parametrize(("limit", "error"), [(0, ValueError), (1.5, TypeError), (True, TypeError)])
def test_a_limit_that_is_none_is_refused(
    limit: Any, error: type[Exception], tmp_path: Path
) -> None:
    path = tmp_path / "trace.jsonl"
    with pytest.raises(error, match="limit must be"):
        TraceRecorder(path, limit=limit)
    assert not path.exists()


def test_a_folder_or_none_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        TraceRecorder(tmp_path / "no" / "trace.jsonl")
    for overwrite in (False, True):
        with pytest.raises(IsADirectoryError):
            TraceRecorder(tmp_path, overwrite=overwrite)


def test_a_recorder_that_nobody_closes_writes_when_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    recorder = TraceRecorder(path)
    recorder.answered(job(0, 0), Outcome(), 0)
    recorder.answered(job(0, 0), Outcome(), 0)
    assert len(lines(path)) == 1
    del recorder
    gc.collect()
    assert len(lines(path)) == 2


def test_a_forked_child_leaves_the_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "trace.jsonl"
    recorder = TraceRecorder(path)
    recorder.answered(job(0, 0), Outcome(), 0)
    recorder.answered(job(0, 0), Outcome(), 0)
    monkeypatch.setattr(os, "getpid", lambda: 1)
    recorder.answered(job(5, 5), Outcome(), 5)
    recorder.close()
    monkeypatch.undo()
    assert len(lines(path)) == 1
    assert recorder._file._file.closed
