"""What the picture says in words and colours: title, legend, and notes where there is something to see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from timeouts.deadline import written
from timeouts.demo.recorder import Record
from timeouts.demo.schedule import Kind
from timeouts.job import Phase
from timeouts.policy import Interval
from timeouts.stack import Stack
from timeouts.workers import StopMode

COLOUR = {Phase.WAITING: "#f3c14b", Phase.RUNNING: "#3b7dbf", Phase.ABANDONED: "#f2b8b0"}
HATCH = {Phase.ABANDONED: "//////"}
MEANING = {
    Phase.WAITING: "waiting for a worker",
    Phase.RUNNING: "running on a worker",
}
GIVEN_UP: dict[StopMode, str] = {
    "abandon": "abandoned: its caller was told,\nits worker is still busy",
    "kill": "its caller was told,\nits worker is being killed",
}
TOLD, FINE, INK, PALE, DARK = "#c0281c", "#2e8b57", "#333333", "#8a8a8a", "#c0281c"


def write_titles(figure: Figure, height: float, limits: Stack, stop_mode: StopMode) -> None:
    """Say above the picture what it shows; `height` is the figure's, in inches."""
    figure.text(
        0.015,
        1 - 0.3 / height,
        "A request first waits for a worker, then runs on it: two stages, each with a limit",
        fontsize=15,
        weight="bold",
        va="center",
    )
    allowed = {policy.interval: _allowed(policy) for policy in limits.policies}
    figure.text(
        0.015,
        1 - 0.6 / height,
        f"waiting: {allowed[Interval.WAITING]}   ·   running: {allowed[Interval.SERVICE]}   ·   "
        f"both together: {allowed[Interval.SOJOURN]}",
        fontsize=10.5,
        va="center",
    )
    meaning = {**MEANING, Phase.ABANDONED: GIVEN_UP[stop_mode]}
    handles: list[Any] = [
        *(
            Patch(fc=COLOUR[phase], hatch=HATCH.get(phase), ec="white", label=meaning[phase])
            for phase in COLOUR
        ),
        Line2D([], [], marker="|", ls="", color=INK, ms=10, mew=1.6, label="deadline"),
        Line2D([], [], marker="o", ls="", color=FINE, ms=5, label="told: the answer"),
        Line2D([], [], marker="X", ls="", color=TOLD, ms=7, label="told: out of time"),
        Patch(fc=DARK, alpha=0.12, label="all workers stuck"),
    ]
    figure.legend(
        handles=handles,
        loc="center left",
        bbox_to_anchor=(0.01, 1 - 0.98 / height),
        ncols=len(handles),
        frameon=False,
        columnspacing=1.4,
        handletextpad=0.6,
    )


def _allowed(policy: Any) -> str:
    return f"at most {written(policy.timeout)} s ({type(policy).__name__})"


def write_notes(
    axes: Axes, records: Sequence[Record], dark: list[tuple[float, float]], until: float
) -> None:
    """Point at the first of each thing that is to be seen."""
    rows = {record.request.number: row for row, record in enumerate(records)}
    hung = [r for r in records if r.started < r.told < math.inf and _held(r, until) > 1]
    if hung:
        first = hung[0]
        note = (
            f"the caller of {name_of(first)} was told at its deadline, {_ms(first.late)} late;\n"
            "but nothing can stop a thread: its worker stayed stuck"
        )
        row = rows[first.request.number]
        _point(axes, note, first.told + _held(first, until) / 2, row, row - 5)
    killed = [r for r in records if r.killed and r.request.kind is Kind.HANG]
    if killed:
        first = killed[0]
        note = (
            f"the caller of {name_of(first)} was told at its deadline, {_ms(first.late)} late;\n"
            f"its worker was killed, and dead {_ms(first.ended - first.told)} after that"
        )
        row = rows[first.request.number]
        _point(axes, note, first.told, row, row - 5)
    for begin, end in dark:
        told = [r for r in records if r.started == math.inf and begin <= r.deadline < end]
        if told and end - begin > 0.5:
            note = (
                f"every worker was stuck for {end - begin:.1f} s, so none looked at the queue;\n"
                f"yet these {len(told)} callers were told, at most {_ms(max(r.late for r in told))} late"
            )
            middle = told[len(told) // 2]
            above = min(rows[r.request.number] for r in records if r.started < begin < r.ended)
            _point(axes, note, middle.told + 0.12, rows[middle.request.number], above - 3)
            break


def _held(record: Record, until: float) -> float:
    """Return how long a worker was busy with it after its caller was told."""
    return min(record.ended, until) - record.told


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def _point(axes: Axes, text: str, x: float, row: float, text_row: float) -> None:
    """Write where there is room: above the diagonal along which requests arrive."""
    left, right = axes.get_xlim()
    fits = x < left + 0.55 * (right - left)
    axes.annotate(
        text,
        xy=(x, row - 0.4),
        xytext=(x + 0.6 if fits else right - 0.1, max(text_row, 0.5)),
        ha="left" if fits else "right",
        va="center",
        ma="left",
        fontsize=9,
        linespacing=1.4,
        bbox={"boxstyle": "round,pad=0.45", "fc": "white", "ec": PALE, "lw": 0.7},
        arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 0.9, "shrinkB": 1},
        zorder=6,
    )


def name_of(record: Record) -> str:
    """Name a request; the quick ones are too many to be called so."""
    kind = record.request.kind
    return f"{record.request.number}" if kind is Kind.QUICK else f"{kind} {record.request.number}"
