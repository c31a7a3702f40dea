"""On traces whose best limits are known, they are found; where there is nothing to gain, that is said."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tests.tune.house import EXPONENTIAL, SLOTS, found, hanging, light, overload, trace
from timeouts import QueueTimeout, Stack
from timeouts.sim import Kill
from timeouts.tune import Finding, Setting, Task
from timeouts.tune.arena import Arena, measured
from timeouts.tune.finding import WORTH

SMALL = Task(trace(1.5, EXPONENTIAL, 12), 0.15, (SLOTS,))
pytestmark = pytest.mark.timeout(180)


def test_under_overload_a_reserve_wins_by_a_lot() -> None:
    """A queue limit equal to the deadline brings a fifth of what is possible; a reserve nearly all of it."""
    finding = overload()
    (row,) = finding.rows
    assert finding.before == (Stack(QueueTimeout(0.5)), "fifo", "none", SLOTS)
    assert row.before < 0.4 * row.limit
    assert row.after > 0.9 * row.limit
    assert finding.gains
    assert finding.sure.low > 0.25
    assert finding.setting.reserve != 0
    assert finding.setting.execution == math.inf, "threads cannot be stopped"
    assert finding.setting.slots == SLOTS


def test_a_learned_reserve_is_told_where_a_fixed_one_was_chosen() -> None:
    finding = overload()
    assert (finding.learned is None) == (finding.setting.reserve == "auto")
    assert (finding.gain if finding.learned is None else finding.learned) > 0.25


def test_where_runs_hang_an_execution_timeout_wins() -> None:
    finding = hanging()
    execution = finding.setting.execution
    assert execution == "auto" or execution < 0.5
    assert finding.gains
    (row,) = finding.rows
    assert row.after > 0.8 * row.limit
    without = replace(finding.setting, execution=math.inf).rule(5.0)
    (seen,), (tuned,) = (measured(finding.task, rule) for rule in (without, finding.after))
    assert sum(seen.answered) < 0.9 * sum(tuned.answered)


def test_where_everybody_is_served_nothing_is_to_be_gained() -> None:
    finding = light()
    assert not finding.gains
    assert finding.sure.low <= 0 or finding.gain < WORTH
    assert finding.slots == (), "more slots are no question"


def test_who_has_good_limits_is_told_to_leave_them_alone() -> None:
    known = found(SMALL).after
    finding = found(
        replace(SMALL, against=known.limits, discipline=known.discipline, admission=known.admission)
    )
    assert finding.before == finding.after == known
    assert [finding.gain, *finding.sure] == [0, 0, 0]
    assert not finding.gains


@pytest.mark.parametrize("make", [overload, hanging, light])
def test_what_is_recommended_is_not_worse_where_nothing_was_chosen_by(make: object) -> None:
    finding: Finding = make()  # type: ignore[operator]
    assert finding.sure.low <= finding.gain <= finding.sure.high
    if finding.gains:
        assert finding.sure.low > 0
        assert sum(row.after for row in finding.rows) > sum(row.before for row in finding.rows)


def test_the_gain_is_that_of_the_rows() -> None:
    finding = hanging()
    (row,) = finding.rows
    assert finding.gain == pytest.approx((row.after - row.before) / row.came)
    assert row.came == pytest.approx(finding.requests / (finding.task.trace.duration / 2))


def test_more_slots_are_shown_where_they_would_help() -> None:
    rows = overload().slots
    assert [row.slots for row in rows] == [4, 5, 6, 8]
    assert rows[0] == overload().rows[0]
    tuned = [row.after for row in rows]
    assert tuned == sorted(tuned)
    assert tuned[-1] > 1.7 * tuned[0]


def test_a_range_of_slots_is_searched_for_the_smallest_that_is_enough() -> None:
    finding = found(replace(SMALL, slots=tuple(range(3, 9))))
    assert [row.slots for row in finding.slots] == [3, 4, 5, 6, 7, 8]
    most = max(row.after for row in finding.slots)
    assert 5 <= finding.setting.slots <= 8
    assert finding.rows[0].after > 0.95 * most
    assert finding.before.slots == finding.setting.slots


def test_several_loads_are_judged_together() -> None:
    finding = found(Task(trace(0.4, EXPONENTIAL, 32), 0.1, (SLOTS,), loads=(1.0, 4.0, 5.0)))
    assert [row.load for row in finding.rows] == [1, 4, 5]
    one, four, five = (row.came for row in finding.rows)
    assert [four, five] == pytest.approx([4 * one, 5 * one])
    assert finding.gain == pytest.approx(
        sum((row.after - row.before) / row.came for row in finding.rows) / 3
    )


def test_the_same_task_has_the_same_finding() -> None:
    assert found(SMALL) == found(replace(SMALL))


def test_each_rule_is_simulated_once() -> None:
    counts = list[int]()
    rule = Setting(SLOTS).rule(0.5)
    with Arena(light().task, told=counts.append) as arena:
        one, two = arena.measure([rule, rule])
        assert arena.measure([rule]) == [one] == [two]
    assert counts == [1]


def test_what_a_kill_costs_matters() -> None:
    cheap = replace(SMALL, stop="cancel")
    dear = replace(SMALL, stop=Kill(5.0))
    rule = cheap.baseline(SLOTS)
    (one,), (two,) = measured(cheap, rule), measured(dear, rule)
    assert sum(one.answered) > 2 * sum(two.answered)
