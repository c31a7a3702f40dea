"""What policies say of themselves, and what they hand on: the words of rules, soft limits at their edges, hosts."""

import math
import re
from dataclasses import replace
from typing import Any

import pytest

from timeouts import ExecutionTimeout, GatewayTimeout, Job, QueueTimeout, Stack
from timeouts.adapters import executor, hosts
from timeouts.estimate.advice import COLD
from timeouts.job import WAITING
from timeouts.policy import Policy

RESERVED = GatewayTimeout(30.4, reserve=0.1)


@pytest.mark.parametrize(
    ("policy", "limit", "words"),
    [
        (GatewayTimeout(30, reserve=0), 30.0, "GatewayTimeout allows 30 s"),
        (GatewayTimeout(30, reserve=0), None, "GatewayTimeout"),
        (RESERVED, None, "GatewayTimeout"),
        (RESERVED, 30.3, "GatewayTimeout allows 30.4 s and keeps 0.1 s of it for the work"),
        (
            RESERVED,
            30.2,
            "the caller's budget allows 30.3 s and GatewayTimeout keeps 0.1 s of it for the work",
        ),
        (GatewayTimeout(30), 30.0, "GatewayTimeout allows 30 s"),
        (GatewayTimeout(1), 1 - 1e-6, "GatewayTimeout allows 0.999999 s"),
        (
            GatewayTimeout(30),
            29.5,
            "GatewayTimeout keeps what the work needs, and allows 29.5 s to wait",
        ),
        (ExecutionTimeout(10, soft=8), 8.0, "ExecutionTimeout's soft limit allows 8 s"),
        (ExecutionTimeout(10, soft=8), 10.0, "ExecutionTimeout allows 10 s"),
        (ExecutionTimeout(10, soft=8), None, "ExecutionTimeout"),
        (ExecutionTimeout(10), None, "ExecutionTimeout"),
    ],
    ids=repr,
)
def test_a_rule_says_whose_number_it_is(policy: Policy, limit: float | None, words: str) -> None:
    assert policy.rule(limit) == words


def test_a_soft_limit_that_equals_the_hard_one_is_refused() -> None:
    message = (
        "ExecutionTimeout: soft must be shorter than timeout, or it would never come first; "
        "got soft=2, timeout=2"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ExecutionTimeout(2, soft=2)
    assert ExecutionTimeout(math.inf, soft=math.inf).soft == math.inf


def test_where_no_rule_has_a_soft_limit_there_is_none() -> None:
    """Rules are not compared with each other, which they would not stand."""
    job = Job(1)
    assert Stack().soft_limit(job) == (math.inf, None)
    assert (QueueTimeout(5) | GatewayTimeout(30)).soft_limit(job)[0] == math.inf


def test_what_has_not_happened_to_a_job_yet_is_infinitely_far() -> None:
    job = Job(1)
    assert (job.arrived, job.started, job.abandoned) == (math.inf, math.inf, math.inf)
    assert (job.idle_since, job.expires) == (math.inf, math.inf)


@pytest.mark.parametrize("limits", [QueueTimeout(5), QueueTimeout(5) | GatewayTimeout(30)])
def test_a_host_and_an_executor_are_handed_on_with_their_options(
    limits: Policy | Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What becomes of them is the adapters' matter."""
    monkeypatch.setattr(hosts, "apply", lambda *arguments: arguments)
    monkeypatch.setattr(executor, "LimitedExecutor", lambda *args, **options: (*args, options))
    host: Any = object()
    applied: Any = limits.apply(host, slots=3)
    wrapped: Any = limits.wrap(host, slots=3)
    assert applied == (limits, host, {"slots": 3})
    assert wrapped == (host, limits, {"slots": 3})


@pytest.mark.parametrize("longest", [0.0, 5.0, math.inf])
def test_of_a_budget_without_an_end_nothing_is_held_back(longest: float) -> None:
    """Also while runs are known to have become slower, nobody knows by how much."""
    job = Job(1)
    job.arrived, job.phase, job.advice = 10.0, WAITING, replace(COLD, longest=longest)
    assert GatewayTimeout(None).deadline(job) == math.inf
    job.deadline = 50.0
    held_back = min(20.0, 2 * longest)
    assert GatewayTimeout(None).deadline(job) == (50.0 - held_back if held_back else math.inf)
