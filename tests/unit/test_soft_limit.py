"""The soft limit of an `ExecutionTimeout`: what it is refused for, and when it comes."""

import math

import pytest

from timeouts import ExecutionTimeout, GatewayTimeout, Job, Stack


def test_a_soft_limit_that_never_comes_first_is_refused() -> None:
    """The message names both numbers."""
    with pytest.raises(ValueError, match=r"soft must be shorter .* soft=2, timeout=1"):
        ExecutionTimeout(1, soft=2)


def test_the_earliest_soft_limit_counts_from_the_start() -> None:
    """Policies without one have no say."""
    job = Job(1)
    job.started = 5.0
    execution = ExecutionTimeout(10, soft=8)
    assert (GatewayTimeout(30) | execution).soft_limit(job) == (13.0, execution)
    assert Stack(GatewayTimeout(30)).soft_limit(job)[0] == math.inf
    assert execution.rule(8.0) == "ExecutionTimeout's soft limit allows 8 s"
    assert repr(execution) == "ExecutionTimeout(10, soft=8)"
