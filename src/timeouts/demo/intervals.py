"""From records to stretches of time: what a request was doing when, and what each worker was."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from timeouts.demo.recorder import Record
from timeouts.job import Phase


class Span(NamedTuple):
    """A stretch of time in one phase."""

    phase: Phase
    begin: float
    end: float


def spans(record: Record, now: float) -> list[Span]:
    """Return what a request has done until `now`, in order; empty stretches are left out."""
    over = min(record.ended, now)
    given_up = record.told if record.ended > record.told else over
    life = [
        Span(Phase.WAITING, record.arrived, min(record.started, record.told, now)),
        Span(Phase.RUNNING, record.started, min(given_up, now)),
        Span(Phase.ABANDONED, max(record.told, record.started), over),
    ]
    return [span for span in life if span.begin < span.end]


def lanes(records: Iterable[Record], slots: int) -> list[list[Record]]:
    """Deal the requests that were started out to workers, so that no worker has two at once.

    The server keeps count of its slots and gives them no names: these are ours.
    """
    workers: list[list[Record]] = [[] for _ in range(slots)]
    for record in sorted(_started(records), key=lambda record: record.started):
        free = [lane for lane in workers if not lane or lane[-1].ended <= record.started]
        # Two clock readings of one instant may differ by a hair.
        lane = free[0] if free else min(workers, key=lambda lane: lane[-1].ended)
        lane.append(record)
    return workers


def stuck(records: Sequence[Record], slots: int, until: float) -> list[tuple[float, float]]:
    """Return the stretches of time in which every slot was held by abandoned work."""
    abandoned = [
        (span.begin, span.end)
        for record in _started(records)
        for span in spans(record, until)
        if span.phase is Phase.ABANDONED
    ]
    edges = sorted([(begin, 1) for begin, _ in abandoned] + [(end, -1) for _, end in abandoned])
    found: list[tuple[float, float]] = []
    held, since = 0, math.inf
    for instant, change in edges:
        if held == slots:
            found.append((since, instant))
        held, since = held + change, instant
    return [(begin, end) for begin, end in found if begin < end]


def looked_at(record: Record, records: Sequence[Record], slots: int) -> float:
    """Return when a worker would first have looked at a request whose deadline passed in the queue.

    That is the deadline itself if a slot was free then, else the next instant at which one became
    free; `math.inf` if none did while we watched.
    """
    then = record.deadline
    busy = [other for other in _started(records) if other.started <= then < other.ended]
    return then if len(busy) < slots else min(other.ended for other in busy)


def _started(records: Iterable[Record]) -> list[Record]:
    return [record for record in records if record.started < math.inf]
