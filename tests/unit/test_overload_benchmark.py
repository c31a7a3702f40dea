"""What the comparison under overload makes of what it sees; the figures themselves are never a matter for a test."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any

import pytest

from overload import cli, tables
from overload.counting import Asked, Counted, Done, counted, read, recovery
from overload.lines import Line
from overload.load import schedule
from overload.machine import own_seconds
from overload.rows import LITSERVE, OURS, PATIENCE, ROWS, Row, without_limits
from overload.simulated import Setting, simulated
from overload.turns import LATEST, OTHERS, Block, Turn
from timeouts import GatewayTimeout
from timeouts.sim import Client, Constant, Poisson, Scenario
from versus_litserve.subjects import Setup

RUN = Counted(
    goodput=45.0,
    runs=50.0,
    busy=0.98,
    wasted=0.1,
    latencies=[0.1, 0.12, 0.19],
    told=[0.17, 0.171, inf],
    statuses=Counter({200: 45, 503: 50, 0: 5}),
    late=[0.0, 0.001],
    services=[0.02] * 10,
    recovery=0.02,
)
TURN = Turn(can=50.0, rate=100.0, run=RUN, others=0.0, simulated=46.0)


# The schedule.


def test_the_schedule_is_that_of_a_simulation_with_the_same_seed() -> None:
    instants = schedule(100.0, 20.0, seed=3)
    asked = Scenario(Poisson(100.0), Constant(0.02), Client(), duration=20.0)
    assert instants == [request.arrived for request in asked.requests(3)]
    assert instants != schedule(100.0, 20.0, seed=4)


def test_the_schedule_has_the_rate_and_is_in_order() -> None:
    instants = schedule(100.0, 20.0, seed=0)
    assert len(instants) == pytest.approx(2000, rel=0.1)
    assert all(one < other for one, other in pairwise(instants))
    assert 0 < instants[0] < instants[-1] < 20.0


# Counting.


def log(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


def test_a_log_is_read_and_a_half_line_is_none(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(
        log("begun 0 1.0 7", "begun 1 1.5 8", "ended 0 2.0 7", "begun 2 2.0 7") + "ended 2 2"
    )
    assert read(path) == {0: Done(7, 1.0, 2.0), 1: Done(8, 1.5), 2: Done(7, 2.0)}
    path.write_text("")
    assert read(path) == {}


def test_work_is_for_somebody_if_its_client_was_answered_in_time() -> None:
    asked = [
        Asked(0.0, 0.001, 200, 0.05),
        Asked(0.1, 0.1, 503, 0.27),  # told no in the queue
        Asked(0.2, 0.2, 0),  # left while it ran
        Asked(0.3, 0.3, 200, 0.4),
        Asked(0.4, 0.402, 504, 0.6),  # told no while it ran
    ]
    runs = {
        0: Done(7, 0.01, 0.03),
        1: Done(7, 0.2, 0.22),
        2: Done(7, 0.3, 0.42),
        3: Done(7, 0.35, 0.37),
        4: Done(7, 0.59),
    }
    seen = counted(asked, runs, seconds=2.0, patience=0.2, workers=1)
    assert seen.goodput == 1.0
    assert seen.runs == 2.5
    assert seen.busy == pytest.approx((0.02 + 0.02 + 0.12 + 0.02 + 0.012) / 2.0)
    assert seen.wasted == 0.6
    assert seen.latencies == pytest.approx([0.049, 0.1])
    assert seen.told == pytest.approx([0.17, 0.198, inf])
    assert seen.statuses == Counter({200: 2, 503: 1, 504: 1, 0: 1})
    assert seen.late == pytest.approx([0.0, 0.0, 0.0, 0.001, 0.002])
    assert seen.services == pytest.approx([0.02, 0.02, 0.02, 0.12])
    assert seen.recovery == 0.0


def test_an_answer_that_comes_too_late_is_none() -> None:
    asked = [Asked(0.0, 0.0, 200, 0.25), Asked(0.0, 0.25, 200, 0.5), Asked(1.0, 1.0, 503, 1.26)]
    seen = counted(asked, {0: Done(7, 0.0, 0.25)}, seconds=1.0, patience=0.25, workers=1)
    assert seen.goodput == 2.0  # the very instant is in time
    assert seen.statuses == Counter({200: 2, 0: 1})
    assert seen.told == [inf]


def test_nothing_asked_and_nothing_done_is_no_error() -> None:
    seen = counted([], {}, seconds=1.0, patience=0.2, workers=4)
    assert (seen.goodput, seen.wasted, seen.recovery) == (0.0, 0.0, 0.0)


def test_a_recovery_is_from_a_stop_to_the_successors_first_run() -> None:
    asked = [Asked(at, at, 0) for at in (0.0, 0.1, 0.2, 0.3, 0.4)]
    runs = {
        0: Done(7, 0.01, 0.03),
        1: Done(7, 0.28),  # stopped at 0.3
        2: Done(8, 0.33, 0.35),
        3: Done(8, 0.49, 0.501),  # stopped at 0.5, too late for the end of its work not to be noted
        4: Done(9, 0.55),
    }
    assert recovery(asked, runs, patience=0.2, workers=1) == pytest.approx((0.03 + 0.05) / 2)


def test_who_succeeds_whom_does_not_matter_for_the_mean() -> None:
    asked = [Asked(at, at, 0) for at in (0.0, 0.1, 0.2, 0.3)]
    runs = {0: Done(1, 0.1), 1: Done(2, 0.1), 2: Done(4, 0.32), 3: Done(3, 0.34)}
    assert recovery(asked, runs, patience=0.2, workers=2) == pytest.approx((0.12 + 0.04) / 2)


def test_who_lives_to_the_end_was_not_stopped() -> None:
    asked = [Asked(at, at, 0) for at in (0.0, 0.05, 0.02, 0.1)]
    runs = {0: Done(1, 0.1), 1: Done(2, 0.11), 2: Done(1, 0.15), 3: Done(3, 0.28)}
    assert recovery(asked, runs, patience=0.2, workers=2) == pytest.approx(0.28 - 0.25)


# Clients.


class Transport:
    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


def made() -> tuple[Line, Any, asyncio.Future[tuple[int, float]]]:
    line, transport = Line(), Transport()
    line.connection_made(transport)  # type: ignore[arg-type]  # as much of one as is needed
    line.answer = asyncio.get_running_loop().create_future()
    return line, transport, line.answer


def test_an_answer_may_come_in_pieces_and_the_connection_is_kept() -> None:
    async def main() -> None:
        line, transport, answer = made()
        for piece in (
            b"HTTP/1.1 503 Service Unav",
            b"ailable\r\nContent-Length: 4\r\n\r\nno",
            b"!!",
        ):
            assert not answer.done()
            line.data_received(piece)
        assert answer.result()[0] == 503
        assert not transport.closed
        line.answer = asyncio.get_running_loop().create_future()
        line.data_received(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        assert line.answer.result()[0] == 200

    asyncio.run(main())


def test_a_server_that_closes_is_taken_at_its_word() -> None:
    async def main() -> None:
        line, transport, answer = made()
        line.data_received(b"HTTP/1.1 429 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        assert answer.result()[0] == 429
        assert transport.closed

    asyncio.run(main())


@pytest.mark.parametrize("how", ["leave", "lost"])
def test_who_leaves_or_is_left_has_no_answer(how: str) -> None:
    async def main() -> None:
        line, transport, answer = made()
        if how == "leave":
            line.leave()
        else:
            line.connection_lost(None)
        assert answer.result() == (0, inf)
        assert transport.closed == (how == "leave")
        line.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")  # too late to matter
        assert answer.result() == (0, inf)

    asyncio.run(main())


# Turns.


def test_a_turn_is_spoilt_by_a_late_generator_or_by_others() -> None:
    assert not TURN.spoilt
    late = replace(TURN, run=replace(RUN, late=[2 * LATEST] * 10))
    assert late.spoilt == "the generator was late by 40 ms (p99)"
    assert replace(TURN, others=2 * OTHERS).spoilt == "others had 20% of the machine"


def test_the_share_is_of_what_the_workers_can_do() -> None:
    assert TURN.share == 0.9


def test_processor_time_of_ended_processes_is_none() -> None:
    assert own_seconds({2**22 + 1}) > 0.0  # no process has this number; our own time is in it


@pytest.mark.parametrize("workers", [1, 4])
def test_servers_are_started_as_they_are_described(workers: int) -> None:
    ours = ROWS[0].subject(workers).command(Setup(), 1234)
    assert ours[2:] == [
        *("overload.work:predict", "--host", "127.0.0.1", "--port", "1234"),
        *("--workers", "process", "--slots", str(workers)),
        *("--gateway-timeout", "0.2", "--reserve", "auto"),
    ]
    assert ROWS[1].subject(workers).command(Setup(), 1234)[-2:] == ["--reserve", "0"]
    theirs = ROWS[2].subject(workers).command(Setup(), 1234)
    assert theirs[1:] == ["-m", "overload.lit", "1234", str(workers), "0.2"]
    assert without_limits(OURS, workers).command(Setup(), 1)[-2:] == ["--gateway-timeout", "none"]
    assert without_limits(LITSERVE, workers).command(Setup(), 1)[-1] == "0"


# The simulation beside it.


AUTO = Setting(GatewayTimeout(PATIENCE, reserve="auto"), 1, 250.0, 20.0, seed=0)


def test_a_simulation_has_the_limits_and_the_services_of_the_run() -> None:
    run = replace(RUN, services=[0.02] * 1000)
    assert simulated(AUTO, run, []) == pytest.approx(50, rel=0.05)
    assert simulated(AUTO._replace(limits=GatewayTimeout(PATIENCE, reserve=0)), run, []) < 5
    two = AUTO._replace(workers=2, rate=500.0)
    assert simulated(two, run, []) == pytest.approx(100, rel=0.05)


def test_where_many_were_stopped_the_services_are_those_that_nobody_stops() -> None:
    run = replace(RUN, services=[0.02] * 950)
    assert simulated(AUTO, run, [0.1]) == pytest.approx(50, rel=0.05)
    run = replace(RUN, services=[0.02] * 949)
    assert simulated(AUTO, run, [0.1]) == pytest.approx(10, rel=0.1)
    assert simulated(AUTO, replace(RUN, runs=0.0, services=[]), [0.1]) == pytest.approx(10, rel=0.1)


# Tables.


def cells(*turns: Turn) -> dict[str, str]:
    table = tables.table(4, 2.0, {ROWS[0]: turns})
    return dict(zip(table.heading, table.rows[0], strict=True))


def test_a_row_says_what_was_seen() -> None:
    assert cells(TURN) == {
        "": 'timeouts: GatewayTimeout(0.2, reserve="auto")',
        "can do": "50/s",
        "offered": "100/s",
        "in time": "45.0/s",
        "of what they can": "90%",
        "simulated": "46.0/s",
        "busy": "98%",
        "begun": "50.0/s",
        "for nobody": "10%",
        "told no p50 / p99": "171 ms / never",
        "answered p50 / p99": "120 ms / 190 ms",
        "answers": "200 45%, 503 50%, left 5%",
        "others had": "0%",
    }


def test_medians_have_their_ranges() -> None:
    seen = cells(TURN, replace(TURN, can=100.0), replace(TURN, can=60.0))
    assert seen["of what they can"] == "75% (45 to 90)"
    assert seen["can do"] == "60/s"
    nothing = replace(TURN, simulated=None, run=replace(RUN, latencies=[], told=[]))
    assert cells(nothing)["answered p50 / p99"] == "- / -"
    assert not cells(nothing)["simulated"]


def test_a_title_counts_workers() -> None:
    assert tables.table(1, 5.0, {}).title == "1 worker, 5 times what they can do"


def test_bars_are_for_ours_and_for_the_simulation() -> None:
    said = list(tables.verdicts({(1, 2.0): {ROWS[0]: [TURN], ROWS[2]: [TURN]}}))
    name = 'timeouts: GatewayTimeout(0.2, reserve="auto"), 1 worker, 2x'
    assert said == [
        f"{name}: 90% of what they can do, bar 90%: kept",
        f"{name}: simulation off by +2%, bar 10%: kept",
    ]
    worse = replace(TURN, run=replace(RUN, goodput=40.0))
    assert [
        line.rpartition(" ")[2] for line in tables.verdicts({(1, 2.0): {ROWS[0]: [worse]}})
    ] == [
        "MISSED",
        "MISSED",
    ]


def test_shares_have_a_column_for_each_number_of_workers_and_load() -> None:
    table = tables.shares({(1, 2.0): {ROWS[0]: [TURN]}, (4, 5.0): {ROWS[0]: [TURN, TURN]}})
    assert table.heading == ("", "1 w, 2x", "4 w, 5x")
    assert table.rows == [(ROWS[0].name, "90% (10%)", "90% (10%)")]


# The command.


def test_tables_are_printed_and_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken: list[str] = []

    async def take(block: Block, rows: Sequence[Row]) -> AsyncIterator[tuple[Row, float, Turn]]:
        for load in block.loads:
            for row in rows:
                taken.append(f"{block.workers} {load:g} {row.server} {block.seed}")
                yield row, load, TURN

    pages = [tmp_path / "benchmarks" / "README.md", tmp_path / "docs" / "how-to" / "serve.md"]
    for page in pages:
        page.parent.mkdir(parents=True)
        page.write_text("before\n<!-- benchmark table: overload -->\nafter\n")
    monkeypatch.setattr(Block, "take", take)
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    monkeypatch.setattr(cli, "INTO", tmp_path / "build")
    arguments = ["--rounds", "2", "--workers", "1,4", "--loads", "2", "--rows", "1,3", "--write"]
    monkeypatch.setattr(sys, "argv", ["overload", *arguments])
    cli.main()
    assert taken == [
        *("1 2 timeouts 0", "1 2 LitServe 0", "4 2 timeouts 0", "4 2 LitServe 0"),
        *("1 2 LitServe 1", "1 2 timeouts 1", "4 2 LitServe 1", "4 2 timeouts 1"),
    ]
    printed, written = capsys.readouterr().out, [page.read_text() for page in pages]
    for title in ("1 worker, 2 times", "4 workers, 2 times"):
        assert title in printed
        assert f"### {title}" in written[0]
    assert "bar 90%: kept" in printed
    assert "| 90% (10%) | 90% (10%) |" in written[1]
    for text in written:
        assert text.startswith("before\n")
        assert text.endswith("\nafter\n")
        assert "2 rounds of 20 s, medians (and ranges); others had 0% of the" in text


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--rounds", "0", "must be whole numbers from 1 on; got '0'"),
        ("--workers", "1,two", "must be whole numbers from 1 on; got 'two'"),
        ("--seconds", "-1", "must be numbers above 0; got '-1'"),
        ("--loads", "2,nan", "must be numbers above 0; got 'nan'"),
        ("--rows", "9", "there are 5 rows; got '9'"),
    ],
)
def test_what_makes_no_sense_is_refused(
    option: str,
    value: str,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["overload", option, value])
    with pytest.raises(SystemExit):
        cli.main()
    assert says in capsys.readouterr().err
