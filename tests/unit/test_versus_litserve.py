"""What the comparison with LitServe makes of its samples; what it measures is never a matter for a test."""

from __future__ import annotations

import ast
import re
from math import inf
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from versus_litserve import report
from versus_litserve.client import Answer, statuses
from versus_litserve.effort import Sample
from versus_litserve.load import Sent
from versus_litserve.results import Results, p99, short
from versus_litserve.rows import RATES, ROWS, Row
from versus_litserve.scenarios import SCENARIOS
from versus_litserve.subjects import LITSERVE, OURS, PLAIN, TASK, THREAD, Setup
from versus_litserve.work import act, noted
from versus_litserve.wrk import Rate

PACKAGE = Path(__file__).parents[2] / "benchmarks" / "versus_litserve"
FIGURES = st.lists(st.integers(0, 1000).map(float), min_size=1, max_size=300)


@given(FIGURES)
def test_the_99th_percentile_is_the_smallest_figure_that_99_percent_do_not_exceed(
    figures: list[float],
) -> None:
    def share(bound: float) -> int:
        return 100 * sum(figure <= bound for figure in figures)

    found = p99(figures)
    assert found in figures
    assert share(found) >= 99 * len(figures)
    assert all(share(figure) < 99 * len(figures) for figure in figures if figure < found)


def test_every_key_of_a_sample_has_a_row() -> None:
    """A figure without a row would be measured and never shown."""
    keys = set()
    for file in (PACKAGE / "scenarios").glob("*.py"):
        source = file.read_text()
        keys |= set(re.findall(r'"(\w+)": Sample\(', source))
        keys |= {
            prefix + suffix
            for prefix in re.findall(r'f"(\w+)\{(?:times|connections)\}"', source)
            for suffix in (("1", "8", "32") if "connections}" in source else ("2", "5"))
        }
    multi_line = {"held_told", "held_late", "hung_late", "hung_next"}
    assert keys | multi_line == {*ROWS, *RATES}


def test_what_never_happened_is_said_in_words() -> None:
    assert short(inf, "s") == "never"
    assert short(0.004567, "ms") == "0.00457 ms"
    assert short(1234.5, "/s") == "1,234/s"
    assert short(None, "ms") == ""


def test_answers_are_counted_by_status() -> None:
    answers = [Answer(503, 0.0, 1.0), Answer(503, 0.0, 2.0), Answer(200, 0.0, 1.0), Answer(0, 0.0)]
    assert statuses(answers) == "no answer, 200, 503 x 2"


def test_the_table_says_what_was_kept_and_what_was_not() -> None:
    results = Results()
    results.add(LITSERVE.name, {"crash": Sample([inf], "no answer"), "idle": Sample([1.0])})
    results.add(OURS.name, {"crash": Sample([7.0, 50.0, 60.0], "502 x 3"), "idle": Sample([1.01])})
    lines = report.scenarios(results)
    assert lines[1] == (
        ROWS["crash"].title,
        "never (no answer)",
        "50 ms (502 x 3)",
        "<= 50 ms",
        "kept",
    )
    assert lines[2][3:] == ("<= 1 %", "MISSED")
    assert list(report.missed(results)) == [ROWS["idle"].title]
    assert "never (no answer)" in report.text(lines)
    assert report.markdown(lines).splitlines()[1] == "|---|---|---|---|---|"


def test_an_answer_that_never_came_keeps_no_bar() -> None:
    results = Results()
    results.add(OURS.name, {"crash": Sample([inf], "no answer")})
    assert list(report.missed(results)) == [ROWS["crash"].title]


def test_a_ratio_is_taken_round_by_round() -> None:
    """The machine was twice as fast in the second round; the ratio of the medians would be 2."""
    row, results = Row("", "/s", least=2.5, to=LITSERVE.name), Results()
    for ours, theirs in ((300.0, 100.0), (600.0, 200.0), (300.0, 200.0)):
        results.add(OURS.name, {"rate1": Sample([ours])})
        results.add(LITSERVE.name, {"rate1": Sample([theirs])})
    assert results.against_bar("rate1", row, OURS.name) == 3.0


@pytest.mark.parametrize(
    ("row", "figure", "kept"),
    [
        (Row("", "ms", most=10), 10.0, True),
        (Row("", "ms", most=10), 10.1, False),
        (Row("", "/s", least=45), 45.0, True),
        (Row("", "/s", least=45), 44.9, False),
        (Row("", "ms"), inf, True),
    ],
)
def test_a_bar_is_kept_at_its_very_bound(row: Row, figure: float, kept: bool) -> None:
    assert row.kept(figure) == kept


def test_latency_counts_from_the_scheduled_instant() -> None:
    """A generator that is late does not make an answer earlier."""
    sent = Sent(10.0, Answer(200, 10.15, 10.25))
    assert sent.late == pytest.approx(0.15)
    assert not sent.good(0.2)
    assert sent.good(0.3)
    assert not Sent(10.0, Answer(504, 10.0, 10.1)).good(0.2)


def test_the_figures_of_wrk_are_read() -> None:
    said = (
        "Running 2s test\n"
        '{"requests": 2000, "duration_us": 2000000, "p50_us": 950, "p99_us": 4000, "errors": 3}\n'
    )
    assert Rate.read(said) == Rate(1000.0, 0.00095, 0.004, 3)


def test_runs_note_their_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = tmp_path / "book"
    book.touch()
    monkeypatch.setenv("VERSUS_LITSERVE_BOOK", str(book))
    assert act(data="xyz") == 3
    act(mark="gone")
    act(mark="gone")
    act(mark="other")
    assert len(noted(book, "gone")) == 2
    assert noted(book, "crash") == []


def test_each_server_is_told_its_limits_in_its_own_way() -> None:
    setup = Setup("square", lit=0.2, ours=("--gateway-timeout", "0.2"), restart=True)
    assert LITSERVE.command(setup, 1234)[-4:] == ["square", "1234", "0.2", "--restart"]
    assert OURS.command(setup, 1234)[-4:] == ["--capacity", "100", "--gateway-timeout", "0.2"]
    assert "versus_litserve.work:square" in THREAD.command(setup, 1234)
    assert "versus_litserve.work:asquare" in TASK.command(setup, 1234)
    assert PLAIN.command(setup, 1234)[-2:] == ["square", "1234"]


def test_the_comparison_itself_imports_no_guest() -> None:
    """Only the servers do, each in a process of its own: the load costs the same for all of them."""
    guests = {"litserve", "fastapi", "uvicorn", "httpx"}
    files = [file for file in PACKAGE.rglob("*.py") if file.name not in {"lit.py", "plain.py"}]
    assert len(files) > 15
    for file in files:
        nodes = list(ast.walk(ast.parse(file.read_text())))
        names = {
            alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names
        }
        names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
        assert not guests & {name.partition(".")[0] for name in names}, file


def test_servers_that_need_guests_at_least_compile() -> None:
    for name in ("lit", "plain"):
        file = PACKAGE / "subjects" / f"{name}.py"
        compile(file.read_text(), str(file), "exec")


def test_each_scenario_is_taken_at_least_once() -> None:
    assert SCENARIOS
    assert all(scenario.rounds >= 1 for scenario in SCENARIOS.values())
