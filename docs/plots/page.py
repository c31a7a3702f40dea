"""The page, and the places in it that are written by the script."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1]
PAGE = DOCS / "explanation" / "overload.md"
BEGIN, END = "<!-- begin: {}, written by docs/plots -->", "<!-- end: {} -->"


def filled(text: str, name: str, table: str) -> str:
    """Return the page with a table in its place."""
    begin, end = BEGIN.format(name), END.format(name)
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{PAGE} has no place for {name}: {begin} ... {end}")
    return f"{before}{begin}\n\n{table}\n\n{end}{after}"


def markdown(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; its first column is text, the others are figures."""
    rule = ["---", *["---:"] * (len(heading) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (heading, rule, *rows))
