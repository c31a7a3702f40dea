"""A line for each priority: examples beside what `test_orders` draws."""

import math

from timeouts import PredictedWait, Priority, QueueTimeout
from timeouts.commands import Reply
from timeouts.core import Core
from timeouts.job import Job
from timeouts.outcome import Outcome
from timeouts.stack import Stack


def pushed(*priorities: float) -> Priority:
    queue = Priority()
    for number, priority in enumerate(priorities):
        queue.push(Job(number, priority=priority))
    return queue


def order(queue: Priority) -> list[object]:
    return [queue.pop().key for _ in range(len(queue))]


def test_any_number_is_a_priority() -> None:
    assert order(pushed(1, 0.5, math.inf, -math.inf, 1, -2)) == [3, 5, 1, 0, 4, 2]


def test_zero_has_no_sign() -> None:
    assert order(pushed(0.0, -0.0, 0)) == [0, 1, 2]


def test_a_line_that_has_become_empty_may_come_again() -> None:
    queue = pushed(1, 2)
    assert queue.pop().key == 0
    queue.push(Job("again", priority=1))
    assert order(queue) == ["again", 1]


def test_who_is_more_important_has_a_place_in_a_full_queue() -> None:
    core = Core(Stack(QueueTimeout(10)), slots=1, capacity=2, discipline=Priority)
    for key, priority in [("runs", 5), ("user", 1), ("batch", 5)]:
        core.arrive(Job(key, priority=priority), 0)
    (refused,) = core.arrive(Job("more batch", priority=5), 1)
    assert isinstance(refused, Reply)
    assert refused.job.key == "more batch"
    (displaced,) = core.arrive(Job("boss", priority=0), 2)
    assert isinstance(displaced, Reply)
    assert displaced.job.key == "batch"
    assert core.outcomes["queue_full"] == 2


def test_only_who_is_as_important_or_more_is_ahead() -> None:
    """Each takes 4 s, and there are 10: behind three it is too long, whatever waits of lower priority."""
    core = Core(Stack(QueueTimeout(10)), slots=1, discipline=Priority, admission=PredictedWait())
    core.arrive(Job("first"), 0)
    core.finish("first", Outcome("y"), 4)
    core.arrive(Job("runs"), 4)
    for number in range(3):
        core.arrive(Job(number, priority=5), 4)
    (refused,) = core.arrive(Job("batch", priority=5), 4)
    assert isinstance(refused, Reply)
    assert core.outcomes["wait_too_long"] == 1
    assert core.arrive(Job("user", priority=1), 4) == []
