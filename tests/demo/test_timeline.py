"""Bars in a terminal: each cell says what the request was doing then."""

import io

import pytest

from tests.demo.simulation import Simulation, request, simulate
from timeouts.demo.schedule import schedule
from timeouts.server import Stats

pytest.importorskip("rich")

from rich.console import Console

from timeouts.demo.screen import Lines, frame, latest, state
from timeouts.demo.timeline import Axis, legend, recent, request_line, whole, worker_lines
from timeouts.workers import StopMode

AXIS = Axis(begin=0.0, cell=0.25, cells=16)
STATS = Stats(waiting=1, running=1, abandoned=1, free=0, slots=2, arrived=3, outcomes={})


def bar(line: object) -> str:
    return str(line)[11 : 11 + AXIS.cells]


def test_waiting_running_deadline_abandoned() -> None:
    _, record = simulate(request(1, at=0, cost=0.5), request(2, at=0, cost=3), slots=1)
    assert bar(request_line(record, 9, AXIS)) == "░░████│▒▒▒▒▒▒▒  "
    assert bar(request_line(record, 1, AXIS)) == "░░██  │         "
    assert str(request_line(record, 9, AXIS)).endswith(" ExecutionTimeout after 1.50 s")


def test_the_shortest_run_is_seen() -> None:
    _, record = simulate(request(1, at=0, cost=0.76), request(2, at=0, cost=0.01), slots=1)
    assert bar(request_line(record, 9, AXIS)).startswith("░░░█")


def test_what_is_under_way_says_for_how_long() -> None:
    running, waiting = simulate(
        request(1, at=0, cost=1), request(2, at=0.25, cost=1), slots=1, until=0.5
    )
    assert str(request_line(running, 0.5, AXIS)).endswith("running for 0.5 s")
    assert str(request_line(waiting, 0.5, AXIS)).endswith("waiting for 0.2 s")


def test_a_worker_is_free_runs_or_is_stuck() -> None:
    records = simulate(request(1, at=0, cost=3), slots=2, until=2)
    stuck, free = worker_lines(records, 2, 2, AXIS)
    assert bar(stuck) == "████▒▒▒▒        "
    assert str(stuck).endswith("stuck with 1 for 1.0 s")
    assert str(free).endswith("free")
    records = simulate(request(1, at=0, cost=3), slots=2, until=0.5)
    assert str(worker_lines(records, 2, 0.5, AXIS)[0]).endswith("runs 1")


def test_killed_work_says_so_and_gives_its_worker_back() -> None:
    first, second = simulate(
        request(1, at=0, cost=9), request(2, at=0.5, cost=0.5), slots=1, stop_mode="kill"
    )
    assert bar(request_line(first, 9, AXIS)) == "████│           "
    assert str(request_line(first, 9, AXIS)).endswith(" ExecutionTimeout 1.00 s, killed")
    (line,) = worker_lines((first, second), 1, 9, AXIS)
    assert bar(line) == "████▒█          "
    assert str(line).endswith("free")


def test_a_slot_that_waits_for_its_new_worker_is_told() -> None:
    assert state(STATS, 2) == "queue: 1 waiting   workers: 1 running, 1 abandoned, 0 free"
    assert state(STATS, 3).endswith("0 free, 1 starting")


@pytest.mark.parametrize(("stop_mode", "words"), [("abandon", "still busy"), ("kill", "killed")])
def test_the_legend_says_what_becomes_of_expired_work(stop_mode: StopMode, words: str) -> None:
    assert words in str(legend(stop_mode))


def test_lines_tell_every_expiry_and_every_kill_once() -> None:
    console = Console(file=io.StringIO(), width=100)
    records = simulate(request(1, at=0, cost=9), slots=1, stop_mode="kill")
    with Lines(console, slots=1) as lines:
        for now in (1.5, 1.6):
            lines.show(records, STATS, now)
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    assert said.count("1 quick: ran for 1 s; ExecutionTimeout allows 1 s") == 1
    assert said.count("1 quick: killed; nothing was left of it 125.0 ms later") == 1


def test_what_lies_outside_the_axis_is_not_drawn() -> None:
    (record,) = simulate(request(1, at=3, cost=0.5), slots=1)
    assert bar(request_line(record, 9, Axis(begin=100.0, cell=0.25, cells=16))).strip() == ""
    assert bar(request_line(record, 9, Axis(begin=0.0, cell=0.1, cells=16))).strip() == ""


def test_the_axis_of_the_moving_picture_follows_the_present() -> None:
    early, late = recent(1.0, 100), recent(30.0, 100)
    assert early.begin == 0
    assert late.begin < 30 < late.begin + late.cell * late.cells


def test_the_ruler_labels_seconds_where_there_is_room() -> None:
    assert "╵0 s" in str(AXIS.ruler())
    assert "╵2 s" in str(AXIS.ruler())
    assert str(whole(600, 80).ruler()).count("s") < 10


@pytest.mark.parametrize("height", [3, 10, 24, 60])
@pytest.mark.parametrize("width", [20, 80, 200])
@pytest.mark.parametrize("now", [0.1, 3.0, 8.0])
def test_a_frame_fits_the_terminal(height: int, width: int, now: float) -> None:
    requests = schedule(seconds=10, rate=5, slots=2, seed=31, images=9)
    records, _ = Simulation(requests, slots=2).run(now)
    lines = frame(records, STATS, now, 2, "abandon", width=width, height=height)
    assert len(lines) == max(height, 8)  # eight lines are the least that make sense
    assert all(line.no_wrap or not str(line).strip() for line in lines[:-2])


def test_the_living_stay_in_the_picture_before_the_latest() -> None:
    requests = [request(1, at=0, cost=9)] + [request(n, at=n / 10, cost=0.01) for n in range(2, 20)]
    records = simulate(*requests, slots=2, until=3)
    assert [r.request.number for r in latest(records, 3, room=4)] == [1, 17, 18, 19]
