"""The schedule is a function of its arguments, and makes a run in which there is something to see."""

from collections import Counter
from typing import Any

import pytest

from timeouts.demo.schedule import COST, Kind, Request, schedule

USUAL: dict[str, Any] = {"seconds": 10, "rate": 5, "slots": 2, "seed": 31, "images": 898}


def drawn(**changes: Any) -> tuple[Request, ...]:
    return schedule(**{**USUAL, **changes})


def hanging(requests: tuple[Request, ...]) -> list[int]:
    return [request.number for request in requests if request.kind is Kind.HANG]


def test_the_same_seed_gives_the_same_requests_and_another_one_others() -> None:
    assert drawn() == drawn()
    assert drawn() != drawn(seed=32)


@pytest.mark.parametrize("seed", range(20))
def test_requests_are_numbered_in_the_order_of_their_instants(seed: int) -> None:
    requests = drawn(seed=seed)
    assert [request.number for request in requests] == list(range(1, 51))
    assert [request.at for request in requests] == sorted(request.at for request in requests)
    assert all(0 <= request.at <= 10 for request in requests)


@pytest.mark.parametrize("seed", range(20))
def test_most_are_quick_some_are_slow_and_one_more_hangs_than_there_are_slots(seed: int) -> None:
    kinds = Counter(request.kind for request in drawn(seed=seed, seconds=30))
    assert kinds[Kind.QUICK] > kinds[Kind.SLOW] > 0
    assert kinds[Kind.QUICK] > 75
    assert kinds[Kind.HANG] == 3


def test_one_hangs_alone_and_later_one_for_each_slot_in_a_row() -> None:
    first, *others = hanging(drawn(slots=3, rate=10))
    assert others == list(range(others[0], others[0] + 3))
    assert others[0] > first + 3


@pytest.mark.parametrize("rate", [0.1, 0.3, 1, 3])
@pytest.mark.parametrize("slots", [1, 2, 32])
def test_a_short_schedule_is_still_one(rate: float, slots: int) -> None:
    requests = drawn(seconds=1, rate=rate, slots=slots)
    assert len(requests) == max(1, round(rate))
    assert 1 <= len(hanging(requests)) <= max(1, len(requests) // 3)


def test_a_request_costs_what_its_kind_does_and_asks_for_an_image_that_exists() -> None:
    for request in drawn(images=7, seconds=60):
        least, most = COST[request.kind]
        assert least <= request.cost <= most
        assert 0 <= request.image < 7
