"""Stretches of time: what a request did, what each worker did, and when all of them were stuck."""

import math
from itertools import pairwise

import pytest

from tests.demo.simulation import Simulation, request, simulate
from timeouts.demo.intervals import lanes, looked_at, spans, stuck
from timeouts.demo.schedule import schedule
from timeouts.job import Phase

WAITING, RUNNING, ABANDONED = Phase.WAITING, Phase.RUNNING, Phase.ABANDONED


def test_a_request_that_waits_runs_and_is_abandoned() -> None:
    _, record = simulate(request(1, at=0, cost=0.5), request(2, at=0, cost=3), slots=1)
    assert spans(record, now=9) == [(WAITING, 0, 0.5), (RUNNING, 0.5, 1.5), (ABANDONED, 1.5, 3.5)]
    assert spans(record, now=2) == [(WAITING, 0, 0.5), (RUNNING, 0.5, 1.5), (ABANDONED, 1.5, 2)]
    assert spans(record, now=1) == [(WAITING, 0, 0.5), (RUNNING, 0.5, 1)]


def test_one_that_never_starts_only_waits() -> None:
    _, record = simulate(request(1, at=0, cost=3), request(2, at=0, cost=3), slots=1)
    assert spans(record, now=9) == [(WAITING, 0, 0.8)]


def test_an_answered_one_is_never_abandoned_even_if_told_a_hair_later() -> None:
    (record,) = simulate(request(1, at=0, cost=0.5), slots=1)
    record.told += 0.001
    assert spans(record, now=9) == [(RUNNING, 0, 0.5)]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("slots", [1, 2, 5])
def test_no_worker_has_two_requests_at_once(seed: int, slots: int) -> None:
    requests = schedule(seconds=10, rate=5, slots=slots, seed=seed, images=9)
    records, _ = Simulation(requests, slots).run()
    dealt = lanes(records, slots)
    assert sum(map(len, dealt)) == sum(record.started < math.inf for record in records)
    for lane in dealt:
        assert all(a.ended <= b.started for a, b in pairwise(lane))


def test_all_are_stuck_while_every_slot_is_held_by_abandoned_work() -> None:
    records = simulate(request(1, at=0, cost=4), request(2, at=1, cost=2), slots=2)
    assert stuck(records, slots=2, until=9) == [(2, 3)]
    assert stuck(records, slots=2, until=2.5) == [(2, 2.5)]
    assert stuck(records, slots=3, until=9) == []
    assert stuck(records, slots=1, until=9) != []


def test_a_busy_worker_looks_at_the_queue_when_it_becomes_free() -> None:
    *_, waiting = records = simulate(
        request(1, at=0, cost=4), request(2, at=1, cost=2), request(3, at=1.5, cost=1), slots=2
    )
    assert waiting.deadline == 2.3
    assert looked_at(waiting, records, slots=2) == 3
    assert looked_at(waiting, records, slots=3) == 2.3


def test_nobody_has_looked_if_no_worker_became_free_while_we_watched() -> None:
    *_, waiting = records = simulate(
        request(1, at=0, cost=9), request(2, at=0, cost=1), slots=1, until=5
    )
    assert looked_at(waiting, records, slots=1) == math.inf
