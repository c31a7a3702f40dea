"""Reports as tables for a terminal.

Times are p50 / p99, in seconds after arrival. Of the slots, so many are busy, and so many without a worker.

Law: no number is cut or left out for want of room. A table that is too wide is turned, with a column for each of its
rows; one that is still too wide is as wide as it has to be.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from timeouts.sim.plan import Plan
from timeouts.sim.report import Figures, Report
from timeouts.sim.workers import Kill, Stop

MANY = 12
"""More kinds of callers than so many are not listed."""
Runs = Sequence[tuple[float, Report]]


class Sheet(NamedTuple):
    """A table that is not laid out yet."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    @property
    def width(self) -> int:
        """How many characters it takes, with what stands between and around the columns."""
        lengths = [max(map(len, column)) for column in zip(self.columns, *self.rows, strict=True)]
        return sum(lengths) + 3 * len(lengths) + 1

    @property
    def turned(self) -> Sheet:
        """The same with a column for each row."""
        columns, *rows = zip(self.columns, *self.rows, strict=True)
        return Sheet(self.title, columns, rows)


def tables(plan: Plan, runs: Runs, width: int) -> Iterator[Table]:
    """Yield the tables, of all callers, of each kind, and of outcomes, to be printed without cropping."""
    yield _laid_out(_goodput(plan, runs), width)
    names = list(dict.fromkeys(name for _, report in runs for name in report.clients))
    if 1 < len(names) <= MANY:
        yield _laid_out(_clients(names, runs), width)
    yield _laid_out(_outcomes(runs), width)


def _goodput(plan: Plan, runs: Runs) -> Sheet:
    server = plan.server
    columns = ("offered/s", "in time/s", "limit/s", "set by", "of limit", "wasted", "busy / gone")
    rows = [
        (
            f"{load:.3g}",
            f"{report.offered / report.duration:.1f}",
            f"{report.goodput:.1f}",
            f"{report.limit.goodput:.1f}",
            report.limit.by,
            percent(report.efficiency),
            percent(report.wasted),
            f"{percent(report.utilisation)} / {percent(report.recovering)}",
            *_times(report),
            "-" if report.fairness is None else f"{report.fairness:.2f}",
        )
        for load, report in runs
    ]
    title = f"{server['limits']}, {server['slots']} slots, {_stopping(server['stop'])}"
    return Sheet(title, ("load", *columns, *_TIMES, "fair"), rows)


def _clients(names: Sequence[str], runs: Runs) -> Sheet:
    rows = list[Sequence[str]]()
    for load, report in runs:
        for name in (name for name in names if name in report.clients):
            figures = report.clients[name]
            offered = f"{figures.offered / report.duration:.1f}"
            row = f"{load:.3g}", name, offered, percent(figures.success), *_times(figures)
            rows.append(row)
    return Sheet("by kind of caller", ("load", "caller", "offered/s", "in time", *_TIMES), rows)


def _outcomes(runs: Runs) -> Sheet:
    names = sorted({name for _, report in runs for name in report.outcomes})
    rows = list[Sequence[str]]()
    for load, report in runs:
        counts = [report.outcomes.get(name, 0) for name in names]
        rows.append((f"{load:.3g}", *(f"{count:,}" for count in (*counts, report.left))))
    return Sheet("outcomes of attempts", ("load", *names, "left"), rows)


_TIMES = ("answered after", "told no after")


def _times(figures: Figures) -> tuple[str, str]:
    return (
        pair(figures.latency_p50, figures.latency_p99),
        pair(figures.told_p50, figures.told_p99),
    )


def _laid_out(sheet: Sheet, width: int) -> Table:
    if sheet.width > width:
        sheet = min(sheet, sheet.turned, key=lambda one: one.width)
    table = Table(
        title=Text(sheet.title),
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        width=sheet.width,
    )
    for name in sheet.columns:
        table.add_column(name, justify="right")
    for row in sheet.rows:
        table.add_row(*row)
    return table


def _stopping(stop: Stop) -> str:
    if isinstance(stop, Kill):
        return f"workers are killed and back after {stop.recovery:g} s, spares: {stop.spares}"
    return {"cancel": "work is cancelled", "abandon": "work cannot be stopped"}[stop]


def percent(share: float) -> str:
    """Write a share."""
    return "-" if math.isnan(share) else f"{share:.0%}"


def pair(middle: float | None, late: float | None) -> str:
    """Write two times, or that nobody was told any."""
    return "-" if middle is None or late is None else f"{_time(middle)} / {_time(late)}"


def _time(seconds: float) -> str:
    return (
        "never" if seconds == math.inf else f"{seconds:.2f}" if seconds < 10 else f"{seconds:.0f}"
    )
