"""What is printed: every sentence says what was measured, and nothing if there was nothing."""

import io

import pytest

from tests.demo.simulation import LIMITS, Simulation, request, simulate
from timeouts.demo.figures import Blind, Spread, measure
from timeouts.demo.recorder import Record
from timeouts.demo.schedule import Kind, schedule

rich_console = pytest.importorskip("rich.console")

from timeouts.demo import report  # noqa: E402 - rich is an extra
from timeouts.demo.sentences import sentences  # noqa: E402


def printed(*what: object, width: int = 100) -> str:
    console = rich_console.Console(file=io.StringIO(), width=width, color_system=None)
    for one in what:
        console.print(one)
    text = console.file.getvalue()
    assert isinstance(text, str)
    return text


def told(records: tuple[Record, ...], slots: int = 2, until: float = 5) -> dict[str, str]:
    figures = measure(records, lambda record: record.request.number, slots, until)
    return dict(sentences(figures, LIMITS, slots))


STUCK = simulate(
    request(1, at=0, cost=4),
    request(2, at=1, cost=2),
    request(3, at=1.5, cost=1),
    request(4, at=2.5, cost=0.25),
    slots=2,
)


def test_the_limits_are_introduced_from_the_stack() -> None:
    text = printed(report.introduction(LIMITS))
    for line in (
        "waiting   at most 0.8 s   QueueTimeout",
        "both      at most 1.5 s   GatewayTimeout",
    ):
        assert line in text
    assert "running 1 s ExecutionTimeout" in str(report.headline(LIMITS))


def test_the_mix_is_announced() -> None:
    requests = [request(1, 0, 1), request(2, 0, 1), request(3, 0, 1, Kind.HANG)]
    text = " ".join(str(report.announcement(requests, 10, 1, taught=898)).split())
    assert "898 images" in text
    assert "3 requests come for 1 worker," in text
    assert text.endswith("2 quick, 1 that hang.")


def test_there_is_one_row_per_outcome() -> None:
    figures = measure(STUCK, lambda record: record.request.number, slots=2, until=5)
    rows = [" ".join(line.split()) for line in printed(report.outcomes(figures)).splitlines()]
    assert "answered 1 0.75 0.75 done" in rows
    assert "ExecutionTimeout 2 1.00 1.00 0.0 0.0 held workers 4.0 s more" in rows
    assert "QueueTimeout 1 0.80 0.80 0.0 0.0 never started" in rows
    assert "all 4" in rows


def test_each_interval_has_its_sentence() -> None:
    said = told(STUCK)
    assert list(said) == ["Waiting", "Running", "Both together", "Told on time", "Goodput"]
    assert "1 reached the limit" in said["Waiting"]
    assert "held workers for another 4.0 s (the last came back 4.0 s" in said["Running"]
    assert "None reached the limit on the whole" in said["Both together"]
    assert "1 of 4 requests were answered" in said["Goodput"]


def test_killed_work_has_a_sentence_and_a_row_of_its_own() -> None:
    records = simulate(
        request(1, at=0, cost=9), request(2, at=0.5, cost=0.25), slots=1, stop_mode="kill"
    )
    said = told(records, slots=1)
    assert "nothing was left of it a median of 125.0 ms, at most 125.0 ms later" in said["Running"]
    assert "the next of them was running a median of 125.0 ms" in said["Running"]
    assert "thread" not in said["Running"]
    figures = measure(records, lambda record: record.request.number, slots=1, until=5)
    rows = [" ".join(line.split()) for line in printed(report.outcomes(figures)).splitlines()]
    assert "ExecutionTimeout 1 1.00 1.00 0.0 0.0 killed, dead in 125.0 ms" in rows


def test_nobody_is_said_to_have_waited_where_nobody_did() -> None:
    records = simulate(request(1, at=0, cost=9), slots=1, stop_mode="kill")
    assert "Where requests waited" not in told(records, slots=1)["Running"]


def test_the_comparison_says_what_was_computed() -> None:
    said = told(STUCK)["Told on time"]
    assert "For 1.0 s both workers were stuck" in said
    assert "1 caller reached" in said
    assert "0.7 s later (median), 0.7 s at worst" in said


def test_without_anything_to_tell_nothing_is_claimed() -> None:
    said = told(simulate(request(1, at=0, cost=0.25), slots=2))
    assert "Told on time" not in said
    assert "None waited too long" in said["Waiting"]
    assert "None ran too long" in said["Running"]


def test_an_empty_run_can_be_told() -> None:
    figures = measure((), lambda _: 0, slots=2, until=0.0)
    text = printed(report.summary(figures, LIMITS, 2, interrupted=True))
    assert "Interrupted after 0.0 s" in text
    assert "No request was answered." in text
    assert "0 of 0 requests" in text


@pytest.mark.parametrize(
    ("slots", "held"), [(1, "the worker was"), (2, "both workers were"), (5, "all 5 workers were")]
)
def test_workers_are_counted_in_good_english(slots: int, held: str) -> None:
    figures = measure(STUCK, lambda _: 0, slots=2, until=5)
    object.__setattr__(figures, "blind", Blind(1, Spread(0, 0), Spread(1, 2)))
    assert f"{held} stuck" in dict(sentences(figures, LIMITS, slots))["Told on time"]


def test_the_timeline_has_a_line_for_each_request_and_each_worker() -> None:
    requests = schedule(seconds=10, rate=5, slots=2, seed=31, images=9)
    records, until = Simulation(requests, slots=2).run()
    lines = printed(report.timeline(records, 2, until, "abandon", width=100)).splitlines()
    for one in requests:
        assert sum(line.startswith(f"{one.number:>4} {one.kind}") for line in lines) == 1
    assert sum(line.startswith("worker ") for line in lines) == 2
    assert max(map(len, lines)) <= 100
