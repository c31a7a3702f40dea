"""Runs that were stopped: what a trace says of them, and what is made of it."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeouts import GatewayTimeout
from timeouts.sim import Client, Recorded, Request, Trace, simulate
from timeouts.sim.chance import stream

ages = st.integers(0, 6)
runs = st.lists(
    st.tuples(ages | st.just(math.inf), st.just(False)) | st.tuples(ages, st.just(True))
)


def product_limit(many: list[tuple[float, bool]], age: float) -> Fraction:
    """Multiply the chances to outlive each age, in fractions: the textbook's estimator of P(S <= age)."""
    left = Fraction(1)
    for end in sorted({one for one, stopped in many if not stopped and one <= age}):
        at_risk = sum(one >= end for one, _ in many)
        left *= 1 - Fraction(sum(run == (end, False) for run in many), at_risk)
    return 1 - left


def recorded(many: list[tuple[float, bool]]) -> Recorded:
    ended = tuple(one for one, stopped in many if not stopped)
    return Recorded(ended, tuple(one for one, stopped in many if stopped))


@given(runs.filter(lambda many: not all(stopped for _, stopped in many)))
def test_stopped_runs_count_as_kaplan_and_meier_count_them(many: list[tuple[float, bool]]) -> None:
    service = recorded(many)
    for age in range(8):
        assert service.within(age) == pytest.approx(float(product_limit(many, age)))
        spent = sum(1 - product_limit(many, second) for second in range(age))
        assert service.spent(age) == pytest.approx(float(spent))
    hangs = product_limit(many, 9) < 1
    assert (service.within(math.inf) < 1) == (service.spent(math.inf) == math.inf) == hangs


@given(runs.filter(lambda many: not all(stopped for _, stopped in many)), ages, st.integers(0, 99))
def test_what_is_drawn_for_a_stopped_run_took_longer(
    many: list[tuple[float, bool]], age: float, seed: int
) -> None:
    service = recorded(many)
    drawn = service.draw_longer(age, stream(seed, "test"))
    longer = {one for one, stopped in many if not stopped and one > age}
    assert drawn in longer | {math.inf}
    if not longer:
        assert drawn == math.inf


def test_a_stopped_run_is_one_of_the_longer_ones_each_as_likely() -> None:
    service = Recorded((1, 2, 3, 4), (2.5, 2.5))
    random = stream(1, "test")
    drawn = [service.draw_longer(2.5, random) for _ in range(4000)]
    assert set(drawn) == {3, 4}
    assert drawn.count(3) / 4000 == pytest.approx(0.5, abs=0.03)
    assert service.within(2.9) == pytest.approx(2 / 6)


def test_nobody_knows_of_longer_ones_than_were_seen() -> None:
    service = Recorded((1, 1), (5, 5))
    assert service.draw_longer(5, stream(0, "test")) == math.inf
    assert service.within(1e9) == 0.5
    assert service.healthy == 1


@given(st.lists(st.integers(1, 9), min_size=1), st.sampled_from([0.01, 0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_is_the_least_age_at_which_so_many_have_ended(
    many: list[int], share: float
) -> None:
    service = Recorded(tuple(map(float, many)))
    found = service.quantile(share)
    assert service.within(found) >= share - 1e-9
    assert all(service.within(one) < share for one in many if one < found)


def test_nothing_is_left_over_where_the_longest_run_came_to_its_end() -> None:
    """Masses are rounded on their way: what that leaves must not hang for ever."""
    for count in range(4, 60):
        service = Recorded(tuple(n / 7 for n in range(1, count)), (0.0, 0.1, 1 / 3, 0.2))
        assert service.within(count) == 1
        assert service.spent(math.inf) == pytest.approx(service.healthy)


def test_a_quantile_of_runs_that_never_end_is_never() -> None:
    assert Recorded((math.inf,)).quantile(0.5) == math.inf
    assert Recorded((1, math.inf)).quantile(0.99) == 1


# ── in a trace ───────────────────────────────────────────────────────────────────────────────────

LINES = [
    {"arrival": 0, "service": 1},
    {"arrival": 1, "service": 0.5, "stopped": True},
    {"arrival": 2, "service": 0, "stopped": True, "budget": 3},
    {"arrival": 3, "service": 2, "stopped": False},
    {"arrival": 4, "service": 2, "stopped": True},
]


def written(folder: Path, lines: list[Any], end: str = "\n") -> Path:
    path = folder / "trace.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + end, encoding="utf-8")
    return path


def test_what_is_recorded_stays_apart_from_what_is_drawn(tmp_path: Path) -> None:
    trace = Trace.read(written(tmp_path, LINES))
    assert [(one.work, one.stopped) for one in trace.recorded] == [
        (1, False), (0.5, True), (0, True), (2, False), (2, True),
    ]  # fmt: skip
    assert trace.service == Recorded((1, 2), (0, 0.5, 2))
    for seed in range(20):
        requests = list(trace.requests(seed))
        assert not any(one.stopped for one in requests)
        works = [one.work for one in requests]
        assert works[0::3] == [1, 2]
        assert {*works[1:3]} <= {1, 2, math.inf}
        assert works[4] == math.inf
        assert [one.arrived for one in requests] == [0, 1, 2, 3, 4]
    assert trace.recorded[2].client == Client(budget=3)


def test_the_same_seed_draws_the_same(tmp_path: Path) -> None:
    lines = [{"arrival": n, "service": n % 9, "stopped": n % 2 == 1} for n in range(200)]
    trace = Trace.read(written(tmp_path, lines))
    one, two, other = (list(trace.requests(seed)) for seed in (1, 1, 2))
    assert one == two != other
    assert simulate(trace, GatewayTimeout(9, reserve=1), seed=1) == simulate(
        trace, GatewayTimeout(9, reserve=1), seed=1
    )


def test_a_trace_of_nothing_but_stopped_runs_is_refused(tmp_path: Path) -> None:
    lines = [{"arrival": n, "service": 1, "stopped": True} for n in range(5)]
    with pytest.raises(ValueError, match=r"trace.jsonl: .* one run that was not stopped"):
        Trace.read(written(tmp_path, lines))


@pytest.mark.parametrize(
    ("said", "service", "words"),
    [
        ("yes", 1, "line 2: stopped must be true or false; got 'yes'"),
        (1, 1, "line 2: stopped must be true or false; got 1"),
        (True, None, "line 2: service must say when the run was stopped; got null"),
    ],
)
def test_what_stopped_cannot_mean_is_named(
    said: Any, service: Any, words: str, tmp_path: Path
) -> None:
    bad = {"arrival": 1, "service": service, "stopped": said}
    with pytest.raises(ValueError, match=words):
        Trace.read(written(tmp_path, [LINES[0], bad]))


def test_a_file_that_is_cut_off_lacks_its_last_line_alone(tmp_path: Path) -> None:
    whole = written(tmp_path, LINES).read_text()
    ends = [at for at, letter in enumerate(whole) if letter == "\n"]
    for cut in range(ends[1] + 1, len(whole)):
        path = tmp_path / "cut.jsonl"
        path.write_text(whole[:cut])
        lines = sum(end <= cut for end in ends)
        assert len(Trace.read(path).recorded) == lines, whole[:cut]


def test_a_bad_line_in_the_middle_is_no_cut(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text('{"arrival": 0, "serv\n{"arrival": 1, "service": 1}')
    with pytest.raises(ValueError, match="line 1: "):
        Trace.read(path)


def test_faster_is_the_same_in_less_time() -> None:
    trace = Trace.of(Request(now, 2, Client()) for now in (3, 5, 6, 7))
    faster = trace.faster(2)
    assert [one.arrived for one in faster.recorded] == [0, 1, 1.5, 2]
    assert faster.load(1) == pytest.approx(2 * trace.load(1))
    with pytest.raises(ValueError, match="factor must be more than 0"):
        trace.faster(0)
