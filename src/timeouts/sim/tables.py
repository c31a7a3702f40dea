"""Reports as tables for a terminal.

Times are p50 / p99, in seconds after arrival. Of the slots, so many are busy, and so many without a worker.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from timeouts.sim.plan import Plan
from timeouts.sim.report import Figures, Report
from timeouts.sim.workers import Kill, Stop

MANY = 12
"""More kinds of callers than so many are not listed."""
Runs = Sequence[tuple[float, Report]]


def tables(plan: Plan, runs: Runs) -> Iterator[Table]:
    """Yield the tables: of all callers, of each kind, and of outcomes."""
    yield _goodput(plan, runs)
    names = list(dict.fromkeys(name for _, report in runs for name in report.clients))
    if 1 < len(names) <= MANY:
        yield _clients(names, runs)
    yield _outcomes(runs)


def _goodput(plan: Plan, runs: Runs) -> Table:
    server = plan.server
    table = _table(
        f"{server['limits']}, {server['slots']} slots, {_stopping(server['stop'])}",
        ("offered/s", "in time/s", "limit/s", "set by", "of limit", "wasted", "busy / gone"),
        *_TIMES,
        "fair",
    )
    for load, report in runs:
        table.add_row(
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
    return table


def _clients(names: Sequence[str], runs: Runs) -> Table:
    table = _table("by kind of caller", ("caller", "offered/s", "in time"), *_TIMES)
    for load, report in runs:
        for name in (name for name in names if name in report.clients):
            figures = report.clients[name]
            offered = f"{figures.offered / report.duration:.1f}"
            table.add_row(f"{load:.3g}", name, offered, percent(figures.success), *_times(figures))
    return table


def _outcomes(runs: Runs) -> Table:
    names = sorted({name for _, report in runs for name in report.outcomes})
    table = _table("outcomes of attempts", (*names, "left"))
    for load, report in runs:
        counts = [report.outcomes.get(name, 0) for name in names]
        table.add_row(f"{load:.3g}", *(f"{count:,}" for count in (*counts, report.left)))
    return table


_TIMES = ("answered after", "told no after")


def _times(figures: Figures) -> tuple[str, str]:
    return (
        pair(figures.latency_p50, figures.latency_p99),
        pair(figures.told_p50, figures.told_p99),
    )


def _table(title: str, columns: Sequence[str], *more: str) -> Table:
    table = Table(title=Text(title), title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for name in ("load", *columns, *more):
        table.add_column(name, justify="right", overflow="fold")
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
