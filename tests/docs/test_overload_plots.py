"""The page on overload: its pictures are there, its tables have their places, and the same run draws the same bytes."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from docs.plots import classes, script, style
from docs.plots.page import BEGIN, END, PAGE, filled, markdown
from docs.plots.runs import TINY
from docs.plots.style import LIGHT, THEMES, svg
from docs.plots.subjects import SUBJECTS, Subject
from timeouts import discipline

PICTURES = [name for subject in SUBJECTS for name, _, _ in subject.pictures]
IMAGE = re.compile(
    r"!\[([^\]]+)\]\(\.\./images/overload-([a-z-]+)-(light|dark)\.svg#only-(light|dark)\)"
)


def test_each_picture_is_on_the_page_once_for_each_ground_and_described() -> None:
    shown = IMAGE.findall(PAGE.read_text(encoding="utf-8"))
    assert sorted((name, ground) for _, name, ground, _ in shown) == sorted(
        (name, theme.name) for name in PICTURES for theme in THEMES
    )
    assert all(ground == only for _, _, ground, only in shown)
    assert all(len(said) > 80 for said, *_ in shown)


@pytest.mark.parametrize("name", PICTURES)
def test_each_picture_lies_where_it_is_looked_for(name: str) -> None:
    for theme in THEMES:
        drawn = ET.parse(style.file(name, theme))
        assert drawn.getroot().tag.endswith("svg")


def test_no_picture_lies_there_that_nobody_draws() -> None:
    there = {path.name for path in style.IMAGES.glob("overload-*.svg")}
    assert there == {style.file(name, theme).name for name in PICTURES for theme in THEMES}


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_each_subject_is_drawn_and_told_the_same_each_time(subject: Subject) -> None:
    first, again = subject.run(TINY), subject.run(TINY)
    told = subject.table(first)
    assert told == subject.table(again)
    assert len({line.count("|") for line in told.splitlines()}) == 1
    for _, drawing, size in subject.pictures:
        drawn = svg(drawing(first), LIGHT, size)
        assert drawn == svg(drawing(again), LIGHT, size)
        assert b"<dc:date>" not in drawn


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_each_table_of_the_page_has_the_rows_and_columns_that_the_script_writes(
    subject: Subject,
) -> None:
    """Its figures are those of a long run; that the page was written anew for a new rule can be seen from a short one."""
    text = PAGE.read_text(encoding="utf-8")
    begin, end = BEGIN.format(subject.name), END.format(subject.name)
    held = text.partition(begin)[2].partition(end)[0].strip().splitlines()
    told = subject.table(subject.run(TINY)).splitlines()
    names = [[line.split("|")[1] for line in table] for table in (held, told)]
    assert names[0] == names[1]
    assert subject.name == "loads" or held[0] == told[0]


def test_every_discipline_is_among_the_orders() -> None:
    known = {getattr(discipline, name) for name in discipline.__all__} - {discipline.Discipline}
    assert {rule.discipline for rule in classes.RULES} == known


def test_the_script_writes_the_page_and_the_pictures(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "overload.md"
    page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(script, "PAGE", page)
    monkeypatch.setattr(style, "IMAGES", tmp_path)
    script.main(TINY)
    drawn = [path.read_bytes() for path in tmp_path.glob("*.svg")]
    assert len(set(drawn)) == len(PICTURES) * len(THEMES)
    assert page.read_text(encoding="utf-8") != PAGE.read_text(encoding="utf-8")
    assert capsys.readouterr().out.count("\n") == len(SUBJECTS)


def test_a_table_without_a_place_is_refused() -> None:
    table = markdown(("", "a"), [("x", "1")])
    assert table == "|  | a |\n| --- | ---: |\n| x | 1 |"
    text = f"before\n{BEGIN.format('one')}\nold\n{END.format('one')}\nafter"
    assert filled(text, "one", "new") == text.replace("\nold\n", "\n\nnew\n\n")
    with pytest.raises(ValueError, match="no place for two"):
        filled(text, "two", "new")
