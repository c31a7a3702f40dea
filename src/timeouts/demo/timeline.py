"""Bars in a terminal: one line per request, and one per worker, over one axis of time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.text import Text

from timeouts.demo.intervals import Span, lanes, spans
from timeouts.demo.recorder import ANSWERED, Record
from timeouts.job import Phase
from timeouts.workers import StopMode

GLYPH = {Phase.WAITING: "░", Phase.RUNNING: "█", Phase.ABANDONED: "▒"}
STYLE = {Phase.WAITING: "yellow", Phase.RUNNING: "blue", Phase.ABANDONED: "red"}
_ORDER = tuple(GLYPH)
GIVEN_UP: dict[StopMode, str] = {
    "abandon": "abandoned: caller told, worker still busy  ",
    "kill": "caller told, worker being killed  ",
}
Cell = tuple[str, str]  # a character and its style
DEADLINE = "│"
LEFT, RIGHT = 10, 31
STEPS = (1, 2, 5, 10, 30, 60, 120, 300)  # seconds between two labels


@dataclass(frozen=True, slots=True)
class Axis:
    """Which stretch of time is shown, in how many cells."""

    begin: float
    cell: float
    cells: int

    def cell_of(self, instant: float) -> int:
        """Return the cell in which an instant lies; it may lie outside."""
        return math.floor((instant - self.begin) / self.cell + 1e-9)

    def ruler(self) -> Text:
        """Label whole seconds, as many as there is room for."""
        step = next(step for step in STEPS if step / self.cell >= 6 or step == STEPS[-1])
        line = [" "] * self.cells
        for second in range(0, math.ceil(self.begin + self.cell * self.cells), step):
            at, label = self.cell_of(second), f"╵{second} s"
            if 0 <= at <= self.cells - len(label):
                line[at : at + len(label)] = label
        return _line("", Text("".join(line), "dim"), "")


def whole(seconds: float, width: int) -> Axis:
    """Return an axis that shows everything."""
    cells = max(10, width - LEFT - RIGHT - 2)
    return Axis(0.0, max(seconds, 0.1) / cells, cells)


def recent(now: float, width: int) -> Axis:
    """Return an axis of the last seconds and the next one, in which deadlines show up ahead."""
    cells = max(10, width - LEFT - RIGHT - 2)
    cell = min(max(8 / cells, 0.08), 0.2)
    first = math.ceil((now + 1.0) / cell) - cells
    return Axis(max(first, 0) * cell, cell, cells)


def legend(stop_mode: StopMode) -> Text:
    """Say what the bars mean."""
    return Text.assemble(
        *_key(Phase.WAITING, "waiting  "),
        *_key(Phase.RUNNING, "running  "),
        *_key(Phase.ABANDONED, GIVEN_UP[stop_mode]),
        (DEADLINE, "bold"),
        (" deadline", "dim"),
        no_wrap=True,
        overflow="crop",
    )


def request_line(record: Record, now: float, axis: Axis) -> Text:
    """Draw one request."""
    cells = _cells(spans(record, now), axis)
    if record.deadline < math.inf and 0 <= (at := axis.cell_of(record.deadline)) < axis.cells:
        cells[at] = (DEADLINE, "dim" if record.verdict == ANSWERED else "bold")
    name = f"{record.request.number:>4} {record.request.kind}"
    return _line(name, _bar(cells), _fate(record, now))


def worker_lines(records: Sequence[Record], slots: int, now: float, axis: Axis) -> list[Text]:
    """Draw what each worker has been doing."""
    lines = []
    for number, lane in enumerate(lanes(records, slots), start=1):
        busy = [span for record in lane for span in _busy(record, now)]
        bar = _bar(_cells(busy, axis))
        lines.append(_line(f"worker {number}", bar, _duty(lane[-1] if lane else None, now)))
    return lines


def _line(left: str, bar: Text, right: str | Text) -> Text:
    line = Text(f"{left:<{LEFT}.{LEFT}} ", no_wrap=True, overflow="crop")
    line.append(bar)
    line.append(" ")
    return line.append(right if isinstance(right, Text) else Text(right))


def _cells(stretches: Sequence[Span], axis: Axis) -> list[Cell]:
    """Fill the cells, later phases over earlier ones; the shortest stretch still gets a cell."""
    cells: list[Cell] = [(" ", "")] * axis.cells
    for span in sorted(stretches, key=lambda span: _ORDER.index(span.phase)):
        first, last = axis.cell_of(span.begin), axis.cell_of(span.end)
        for i in range(max(first, 0), min(max(last, first + 1), axis.cells)):
            cells[i] = (GLYPH[span.phase], STYLE[span.phase])
    return cells


def _bar(cells: Sequence[Cell]) -> Text:
    return Text.assemble(*((c[0] * len(list(same)), c[1]) for c, same in groupby(cells)))


def _busy(record: Record, now: float) -> list[Span]:
    return [span for span in spans(record, now) if span.phase is not Phase.WAITING]


def _fate(record: Record, now: float) -> Text:
    if record.told == math.inf:
        stage, since = _stage(record)
        return Text(f"{stage} for {max(now - since, 0):.1f} s", STYLE[stage])
    if record.verdict == ANSWERED:
        return Text(f"read a {record.value} after {record.after:.2f} s", "green")
    if record.killed:
        return Text(f"{record.verdict} {record.after:.2f} s, killed", "bold red")
    return Text(f"{record.verdict} after {record.after:.2f} s", "bold red")


def _duty(record: Record | None, now: float) -> Text:
    if record is None or record.ended <= now:
        return Text("free", "green")
    name = f"{record.request.number}"
    if record.told <= now:
        return Text(f"stuck with {name} for {now - record.told:.1f} s", "bold red")
    return Text(f"runs {name}", STYLE[Phase.RUNNING])


def _stage(record: Record) -> tuple[Phase, float]:
    if record.started < math.inf:
        return Phase.RUNNING, record.started
    return Phase.WAITING, record.arrived


def _key(phase: Phase, meaning: str) -> list[tuple[str, str]]:
    return [(GLYPH[phase], STYLE[phase]), (f" {meaning}", "dim")]
