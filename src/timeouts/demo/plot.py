"""The run as a picture: every request above, the workers below, one axis of time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from timeouts.demo.captions import (
    COLOUR,
    DARK,
    FINE,
    HATCH,
    INK,
    PALE,
    TOLD,
    name_of,
    write_notes,
    write_titles,
)
from timeouts.demo.intervals import lanes, spans, stuck
from timeouts.demo.recorder import ANSWERED, Record
from timeouts.job import Phase
from timeouts.stack import Stack
from timeouts.workers import StopMode

ROW, TALLEST = 0.155, 60.0  # inches
FEWEST = 12  # rows
STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 9.5,
    "hatch.linewidth": 0.7,
    "hatch.color": TOLD,
    "text.color": INK,
    "axes.edgecolor": PALE,
    "svg.fonttype": "none",
}


def save(  # noqa: PLR0917
    file: Path,
    records: Sequence[Record],
    slots: int,
    until: float,
    limits: Stack,
    stop_mode: StopMode,
) -> None:
    """Draw the run into a file, whose ending says in which format."""
    with rc_context(STYLE):
        figure = draw(records, slots, until, limits, stop_mode)
        figure.savefig(file, dpi=150)


def draw(
    records: Sequence[Record], slots: int, until: float, limits: Stack, stop_mode: StopMode
) -> Figure:
    """Draw the run."""
    rows = max(len(records), FEWEST)
    lower = 0.32 * slots + 0.2
    height = min(rows * ROW, TALLEST) + lower + 2.4
    figure = Figure(figsize=(13, height))
    FigureCanvasAgg(figure)
    upper_axes, lower_axes = figure.subplots(
        2, 1, sharex=True, height_ratios=[height - lower - 2.4, lower]
    )
    figure.subplots_adjust(
        left=0.075, right=0.985, top=1 - 1.35 / height, bottom=0.62 / height, hspace=0.5 / height
    )
    dark = stuck(records, slots, until)
    _requests(upper_axes, records, until)
    _workers(lower_axes, records, slots, until)
    for axes in (upper_axes, lower_axes):
        for begin, end in dark:
            axes.axvspan(begin, end, color=DARK, alpha=0.07, linewidth=0)
        _plain(axes)
    end = max([until, *(r.deadline for r in records if r.expired)], default=until)
    upper_axes.set_xlim(-0.15, end + 0.1)
    lower_axes.set_xlabel("seconds after the start")
    write_notes(upper_axes, records, dark, until)
    write_titles(figure, height, limits, stop_mode)
    return figure


def _requests(axes: Axes, records: Sequence[Record], until: float) -> None:
    for row, record in enumerate(records):
        _bar(axes, row, record, until)
        if record.deadline < math.inf:
            shade = PALE if record.verdict == ANSWERED else INK
            width = 0.8 if record.verdict == ANSWERED else 1.6
            axes.vlines(record.deadline, row - 0.42, row + 0.42, color=shade, linewidth=width)
        if record.told < math.inf:
            fine = record.verdict == ANSWERED
            axes.plot(
                record.told,
                row,
                marker="o" if fine else "X",
                markersize=3.6 if fine else 5.5,
                color=FINE if fine else TOLD,
                markeredgecolor="white",
                markeredgewidth=0.5,
                zorder=4,
            )
    axes.set_ylim(max(len(records), FEWEST) - 0.3, -0.8)
    axes.text(-0.008, 1.0, "request", transform=axes.transAxes, ha="right", fontsize=8, color=PALE)
    axes.set_yticks(range(len(records)), [name_of(record) for record in records], fontsize=6.5)


def _workers(axes: Axes, records: Sequence[Record], slots: int, until: float) -> None:
    for row, lane in enumerate(lanes(records, slots)):
        axes.hlines(row, 0, until, color="#dddddd", linewidth=0.8, zorder=0)
        for record in lane:
            _bar(axes, row, record, until, without=Phase.WAITING, height=0.66)
            _label(axes, row, record, until)
    axes.set_ylim(slots - 0.4, -0.6)
    axes.set_yticks(range(slots), [f"worker {number}" for number in range(1, slots + 1)])


def _label(axes: Axes, row: int, record: Record, until: float) -> None:
    """Name the work that a worker is stuck with, if there is room."""
    for phase, begin, end in spans(record, until):
        if phase is Phase.ABANDONED and end - begin > 0.8:
            axes.text(
                (begin + end) / 2,
                row,
                name_of(record),
                fontsize=8,
                ha="center",
                va="center",
                color=TOLD,
                bbox={"boxstyle": "round,pad=0.25", "fc": "white", "ec": "none"},
                zorder=4,
            )


def _bar(
    axes: Axes,
    row: int,
    record: Record,
    until: float,
    *,
    without: Phase | None = None,
    height: float = 0.7,
) -> None:
    for phase, begin, end in spans(record, until):
        if phase is not without:
            axes.barh(
                row,
                end - begin,
                left=begin,
                height=height,
                color=COLOUR[phase],
                hatch=HATCH.get(phase),
                edgecolor="white",
                linewidth=0.4,
                zorder=2,
            )


def _plain(axes: Axes) -> None:
    axes.tick_params(length=0, colors=INK)
    axes.grid(axis="x", color="#e6e6e6", linewidth=0.7, zorder=0)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
