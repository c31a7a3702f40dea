"""What may be recommended, and what is asked."""

from __future__ import annotations

import math

import pytest

from tests.tune.house import EXPONENTIAL, trace
from timeouts import ExecutionTimeout, GatewayTimeout, QueueTimeout, Server, Stack
from timeouts.serve.admissions import ADMISSIONS
from timeouts.serve.disciplines import DEFAULT, DISCIPLINES
from timeouts.sim import Client, Recorded, Request, Trace
from timeouts.tune import Setting, Task
from timeouts.tune.setting import along

SERVICE = Recorded(tuple(n / 100 for n in range(1, 101)), (1.0, 1.0))


def test_the_simplest_setting_is_what_adapts_by_itself() -> None:
    rule = Setting(4).rule(2.0)
    assert rule == (Stack(GatewayTimeout(2, reserve="auto")), DEFAULT, "none", 4)
    assert str(rule) == f"{rule.limits!r}, {DEFAULT}, admission none"


def test_an_execution_timeout_is_a_policy_of_its_own() -> None:
    limits = Setting(1, 0.5, 1.5).rule(2.0).limits
    assert limits == GatewayTimeout(2, reserve=0.5) | ExecutionTimeout(1.5)
    assert Setting(1, 0.5, "auto").rule(2.0).limits.policies[1] == ExecutionTimeout("auto")


def test_reserves_are_learned_none_or_parts_of_the_deadline() -> None:
    grid = along("reserve", Setting(3, 9, "auto", "lifo"), SERVICE, 2.0, stops=True)
    assert [one.reserve for one in grid] == ["auto", 0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75]
    assert {(one.slots, one.execution, one.discipline) for one in grid} == {(3, "auto", "lifo")}


def test_execution_timeouts_are_tails_of_the_healthy_runs_within_the_deadline() -> None:
    grid = along("execution", Setting(3), SERVICE, 3.0, stops=True)
    assert [one.execution for one in grid] == [math.inf, "auto", 1.98, 0.99, 0.95]
    assert along("execution", Setting(3), SERVICE, 3.0, stops=False) == [Setting(3)]
    tight = along("execution", Setting(3), SERVICE, 0.9, stops=True)
    assert [one.execution for one in tight] == [math.inf, "auto"]


def test_disciplines_are_those_of_the_one_table_the_usual_one_first() -> None:
    grid = along("discipline", Setting(3), SERVICE, 2.0, stops=True)
    assert grid[0] == Setting(3)
    assert {one.discipline for one in grid} == set(DISCIPLINES)
    assert len(grid) == len(DISCIPLINES)


def test_rules_of_admission_are_those_of_the_one_table_that_go_with_the_order() -> None:
    grid = along("admission", Setting(3, discipline="fifo"), SERVICE, 2.0, stops=True)
    assert [one.admission for one in grid] == list(ADMISSIONS)
    for one in along("admission", Setting(3, discipline="lifo"), SERVICE, 2.0, stops=True):
        one_server = Server(
            len, discipline=DISCIPLINES["lifo"], admission=ADMISSIONS[one.admission]
        )
        one_server.close()
    strict = Setting(3, discipline="fifo", admission="predicted-wait")
    assert "lifo" not in {
        one.discipline for one in along("discipline", strict, SERVICE, 2.0, stops=True)
    }


# ── what is asked ────────────────────────────────────────────────────────────────────────────────


def test_who_has_a_budget_has_told_it_and_others_leave_at_the_deadline() -> None:
    asked = trace(1, EXPONENTIAL, 60)
    told = Client("told", budget=0.2)
    mixed = Trace.of(
        one._replace(client=told) if number % 2 else one
        for number, one in enumerate(asked.recorded)
    )
    clients = {one.client for one in Task(mixed, 0.5, (4,)).asked.recorded}
    assert clients == {
        Client("told", budget=0.2, at_deadline="tells"),
        Client("all", budget=0.5, at_deadline="leaves"),
    }


def test_the_baseline_is_a_queue_timeout_equal_to_the_deadline_or_what_is_given() -> None:
    asked = trace(1, EXPONENTIAL, 60)
    assert Task(asked, 0.5, (4,)).baseline(3) == (Stack(QueueTimeout(0.5)), "fifo", "none", 3)
    own = Stack(GatewayTimeout(1, reserve=0.1))
    task = Task(asked, 0.5, (4,), against=own, discipline="lifo")
    assert task.baseline(2) == (own, "lifo", "none", 2)


def test_runs_that_were_stopped_stay_so() -> None:
    cut = [Request(n / 10, 0.1, Client(), stopped=n % 2 == 1) for n in range(1000)]
    assert sum(one.stopped for one in Task(Trace.of(cut), 0.5, (4,)).asked.recorded) == 500


def test_what_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="too short to tell anything"):
        Task(trace(1, EXPONENTIAL, 5), 0.5, (4,))
