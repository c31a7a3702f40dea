"""What the comparison of hosts makes of what it sees; the figures themselves are never a matter for a test."""

from __future__ import annotations

import ast
from contextlib import nullcontext
from importlib import import_module
from math import inf
from pathlib import Path

import pytest

from hosts import report
from hosts.host import Answer, Host, Setting
from hosts.scenarios import Figures
from hosts.work import last_beat

FOLDER = Path(__file__).parents[2] / "benchmarks" / "hosts"
SUBJECTS = sorted(path.stem for path in (FOLDER / "subjects").glob("*.py") if path.stem[0] != "_")


class Nobody:
    """Answers no question."""

    def ask(self, do: str, mark: str = "", patience: float = 30.0) -> Answer:
        return Answer("")


HOST = Host(
    "host",
    "Host",
    ("wrapt",),
    "page.md",
    lambda _: nullcontext(Nobody()),
    lambda _: nullcontext(Nobody()),
)


def figures(told: float, word: str, stopped: float, served: float, quick: list[float]) -> Figures:
    return Figures([told], word, [told], word, [stopped], [served], quick)


SEEN = {
    "alone": figures(inf, "", inf, inf, [0.001, 0.001, 0.001]),
    "limited": figures(1.003, "504", 0.0021, 0.35, [0.0012, 0.0019, 0.0013]),
}


def test_what_never_came_is_said_in_words() -> None:
    text = report.table(HOST, SEEN)
    assert "| told after | never (in 9 s) | 1.00 s (504) |" in text.replace(
        "execution limit 1 s, `predict` hangs: ", ""
    )
    assert "| still running | stopped 2 ms after the limit |" in text
    assert "| not within 9 s | 0.35 s |" in text
    assert "1.00 ms | 1.30 ms, +300 µs |" in text


def test_the_cost_is_the_median_over_the_rounds_and_has_a_bar() -> None:
    assert report.added(SEEN) == pytest.approx(0.0003)
    assert report.verdict(HOST, SEEN).endswith("+300 µs a request, bar 300 µs: kept")
    dear = {**SEEN, "limited": figures(1, "504", 0, 0, [0.002] * 3)}
    assert report.verdict(HOST, dear).endswith("MISSED")


def test_a_table_takes_the_place_of_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "DOCS", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("before\n\n<!-- benchmark table -->\n\nafter\n")
    report.write(HOST, "| one |")
    report.write(HOST, "| two |")
    written = page.read_text()
    assert written.startswith("before")
    assert written.endswith("\n\nafter\n")
    assert "| two |" in written
    assert "| one |" not in written
    page.write_text("no place")
    with pytest.raises(ValueError, match="has no line"):
        report.write(HOST, "| one |")


def test_a_beat_that_is_half_written_is_none(tmp_path: Path) -> None:
    assert last_beat(tmp_path, "mark") == -inf
    (tmp_path / "mark").write_text("1.5\n2.5\n3.")
    assert last_beat(tmp_path, "mark") == 2.5


def test_a_setting_travels_as_words() -> None:
    setting = Setting(1.0, 20.0)
    assert Setting.read(setting.words()) == setting


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_subject_can_be_listed_without_its_guest(name: str) -> None:
    """`--help` and this test must work where a host is not installed: guests are imported by who serves."""
    tree = ast.parse((FOLDER / "subjects" / f"{name}.py").read_text())
    imported = {
        alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names
    } | {node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)}
    guests = {"fastapi", "flask", "django", "grpc", "litserve", "ray", "starlette", "uvicorn"}
    assert not {module.partition(".")[0] for module in imported} & guests
    host = import_module(f"hosts.subjects.{name}").HOST
    assert host.name == name
    assert (report.DOCS / host.page).exists()
