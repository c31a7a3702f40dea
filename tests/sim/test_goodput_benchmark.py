"""The benchmark of goodput runs, and peers' rules do what is said of them; its figures are no matter for a test."""

from __future__ import annotations

import argparse
import re
import sys
from math import inf
from typing import Any

import pytest

from goodput import cli
from goodput.cases import CASES, LOADS, MIXED_CASES, Case
from goodput.peers import AtDequeue, CoDel, Sweep
from goodput.rows import MIXED_ROWS, ROWS, Row
from tests.sim.house import run
from timeouts.sim import Client, Constant, Request

PATIENT = Client()


def at(*arrivals: float, work: float = 4) -> list[Request]:
    return [Request(now, work, PATIENT) for now in arrivals]


def test_expiry_at_dequeue_is_told_when_a_worker_is_free_and_stops_nothing() -> None:
    done = run([Request(0, 50, PATIENT), *at(1, 45)], AtDequeue(10), stop="abandon")
    assert done.fates == {1: ("completed", 50), 2: ("queue_timeout", 50), 3: ("completed", 54)}


def test_a_sweep_is_told_at_the_next_round() -> None:
    done = run([Request(0, 50, PATIENT), *at(1, 2)], Sweep(10, every=4))
    assert done.fates == {1: ("completed", 50), 2: ("queue_timeout", 12), 3: ("queue_timeout", 12)}


def test_codel_drops_who_has_waited_twice_the_target_once_nobody_waits_less() -> None:
    done = run(at(*range(12)), CoDel(100, target=2, window=10))
    names = [done.fates[key][0] for key in range(1, 13)]
    assert names[:3] == ["completed"] * 3  # the first window is spent on looking
    assert "queue_timeout" in names[3:]
    assert "completed" in names[3:]
    assert run(at(0, 4, 8, 12), CoDel(100, target=2, window=5)).books.outcomes == {"completed": 4}


@pytest.mark.parametrize("case", [*CASES, *MIXED_CASES], ids=lambda case: case.title)
def test_reserves_leave_time_to_wait_in(case: Case) -> None:
    for share in (0.5, 0.9, 0.99):
        assert 0 < case.quantile(share) <= 0.65 * min(case.budgets)
    assert case.service.within(case.quantile(0.5)) >= 0.5


def test_quantiles_are_the_least_that_do() -> None:
    case = Case("", Constant(0.1), "abandon")
    assert case.quantile(0.9) == pytest.approx(0.1)


@pytest.mark.parametrize("row", [*ROWS, *MIXED_ROWS], ids=lambda row: row.name)
def test_every_row_has_limits_for_every_case(row: Row) -> None:
    for case in [*CASES, *MIXED_CASES]:
        assert row.limits(case).policies


def test_the_benchmark_prints_and_writes_its_tables(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "INTO", tmp_path / "goodput")
    monkeypatch.setattr(sys, "argv", ["goodput", "--quick", "--seconds", "0.4"])
    cli.main()
    printed, page = capsys.readouterr().out, (tmp_path / "goodput" / "quick.md").read_text()
    for row in ROWS:
        assert printed.count(f"\n{row.name} ") >= len(CASES)
        assert page.count(f"| {row.name} |") >= len(CASES)
    for case in [*CASES, *MIXED_CASES]:
        assert case.title in printed
    assert all(f"{load:g}x" in printed for load in LOADS)
    assert len(re.findall(r"\b\d+ of 25\b", printed)) == sum(row.ours for row in ROWS)


def test_a_row_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["goodput", "--only", "magic"])
    with pytest.raises(SystemExit):
        cli.main()


def test_time_is_saved_where_there_are_many_requests() -> None:
    options = argparse.Namespace(seconds=100.0)
    seconds = [cli._seconds(options, load) for load in (0.8, 2, 8)]
    assert seconds == [100, 100, 50]
    assert max(seconds) < inf
