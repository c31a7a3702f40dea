"""The figures, against runs small enough to be worked out by hand."""

import pytest

from tests.demo.simulation import KILL, Simulation, request, simulate
from timeouts.demo.figures import Figures, Group, Spread, measure
from timeouts.demo.recorder import Record
from timeouts.demo.schedule import schedule


def figures_of(records: tuple[Record, ...], slots: int, until: float) -> Figures:
    return measure(records, lambda record: record.request.number, slots, until)


def group(figures: Figures, verdict: str) -> Group:
    return next(group for group in figures.groups if group.verdict == verdict)


STUCK = simulate(
    request(1, at=0, cost=4),
    request(2, at=1, cost=2),
    request(3, at=1.5, cost=1),
    request(4, at=1.75, cost=1),
    request(5, at=2.5, cost=0.25),
    slots=2,
)


def test_every_request_is_in_one_group() -> None:
    figures = figures_of(STUCK, slots=2, until=5)
    assert [(g.verdict, g.count) for g in figures.groups] == [
        ("answered", 1),
        ("ExecutionTimeout", 2),
        ("QueueTimeout", 2),
    ]
    assert (figures.sent, figures.answered, figures.correct) == (5, 1, 1)
    assert figures.goodput == 0.2


def test_when_callers_were_told_and_how_long_workers_were_held_after_that() -> None:
    figures = figures_of(STUCK, slots=2, until=5)
    assert group(figures, "ExecutionTimeout").after == Spread(1, 1)
    assert group(figures, "ExecutionTimeout").late == Spread(0, 0)
    assert group(figures, "ExecutionTimeout").held == 3 + 1
    assert group(figures, "QueueTimeout").after == pytest.approx((0.8, 0.8))
    assert group(figures, "QueueTimeout").held == 0
    assert group(figures, "answered").late is None
    assert figures.ends == Spread(3, 4)


def test_what_answered_requests_took() -> None:
    figures = figures_of(STUCK, slots=2, until=5)
    assert (figures.wait, figures.service, figures.sojourn) == (
        Spread(0.5, 0.5),
        Spread(0.25, 0.25),
        Spread(0.75, 0.75),
    )


def test_who_would_have_been_told_later_had_a_worker_had_to_look() -> None:
    figures = figures_of(STUCK, slots=2, until=5)
    assert figures.stuck == 1
    assert figures.blind is not None
    assert figures.blind.count == 2
    assert figures.blind.late == Spread(0, 0)
    assert figures.blind.later == pytest.approx((3 - (2.3 + 2.55) / 2, 3 - 2.3))


def test_nobody_was_told_in_the_dark_if_a_worker_was_free() -> None:
    assert figures_of(STUCK, slots=3, until=5).blind is None


def test_nothing_is_made_up_about_workers_that_were_never_free_again() -> None:
    records = simulate(request(1, at=0, cost=9), request(2, at=0.5, cost=1), slots=1, until=5)
    figures = figures_of(records, slots=1, until=5)
    assert figures.blind is None
    assert figures.ends is None
    assert group(figures, "ExecutionTimeout").held == 4


KILLED = simulate(
    request(1, at=0, cost=4),
    request(2, at=0.5, cost=0.25),
    request(3, at=0.75, cost=0.25),
    request(4, at=3, cost=4),
    slots=1,
    stop_mode="kill",
)


def test_of_killed_work_it_is_told_when_nothing_was_left_and_when_the_next_one_ran() -> None:
    figures = figures_of(KILLED, slots=1, until=5)
    assert [record.killed for record in KILLED] == [True, False, False, True]
    assert group(figures, "ExecutionTimeout").dead == figures.dead == Spread(KILL, KILL)
    assert figures.next == Spread(KILL, KILL)  # of the first one; behind the last one nobody waited
    assert figures.ends is None
    assert group(figures, "answered").count == 2
    assert group(figures, "answered").dead is None


def test_what_is_not_dead_yet_is_not_called_so() -> None:
    (record,) = simulate(request(1, at=0, cost=4), slots=1, until=1.0625, stop_mode="kill")
    assert record.expired
    assert not record.killed
    assert figures_of((record,), slots=1, until=1.0625).dead is None


def test_a_wrong_answer_is_counted_as_one() -> None:
    records = simulate(request(1, at=0, cost=0.5), slots=1)
    assert measure(records, lambda _: 0, slots=1, until=1).correct == 0


def test_an_empty_run_has_figures_too() -> None:
    figures = figures_of((), slots=2, until=-0.1)
    assert (figures.sent, figures.groups, figures.goodput, figures.wait) == (0, (), 0, None)


@pytest.mark.parametrize("until", [0.5, 2.25, 4, 100])
def test_the_groups_add_up_whenever_the_run_is_cut(until: float) -> None:
    requests = schedule(seconds=10, rate=5, slots=2, seed=31, images=9)
    records, _ = Simulation(requests, slots=2).run(until)
    figures = figures_of(records, slots=2, until=until)
    assert sum(group.count for group in figures.groups) == figures.sent == len(records)
