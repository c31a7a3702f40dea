"""Limits that change while workers live: those that are there are told with the next call."""

import math
import time

import pytest

from tests.shells.recorder import GUARD
from timeouts import ExecutionTimeout, GatewayTimeout, Server, SoftTimeout, remaining

pytestmark = pytest.mark.realtime


def left() -> float:
    return remaining()


def test_other_limits_reach_the_workers_that_are_there() -> None:
    """`remaining()` in a worker speaks of the limits that the job is under."""
    with Server(left, ExecutionTimeout(50), workers="process", slots=1) as server:
        assert 40 < server.call() <= 50
        server.relimit(ExecutionTimeout(500))
        assert 400 < server.call() <= 500
        server.relimit(None)
        assert server.call() == math.inf
        server.relimit(GatewayTimeout(100))
        assert 90 < server.call() <= 100
        assert server.stats().outcomes == {"completed": 4}


def stays() -> str:
    try:
        time.sleep(GUARD)
    except SoftTimeout:
        return "interrupted"
    return "slept"


def test_a_soft_limit_reaches_the_workers_that_are_there() -> None:
    with Server(stays, workers="process", slots=1) as server:
        server.relimit(ExecutionTimeout(GUARD, soft=0.05))
        assert server.call() == "interrupted"
