"""The recorder writes down each life as it was: through a real server on a manual clock, and the pure core."""

import math
from concurrent.futures import Future

import pytest

from tests.demo.simulation import LIMITS, Simulation, request, simulate
from timeouts import Server
from timeouts.demo.recorder import Recorder
from timeouts.testing import ManualClock


def test_an_answered_request() -> None:
    (record,) = simulate(request(1, at=2, cost=0.25), slots=1)
    assert (record.arrived, record.started, record.told, record.ended) == (2, 2, 2.25, 2.25)
    assert record.deadline == 3.0
    assert record.value == 1
    assert record.verdict == "answered"
    assert not record.expired
    assert record.after == 0.25


def test_one_that_hangs_is_told_at_its_deadline_and_ends_when_it_ends() -> None:
    (record,) = simulate(request(1, at=2, cost=3.5), slots=1)
    assert (record.started, record.deadline, record.told, record.ended) == (2, 3, 3, 5.5)
    assert record.verdict == "ExecutionTimeout"
    assert record.expired
    assert record.late == 0


def test_one_that_waits_too_long_never_starts() -> None:
    _, record = simulate(request(1, at=0, cost=3.5), request(2, at=0.5, cost=0.1), slots=1)
    assert record.verdict == "QueueTimeout"
    assert (record.started, record.ended) == (math.inf, math.inf)
    assert (record.deadline, record.told) == pytest.approx((1.3, 1.3))


def test_one_that_waits_and_then_runs_too_long_for_both_together() -> None:
    _, record = simulate(request(1, at=0, cost=0.75), request(2, at=0, cost=0.9), slots=1)
    assert (record.verdict, record.started, record.told) == ("GatewayTimeout", 0.75, 1.5)
    assert record.ended == pytest.approx(1.65)


def test_what_is_under_way_has_no_end_yet() -> None:
    running, waiting = simulate(
        request(1, at=0, cost=1),
        request(2, at=0, cost=1),
        request(3, at=9, cost=1),
        slots=1,
        until=0.5,
    )
    assert (running.verdict, running.started, running.told) == ("no answer yet", 0, math.inf)
    assert (waiting.verdict, waiting.started, waiting.deadline) == ("no answer yet", math.inf, 0.8)


def test_copies_are_handed_out() -> None:
    simulation = Simulation((request(1, at=0, cost=1),), slots=1)
    (before,), _ = simulation.run(until=0.5)
    simulation.run()
    assert before.verdict == "no answer yet"
    assert simulation.recorder.all_told


def test_a_sender_that_is_late_cannot_hide_it() -> None:
    clock = ManualClock(start=10)
    late = request(1, at=2, cost=0)
    recorder = Recorder([late], clock, start=10)
    with Server(
        lambda request: request.number, LIMITS, observers=[recorder], clock=clock
    ) as server:
        clock.advance_to(13)
        future = server.submit(late)
        assert future.result(timeout=30) == 1
        future.add_done_callback(lambda future: recorder.told(late, future))
    (record,) = recorder.seen()
    assert record.arrived == 3
    assert record.after == 1
    assert recorder.all_told


def test_errors_of_the_handler_and_of_a_closed_server_have_names_too() -> None:
    clock = ManualClock()
    requests = [request(1, at=0, cost=0), request(2, at=0, cost=0)]
    recorder = Recorder(requests, clock, start=0)

    def predict(_: object) -> None:
        raise ZeroDivisionError

    server = Server(predict, LIMITS, observers=[recorder], clock=clock)
    for one in requests:
        future: Future[None] = server.submit(one)
        with pytest.raises(Exception):  # noqa: B017 - whatever it is, it is recorded
            future.result(timeout=30)
        recorder.told(one, future)
        server.close()
    failed, refused = recorder.seen()
    assert (failed.verdict, failed.expired, failed.ended) == ("failed", False, 0)
    assert (refused.verdict, refused.expired) == ("ShuttingDown", False)
