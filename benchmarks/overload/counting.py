"""What a run comes to: requests as their clients saw them, and the log of what was worked on.

Law: a run is for somebody if its client was answered in time. All else is waste, whoever has stopped it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import NamedTuple

from overload.work import BEGUN, ENDED


class Asked(NamedTuple):
    """One request, as its client saw it.

    Attributes:
        scheduled: when it should have gone out.
        sent: when it did.
        status: of the answer; 0 where there was none.
        at: the instant of the answer; infinite where there was none.
    """

    scheduled: float
    sent: float
    status: int
    at: float = inf

    def within(self, patience: float) -> Asked:
        """Return what the client had when its patience ended: it may have left a little later than it meant to."""
        too_late = self.at - self.sent > patience
        return self._replace(status=0, at=inf) if too_late else self


class Done(NamedTuple):
    """A run of the work: its process, its beginning, and its end; infinite if it never came to that."""

    pid: int
    begun: float
    ended: float = inf


Log = dict[int, Done]


def read(log: Path) -> Log:
    """Read a log, by the numbers of the requests; a last line that is half written is none."""
    runs: Log = {}
    for line in log.read_text().rpartition("\n")[0].splitlines():
        what, number, instant, pid = line.split()
        if what == BEGUN:
            runs[int(number)] = Done(int(pid), float(instant))
        elif what == ENDED:
            runs[int(number)] = runs[int(number)]._replace(ended=float(instant))
    return runs


@dataclass(frozen=True)
class Counted:
    """What a run comes to. Times are in seconds, and in order.

    Attributes:
        goodput: answered in time, per second.
        runs: how often the work was begun, per second.
        busy: the share of the workers' time that these runs took.
        wasted: the share of the runs that were for nobody.
        latencies: of those answered in time.
        told: until a no; infinite for who left without one.
        statuses: of all answers; 0 for none.
        late: how late the generator sent requests.
        services: how long the runs took that came to their end.
        recovery: the mean time from a stop until the worker's successor began another run; 0 if none was
            stopped.
    """

    goodput: float
    runs: float
    busy: float
    wasted: float
    latencies: Sequence[float]
    told: Sequence[float]
    statuses: Counter[int]
    late: Sequence[float]
    services: Sequence[float]
    recovery: float


def counted(
    asked: Sequence[Asked], log: Log, seconds: float, patience: float, workers: int
) -> Counted:
    """Count a run."""
    asked = [one.within(patience) for one in asked]
    good = {number for number, one in enumerate(asked) if one.status == 200}
    return Counted(
        goodput=len(good) / seconds,
        runs=len(log) / seconds,
        busy=sum(_took(asked[number], run, patience) for number, run in log.items())
        / (workers * seconds),
        wasted=len(log.keys() - good) / len(log) if log else 0.0,
        latencies=sorted(asked[number].at - asked[number].sent for number in good),
        told=sorted(one.at - one.sent for one in asked if one.status != 200),
        statuses=Counter(one.status for one in asked),
        late=sorted(one.sent - one.scheduled for one in asked),
        services=services(log),
        recovery=recovery(asked, log, patience, workers),
    )


def services(log: Log) -> list[float]:
    """Return how long the runs took that came to their end, in order."""
    return sorted(run.ended - run.begun for run in log.values() if run.ended < inf)


def _took(asked: Asked, run: Done, patience: float) -> float:
    """Return the seconds for which a worker was held, by a run that was stopped until its client left."""
    ended = run.ended if run.ended < inf else asked.sent + patience
    return max(0.0, ended - run.begun)


def recovery(asked: Sequence[Asked], log: Log, patience: float, workers: int) -> float:
    """Return the mean time from a stop to the successor's first run, where there is always work.

    A process that does not live to the end was stopped when the client of its last run left. Which of them
    was whose successor need not be known for a mean.
    """
    first: dict[int, float] = {}
    last: dict[int, int] = {}
    for number, run in sorted(log.items(), key=lambda item: item[1].begun):
        first.setdefault(run.pid, run.begun)
        last.pop(run.pid, None)
        last[run.pid] = number
    stopped = sorted(asked[number].sent + patience for number in list(last.values())[:-workers])
    back = sorted(first.values())[workers:]
    pairs = list(zip(stopped, back, strict=False))
    return max(0.0, sum(begun - gone for gone, begun in pairs) / len(pairs)) if pairs else 0.0
