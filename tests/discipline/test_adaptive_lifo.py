"""First come, first served, until the queue stands."""

import math

from timeouts import AdaptiveLIFO, GatewayTimeout
from timeouts.job import Job
from timeouts.sim import Client, Constant, Poisson, Scenario, simulate


def at(arrived: float, patience: float = 10) -> Job:
    job = Job(arrived)
    job.arrived, job.expires = arrived, arrived + patience
    return job


def pushed(*jobs: Job) -> AdaptiveLIFO:
    queue = AdaptiveLIFO()
    for job in jobs:
        queue.push(job)
    return queue


def order(queue: AdaptiveLIFO) -> list[object]:
    return [queue.pop().key for _ in range(len(queue))]


def test_the_oldest_first_up_to_half_of_his_time() -> None:
    assert order(pushed(at(0), at(1), at(5))) == [0, 1, 5]


def test_the_newest_first_once_the_oldest_has_waited_for_longer() -> None:
    assert order(pushed(at(0), at(1), at(5.1))) == [5.1, 1, 0]


def test_the_limit_is_each_ones_own() -> None:
    assert order(pushed(at(0, 100), at(1, 2), at(5.1))) == [0, 1, 5.1]


def test_it_stands_until_nobody_waits() -> None:
    """Also when the old ones have left."""
    oldest = at(0)
    queue = pushed(oldest, at(6), at(7))
    queue.remove(oldest)
    queue.push(at(8))
    assert order(queue) == [8, 7, 6]
    for job in (at(9), at(10)):
        queue.push(job)
    assert order(queue) == [9, 10]


def test_it_stands_while_a_single_one_waits() -> None:
    """He has all his time left, but came to a queue that stood."""
    oldest = at(0)
    queue = pushed(oldest, at(6))
    queue.remove(oldest)
    queue.push(at(7))
    assert order(queue) == [7, 6]


def test_where_nobody_s_wait_is_limited_it_is_first_in_first_out() -> None:
    assert order(pushed(at(0, math.inf), at(1, math.inf), at(1e9, math.inf))) == [0, 1, 1e9]


def test_an_arrival_that_is_told_late_does_not_turn_time_back() -> None:
    """Threads that read one clock may come slightly out of order."""
    assert order(pushed(at(0), at(5.1), at(4.9))) == [4.9, 5.1, 0]


def test_it_is_served_as_they_came_below_capacity_and_overload_does_not_empty_it() -> None:
    """Without a reserve: first in, first out would answer next to nobody in time at twice the load."""

    def done(load: float) -> float:
        asked = Scenario(Poisson(load * 40), Constant(0.1), Client(budget=1.0), duration=30)
        return simulate(
            asked, GatewayTimeout(1, reserve=0), slots=4, stop="abandon", discipline=AdaptiveLIFO
        ).efficiency

    assert done(0.8) > 0.99
    assert done(2) > 0.97
