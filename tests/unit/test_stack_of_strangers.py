"""Stacks with policies of a user's own that bound a stage: they are explained as far as they can be."""

import math
from typing import ClassVar

from timeouts import ExecutionTimeout, GatewayTimeout, Interval, Job, Policy
from timeouts.stack import Stack


class Bare(Policy):
    """Bounds the service time, by a number that nobody can read."""

    interval: ClassVar[Interval] = Interval.SERVICE

    def deadline(self, job: Job) -> float:
        return job.started + 3


class Learned(Bare):
    """Its number is learned, and has no bounds."""

    timeout = "auto"


def test_a_policy_without_a_number_is_never_useless_and_bounds_nothing_for_certain() -> None:
    told = (GatewayTimeout(30) | Bare()).explain()
    assert (told.useless, told.unreached, told.unbounded) == ((), (), ())
    alone = Stack(Bare()).explain()
    assert [interval for _, interval in alone.bounds] == [Interval.SERVICE]
    assert Interval.SERVICE in alone.unbounded


def test_a_number_that_is_learned_may_become_any_if_it_has_no_bounds() -> None:
    told = (GatewayTimeout(1, reserve=0.5) | Learned()).explain()
    assert told.useless == ()
    assert (Stack(Learned()) | ExecutionTimeout(math.inf)).explain().useless == ()
    assert Interval.SERVICE in Stack(Learned()).explain().unbounded
