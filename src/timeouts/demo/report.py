"""The figures of a run in words: tables and timelines, every number in them measured."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Group as Stacked
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from timeouts.deadline import written
from timeouts.demo.figures import Figures, Group, Spread
from timeouts.demo.recorder import ANSWERED, FAILED, UNANSWERED, Record
from timeouts.demo.schedule import Kind, Request
from timeouts.demo.sentences import many, sentences
from timeouts.demo.timeline import legend, request_line, whole, worker_lines
from timeouts.policy import Interval
from timeouts.stack import Stack
from timeouts.workers import StopMode

STAGES = {
    Interval.WAITING: "waiting",
    Interval.SERVICE: "running",
    Interval.SOJOURN: "both",
}


def introduction(limits: Stack) -> Stacked:
    """Say what is going to be seen."""
    table = Table.grid(padding=(0, 3))
    for stage, allowed, policy in _allowed(limits):
        table.add_row(stage, f"at most {allowed}", policy)
    return Stacked(
        Text("A request first waits for a worker, then a worker runs it. Each has its own limit:"),
        Padding(table, (1, 0, 1, 2), expand=False),
        Text("Teaching a classifier to read digits ..."),
    )


def headline(limits: Stack) -> Text:
    """Say the limits in one line."""
    rules = (f"{stage} {allowed} {policy}" for stage, allowed, policy in _allowed(limits))
    return Text(" · ".join(rules), "bold", no_wrap=True, overflow="ellipsis")


def _allowed(limits: Stack) -> Iterator[tuple[str, str, str]]:
    for interval, stage in STAGES.items():
        for policy in limits.policies:
            if policy.interval is interval:
                allowed = f"{written(getattr(policy, 'timeout', math.inf))} s"
                yield stage, allowed, type(policy).__name__


def announcement(requests: Sequence[Request], seconds: float, slots: int, taught: int) -> Text:
    """Say what is going to be sent."""
    kinds = Counter(request.kind for request in requests)
    mix = ", ".join(f"{kinds[kind]} {meaning}" for kind, meaning in _MEANING.items() if kinds[kind])
    return Text(
        f"{taught} images taught it. Within {seconds:g} s, {len(requests)} requests come for "
        f"{many(slots, 'worker')}, on a schedule that waits for nobody: {mix}.\n"
    )


_MEANING = {Kind.QUICK: "quick", Kind.SLOW: "slow", Kind.HANG: "that hang"}


def timeline(
    records: Sequence[Record], slots: int, until: float, stop_mode: StopMode, width: int
) -> Stacked:
    """Draw the whole run."""
    axis = whole(until, width)
    return Stacked(
        legend(stop_mode),
        Text(),
        *(request_line(record, until, axis) for record in records),
        axis.ruler(),
        *worker_lines(records, slots, until, axis),
        Text(),
    )


def summary(figures: Figures, limits: Stack, slots: int, *, interrupted: bool) -> Stacked:
    """Tell what was measured."""
    cut = [Text(f"Interrupted after {figures.seconds:.1f} s; until then:", "bold")]
    return Stacked(
        *(cut if interrupted else []),
        outcomes(figures),
        *(
            Padding(Text.assemble((f"{head}. ", "bold"), text), (0, 0, 1, 0), expand=False)
            for head, text in sentences(figures, limits, slots)
        ),
    )


def outcomes(figures: Figures) -> Table:
    """Lay out one row per outcome."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=None)
    table.add_column("outcome")
    table.add_column("count", justify="right")
    table.add_column("told after\nmedian, s", justify="right")
    table.add_column("\nmax, s", justify="right")
    table.add_column("late by\nmedian, ms", justify="right")
    table.add_column("\nmax, ms", justify="right")
    table.add_column("the work")
    for group in figures.groups:
        table.add_row(
            Text(group.verdict, _style(group)),
            str(group.count),
            *_cells(group.after, 1, 2),
            *_cells(group.late, 1000, 1),
            _work(group),
        )
    table.add_section()
    table.add_row("all", str(figures.sent))
    return table


def _work(group: Group) -> str:
    if group.verdict == ANSWERED:
        return "done"
    if group.verdict == UNANSWERED:
        return "runs" if group.started else "waits"
    if not group.started:
        return "never started"
    if group.verdict == FAILED:
        return "raised"
    if group.dead is not None:
        return f"killed, dead in {group.dead.worst * 1000:.1f} ms"
    return f"held workers {group.held:.1f} s more"


def _style(group: Group) -> str:
    return "green" if group.verdict == ANSWERED else "" if group.verdict == UNANSWERED else "red"


def _cells(spread: Spread | None, scale: float, digits: int) -> tuple[str, str]:
    if spread is None:
        return "", ""
    return f"{spread.median * scale:.{digits}f}", f"{spread.worst * scale:.{digits}f}"
