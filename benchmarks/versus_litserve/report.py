"""The results as tables: plain text on the terminal, Markdown for the page."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

from versus_litserve.results import Results, short
from versus_litserve.rows import RATES, ROWS, Row
from versus_litserve.scenarios.throughput import SUBJECTS
from versus_litserve.subjects import LITSERVE, OURS

PACKAGES = ("timeouts", "litserve", "fastapi", "starlette", "uvicorn", "uvloop", "httptools")
Line = Sequence[str]


def header() -> str:
    """Say what is measured on what."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    machine = f"{platform.system()} {platform.release()} {platform.machine()}"
    packages = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    load = f"load {os.getloadavg()[0]:.1f}"
    return f"{python}, {machine}, {os.cpu_count()} cores, {load}; {packages}"


def scenarios(results: Results) -> list[Line]:
    """Return the table of the scenarios, a line per row, the heading first."""
    lines: list[Line] = [("", LITSERVE.name, OURS.name, "bar", "")]
    for key, row in ROWS.items():
        if key in results.table:
            cells = [_cell(results, key, row, subject.name) for subject in (LITSERVE, OURS)]
            lines.append((row.title, *cells, *_verdict(results, key, row)))
    return lines


def rates(results: Results) -> list[Line]:
    """Return the table of the throughput, a line per number of connections and figure."""
    names = [subject.name for subject in SUBJECTS]
    lines: list[Line] = [("", *names, "bar", "", "")]
    for key, row in RATES.items():
        if key in results.table:
            cells = [_cell(results, key, row, name) for name in names]
            times = results.against_bar(key, row, OURS.name) if row.to else None
            lines.append((row.title, *cells, *_verdict(results, key, row), short(times, "x")))
    return lines


def text(lines: Sequence[Line]) -> str:
    """Return a table as plain text."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def markdown(lines: Sequence[Line]) -> str:
    """Return a table as Markdown."""
    first, *rest = lines
    return "\n".join([_piped(first), "|---" * len(first) + "|", *map(_piped, rest)])


def missed(results: Results) -> Iterator[str]:
    """Yield the title of each row whose bar ours does not keep."""
    rows: Mapping[str, Row] = {**ROWS, **RATES}
    for key, row in rows.items():
        if _verdict(results, key, row)[1] == "MISSED":
            yield row.title


def _piped(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(results: Results, key: str, row: Row, subject: str) -> str:
    figure = short(results.figure(key, row, subject), row.unit)
    note = results.note(key, subject)
    return f"{figure} ({note})" if note else figure


def _verdict(results: Results, key: str, row: Row) -> tuple[str, str]:
    measured = results.against_bar(key, row, OURS.name)
    if not row.bar or measured is None:
        return row.bar, ""
    return row.bar, "kept" if row.kept(measured) else "MISSED"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
