"""What the comparison with other process pools makes of its samples; what it measures is never a matter for a test."""

from __future__ import annotations

import argparse
import ast
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from versus_peers import cli, report
from versus_peers.bars import BARS, OURS, PEBBLE, TITLES, Bar
from versus_peers.peers import PEERS
from versus_peers.results import Results
from versus_peers.rows import NOTHING_LEFT, ROWS, Books, Effort
from versus_peers.turns import BOUNDS, bound

PACKAGE = Path(cli.__file__).parent
FIGURES = st.lists(st.floats(0.01, 1e6), min_size=1, max_size=30)


def results(**rows: dict[str, list[Any]]) -> Results:
    """Return results with these figures, a round each; what is no number is why a round has none."""
    made = Results("a machine", {"pebble": "5.2"})
    for row, peers in rows.items():
        for peer, rounds in peers.items():
            for figure in rounds:
                made.add(row, peer, outcome(figure))
    return made


def outcome(figure: Any, **notes: Any) -> dict[str, Any]:
    return {"failed": figure} if isinstance(figure, str) else {"figures": [figure], "notes": notes}


# What rounds come to.


def test_a_ratio_is_taken_round_by_round() -> None:
    """The machine was twice as fast in the second round; the ratio of the medians would be a half."""
    measured = results(happy={OURS: [30.0, 15.0, 30.0], PEBBLE: [90.0, 45.0, 60.0]})
    assert measured.ratio("happy", OURS, PEBBLE) == pytest.approx(1 / 3)


def test_a_round_that_one_of_them_has_lost_has_no_ratio() -> None:
    measured = results(happy={OURS: [30.0, 15.0], PEBBLE: ["hung", 45.0]})
    assert measured.ratio("happy", OURS, PEBBLE) == pytest.approx(1 / 3)
    assert results(happy={OURS: [30.0]}).ratio("happy", OURS, PEBBLE) is None


@given(st.lists(FIGURES, min_size=1, max_size=6))
def test_a_cell_is_the_median_of_the_medians_of_its_rounds(rounds: list[list[float]]) -> None:
    """And its p99 is of all figures, whatever round they come from."""
    made = Results("", {})
    for figures in rounds:
        made.add("told", OURS, {"figures": figures, "notes": {}})
    cell = made.cell("told", OURS)
    every = sorted(figure for figures in rounds for figure in figures)
    assert cell.known == [median(figures) for figures in rounds]
    assert median(every) * (1 - 1e-9) <= cell.p99 <= every[-1] * (1 + 1e-9)


def test_a_note_is_said_once_and_a_failure_with_how_often() -> None:
    made = results(kills={PEBBLE: ["hung", 100.0]})
    made.add("kills", PEBBLE, outcome(101.0, note="+1 zombies"))
    made.add("kills", PEBBLE, outcome(102.0, note="+1 zombies"))
    assert made.cell("kills", PEBBLE).note == "+1 zombies; 1 of 4 rounds: hung"


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    made = results(happy={OURS: [30.0], PEBBLE: ["hung"]})
    made.write(tmp_path / "results.json")
    assert Results.read(tmp_path / "results.json") == made


# Bars.


@pytest.mark.parametrize(
    ("bar", "figure", "kept"),
    [
        (Bar("told", 1.0), 1.0, True),
        (Bar("told", 1.0), 1.01, False),
        (Bar("flight", 1.5, PEBBLE, least=True), 1.5, True),
        (Bar("flight", 1.5, PEBBLE, least=True), 1.49, False),
    ],
)
def test_a_bar_is_kept_at_its_very_bound(bar: Bar, figure: float, kept: bool) -> None:
    assert bar.kept(figure) == kept


def test_the_bars_say_what_was_kept_and_what_was_not() -> None:
    told = report.bars(
        results(
            happy={OURS: [60.0], PEBBLE: [100.0]},
            told={OURS: [0.4, 0.5, 9.0]},
            half={OURS: [19.0], "floor: kill": [19.5]},
        )
    ).splitlines()
    assert [" ".join(line.split()) for line in told] == [
        "call <= 0.5x pebble 0.6x pebble MISSED",
        "told late <= 1 ms 0.5 ms kept",
        "told late p99 <= 5 ms 8.83 ms MISSED",
        "half expire >= 95% of the limit 97% of the limit kept",
    ]


@pytest.mark.parametrize(("left", "kept"), [(NOTHING_LEFT, "kept"), ("+2 fds", "MISSED")])
def test_the_most_kills_in_a_row_must_leave_nothing(left: str, kept: str) -> None:
    """What a shorter round has left does not count for the longer one."""
    made = results()
    made.add("kills", OURS, outcome(3.0, note=left, kills=2000))
    made.add("kills", OURS, outcome(3.0, note=NOTHING_LEFT, kills=60))
    line = report.bars(made).splitlines()[-1]
    assert " ".join(line.split()) == f"kill {NOTHING_LEFT} {left} by 2,000 kills {kept}"


def test_every_bar_is_of_something_that_is_measured() -> None:
    for bar in BARS:
        assert bar.row in ROWS
        for who in filter(None, (bar.who, bar.against)):
            rows = PEERS[who].rows
            assert not rows or bar.row in rows, (bar, who)


def test_every_row_has_a_title_a_bound_and_a_place_on_the_page() -> None:
    assert list(TITLES) == list(ROWS) == list(BOUNDS)
    for title in TITLES.values():
        assert f"| {title.short} |" in cli.PAGE.read_text()
        assert title.base in PEERS


# Tables and the page.


def test_the_table_has_a_line_for_each_and_says_why_one_has_no_figure() -> None:
    made = results(
        recovery={OURS: [3.0], PEBBLE: ["hung"], "multiprocessing.Pool": ["cannot stop a call"]}
    )
    lines = report.markdown(made).splitlines()
    assert "| timeouts | its worker | 3 [3-3] |" in lines
    assert "| pebble | its worker | 1 of 1 rounds: hung |" in lines
    assert "| multiprocessing.Pool | nothing | cannot stop a call |" in lines
    assert lines[-1].endswith(f"({report.PICTURE})")
    assert "a machine; pebble 5.2." in lines


def test_the_same_as_plain_text() -> None:
    said = report.table(results(happy={OURS: [30.0, 40.0], PEBBLE: [60.0, 80.0]}), "happy")
    _, _, ours, theirs = said.splitlines()
    assert ours.split() == ["timeouts", "35", "30-40", "0.5x"]
    assert theirs.split() == ["pebble", "70", "60-80", "1x"]


@given(st.text(), st.text(), st.text(), st.text())
def test_a_page_keeps_all_but_what_is_between_its_marks(
    before: str, old: str, after: str, new: str
) -> None:
    page = f"{before}{cli.BEGIN}{old}{cli.END}{after}"
    if page.count(cli.BEGIN) != 1 or page.count(cli.END) != 1:
        return
    written = cli.filled(page, new)
    assert written == f"{before}{cli.BEGIN}\n\n{new}\n{cli.END}{after}"
    if cli.END not in new:
        assert cli.filled(written, new) == written


@pytest.mark.parametrize("page", ["", cli.BEGIN, f"{cli.END}\n{cli.BEGIN}"])
def test_a_page_without_its_marks_is_refused(page: str) -> None:
    """Rather than lost."""
    with pytest.raises(ValueError, match="must have the lines"):
        cli.filled(page, "new")


def test_the_page_has_its_marks_once() -> None:
    page = cli.PAGE.read_text()
    assert (page.count(cli.BEGIN), page.count(cli.END)) == (1, 1)


def test_the_docs_are_written_with_the_picture_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    page = tmp_path / cli.PAGE.name
    page.write_text(cli.PAGE.read_text())
    monkeypatch.setattr(cli, "PAGE", page)
    made = results(happy={OURS: [30.0], PEBBLE: [60.0]}, told={OURS: [0.3], PEBBLE: ["hung"]})
    cli.write_docs(made)
    assert "| timeouts | its worker | 30 [30-30] | 0.3, p99 0.3 [0.3-0.3] |" in page.read_text()
    assert f"({report.PICTURE})" in page.read_text()
    picture = (tmp_path / report.PICTURE).read_bytes()
    assert picture.startswith(b"<?xml")
    cli.write_docs(made)
    assert (tmp_path / report.PICTURE).read_bytes() == picture  # the same for the same figures


# Who is measured, and how much.


def options(*words: str, monkeypatch: pytest.MonkeyPatch) -> argparse.Namespace:
    monkeypatch.setattr("sys.argv", ["versus_peers", *words])
    return cli._options()


def test_all_that_is_installed_is_measured_and_the_rest_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ray included."""
    monkeypatch.setattr(cli, "_is_installed", lambda package: package != "pebble")
    assert options(monkeypatch=monkeypatch).peers == [
        name for name in PEERS if not name.startswith("pebble")
    ]
    assert "ray" in options(monkeypatch=monkeypatch).peers
    assert "left out, not installed: pebble; pebble, forkserver; pip" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--peers", "peble"], "there is no peer 'peble'; there are: floor: ping-pong; "),
        (["--peers", "pebble"], "not installed: pebble; pip install --editable . --group peers"),
        (["--rows", "happy,sad"], "there is no row sad"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    words: list[str],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(cli, "_is_installed", lambda package: package != "pebble")
    with pytest.raises(SystemExit):
        options(*words, monkeypatch=monkeypatch)
    assert told in capsys.readouterr().err


def test_rows_have_names_and_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = options("--rows", "3, half", "--peers", "ours,floor", monkeypatch=monkeypatch)
    assert chosen.rows == ["told", "half"]
    assert set(chosen.peers) >= {"timeouts", "timeouts, spares=1", "floor: kill"}


def test_the_peers_take_turns_every_other_round_in_reverse(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who cannot do a row is not asked, and those whose calls take long are asked for fewer."""
    taken: list[tuple[str, Effort]] = []

    def take(_row: str, peer: str, effort: Effort) -> dict[str, Any]:
        taken.append((peer, effort))
        return outcome(1.0)

    monkeypatch.setattr(cli, "take", take)
    monkeypatch.setattr("versus_peers.results.version", lambda _: "1.0")
    peers = [OURS, "multiprocessing.Pool", PEBBLE, "ray", "floor: arena"]
    made = cli.measure(["kills"], peers, 2, Effort(told=10))
    assert [peer for peer, _ in taken] == [OURS, PEBBLE, "ray", "ray", PEBBLE, OURS]
    assert [effort.seed for _, effort in taken] == [0, 0, 0, 1, 1, 1]
    assert [effort.all_kills for _, effort in taken] == [True] + [False] * 5
    assert [effort.told for _, effort in taken] == [10, 10, 4, 4, 10, 10]
    assert made.cell("kills", "multiprocessing.Pool").note == "2 of 2 rounds: cannot stop a call"
    assert set(made.table["kills"]) == set(peers) - {"floor: arena"}  # which is for another row


@given(st.floats(0.01, 1.0))
def test_a_share_of_an_effort_is_never_nothing(share: float) -> None:
    """And all of it is all of it."""
    whole = Effort()
    part = whole.part(share)
    for name, value in vars(whole).items():
        assert getattr(part, name) <= value
        assert not value or getattr(part, name) > 0
    assert whole.part(1.0) == whole


def test_a_longer_sample_may_take_longer() -> None:
    short, long = Effort(half_seconds=1.0), Effort(half_seconds=20.0, all_kills=True)
    assert bound("half", long) - bound("half", short) == 19.0
    assert bound("kills", long) > bound("kills", short)
    assert bound("happy", long) == bound("happy", short)


def test_books_tell_what_there_is_more_of() -> None:
    before = Books(fds=8, threads=1, children=2, zombies=0, shm=3, mib=50)
    assert before.differences(before) == ""
    fewer = Books(fds=7, threads=1, children=1, zombies=0, shm=0, mib=40)
    assert before.differences(fewer) == ""
    more = Books(fds=9, threads=1, children=2, zombies=1, shm=3, mib=70)
    assert before.differences(more) == "+1 fds, +1 zombies, +20 MiB"


def test_a_peer_is_imported_only_when_it_is_measured() -> None:
    """So the comparison runs with whatever is there."""
    guests = {name.partition("-")[0] for peer in PEERS.values() for name in peer.packages}
    guests |= {"trio_parallel"}
    files = list((PACKAGE / "peers").glob("*.py"))
    assert len(files) > 10
    for file in files:
        tops = [
            node
            for node in ast.parse(file.read_text()).body
            if isinstance(node, (ast.Import, ast.ImportFrom))
        ]
        for node in tops:
            module = node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
            assert module.partition(".")[0] not in guests, file
