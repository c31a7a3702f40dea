"""The numbers of a run: computed from the records, nothing assumed."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from timeouts.demo.intervals import looked_at, spans, stuck
from timeouts.demo.recorder import ANSWERED, UNANSWERED, Record
from timeouts.job import Phase


class Spread(NamedTuple):
    """The middle and the worst of some measurements."""

    median: float
    worst: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Summarise at least one value."""
        found = sorted(values)
        return cls(statistics.median(found), found[-1])


@dataclass(frozen=True, slots=True)
class Group:
    """The requests of one outcome.

    Attributes:
        verdict: the policy that ended them, or what else became of them.
        started: whether their work had started.
        count: how many.
        after: when their callers were told, seconds after they should have been sent.
        late: how long after the deadline, in seconds; None where none had passed.
        held: how many seconds their work held workers after its callers were told, all together.
        dead: of work that was killed, how long after its caller was told nothing was left of it.
    """

    verdict: str
    started: bool
    count: int
    after: Spread | None
    late: Spread | None
    held: float
    dead: Spread | None


@dataclass(frozen=True, slots=True)
class Blind:
    """What a queue limit that only a free worker looks at would have made of this very run.

    Attributes:
        count: how many callers were told while every worker was stuck with abandoned work.
        late: how long after their deadlines they really were told, in seconds.
        later: how much later a worker would have looked at them, at the earliest.
    """

    count: int
    late: Spread
    later: Spread


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run showed.

    Attributes:
        sent: how many requests arrived.
        groups: the same by outcome, answered ones first.
        seconds: from the start to the last thing that was seen.
        correct: how many were read correctly.
        wait, service, sojourn: of the answered ones, in seconds; None if there are none.
        lag: how far the sender fell behind its schedule, at worst, in seconds.
        ends: of work that nothing could stop and that was seen to end, how long after its arrival.
        dead: of work that was killed, how long after its caller was told nothing was left of it.
        next: where requests waited while a worker was killed, how long after the caller of the
            killed one was told the next of them was running.
        stuck: for how many seconds every worker was held by abandoned work.
        blind: see there; None if nobody was told while all workers were stuck.
    """

    sent: int
    groups: tuple[Group, ...]
    seconds: float
    correct: int
    wait: Spread | None
    service: Spread | None
    sojourn: Spread | None
    lag: float
    ends: Spread | None
    dead: Spread | None
    next: Spread | None
    stuck: float
    blind: Blind | None

    @property
    def answered(self) -> int:
        """How many got their answer, which the policies grant only within the deadlines."""
        return sum(group.count for group in self.groups if group.verdict == ANSWERED)

    @property
    def goodput(self) -> float:
        """Answers within their deadline, per second."""
        return self.answered / self.seconds if self.seconds > 0 else 0.0


def measure(
    records: Sequence[Record], truth: Callable[[Record], object], slots: int, until: float
) -> Figures:
    """Compute the figures of a run.

    Args:
        records: of all requests that arrived.
        truth: tells the right answer to a record's request.
        slots: how many workers there were.
        until: when the run was over, or was interrupted.
    """
    fine = [record for record in records if record.verdict == ANSWERED]
    return Figures(
        sent=len(records),
        groups=_grouped(records, until),
        seconds=until,
        correct=sum(record.value == truth(record) for record in fine),
        wait=_spread(record.started - record.arrived for record in fine),
        service=_spread(record.ended - record.started for record in fine),
        sojourn=_spread(record.after for record in fine),
        lag=max((record.arrived - record.request.at for record in records), default=0.0),
        ends=_spread(
            record.ended - record.arrived
            for record in records
            if record.expired and record.ended < math.inf and not record.killed
        ),
        dead=_dead(records),
        next=_spread(_waits_behind_the_killed(records)),
        stuck=sum(end - begin for begin, end in stuck(records, slots, until)),
        blind=_blind(records, slots, until),
    )


def _grouped(records: Sequence[Record], until: float) -> tuple[Group, ...]:
    kinds: dict[tuple[str, bool], list[Record]] = {}
    for record in sorted(records, key=_place):
        kinds.setdefault((record.verdict, record.started < math.inf), []).append(record)
    return tuple(
        Group(
            verdict,
            started,
            count=len(members),
            after=None if verdict == UNANSWERED else Spread.of(r.after for r in members),
            late=_spread(record.late for record in members if record.expired),
            held=sum(_held(record, until) for record in members),
            dead=_dead(members),
        )
        for (verdict, started), members in kinds.items()
    )


def _place(record: Record) -> tuple[bool, bool, str, bool]:
    """Answered first, then the policies by name, and last what has no answer."""
    verdict = record.verdict
    return verdict != ANSWERED, verdict == UNANSWERED, verdict, record.started < math.inf


def _held(record: Record, until: float) -> float:
    return sum(s.end - s.begin for s in spans(record, until) if s.phase is Phase.ABANDONED)


def _dead(records: Iterable[Record]) -> Spread | None:
    return _spread(record.ended - record.told for record in records if record.killed)


def _waits_behind_the_killed(records: Sequence[Record]) -> Iterator[float]:
    for killed in records:
        if killed.killed:
            behind = [
                record.started
                for record in records
                if record.arrived < killed.told <= record.started < math.inf
            ]
            if behind:
                yield min(behind) - killed.told


def _blind(records: Sequence[Record], slots: int, until: float) -> Blind | None:
    dark = stuck(records, slots, until)
    seen = [
        (record, looked_at(record, records, slots))
        for record in records
        if record.expired
        and record.started == math.inf
        and any(begin <= record.deadline < end for begin, end in dark)
    ]
    known = [(record, looked) for record, looked in seen if looked < math.inf]
    if not known:
        return None
    return Blind(
        len(known),
        Spread.of(record.late for record, _ in known),
        Spread.of(looked - record.told for record, looked in known),
    )


def _spread(values: Iterable[float]) -> Spread | None:
    found = list(values)
    return Spread.of(found) if found else None
