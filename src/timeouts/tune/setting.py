"""One point of the search: a reserve, an execution timeout, an order of the queue, who is let in, and slots.

A queue timeout is not among them. One of q seconds under a deadline D ends a wait when a reserve of D - q does,
and a reserve holds for callers with a shorter budget as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from timeouts.options import checked_admission
from timeouts.policy import ExecutionTimeout, GatewayTimeout
from timeouts.serve.admissions import ADMISSIONS, NOBODY
from timeouts.serve.disciplines import DEFAULT, DISCIPLINES
from timeouts.sim.recorded import Recorded
from timeouts.stack import Stack
from timeouts.tune.rule import Rule

PARTS = 8
"""Fixed reserves are multiples of such a part of the deadline."""
TAILS = ((0.95, 1.0), (0.99, 1.0), (0.99, 2.0), (0.99, 4.0))
"""Fixed execution timeouts: so many times the time within which so many of the healthy runs end."""
AXES = ("reserve", "execution", "discipline", "admission")
Auto = Literal["auto"]
LEARNED: Auto = "auto"


@dataclass(frozen=True)
class Setting:
    """What may be recommended.

    Attributes:
        slots: how many may run at once.
        reserve: seconds of the deadline that are held back from waiting, or `"auto"`.
        execution: seconds after which a run is stopped, or `"auto"`; infinite for no such limit.
        discipline: the name of an order of the queue.
        admission: the name of a rule for who is let into it.
    """

    slots: int
    reserve: float | Auto = LEARNED
    execution: float | Auto = math.inf
    discipline: str = DEFAULT
    admission: str = NOBODY

    @property
    def can_be(self) -> bool:
        """Whether the order and who is let in go together."""
        try:
            checked_admission(ADMISSIONS[self.admission], DISCIPLINES[self.discipline])
        except ValueError:
            return False
        return True

    def rule(self, deadline: float) -> Rule:
        """Return what the server is under then."""
        limits = Stack(GatewayTimeout(deadline, reserve=self.reserve))
        if self.execution != math.inf:
            limits |= ExecutionTimeout(self.execution)
        return Rule(limits, self.discipline, self.admission, self.slots)


def along(
    axis: str, setting: Setting, service: Recorded, deadline: float, *, stops: bool
) -> list[Setting]:
    """Return a setting with each value of one of the `AXES`, the simplest first: what adapts by itself.

    Args:
        axis: the attribute that changes.
        setting: what stays of it.
        service: how long runs take.
        deadline: when an answer is worthless.
        stops: whether runs can be stopped; a limit on those that cannot brings nobody an answer.
    """
    if axis == "discipline":
        names = sorted(DISCIPLINES, key=lambda name: name != DEFAULT)
        settings = [replace(setting, discipline=name) for name in names]
        return [one for one in settings if one.can_be]
    if axis == "admission":
        settings = [replace(setting, admission=name) for name in ADMISSIONS]
        return [one for one in settings if one.can_be]
    if axis == "reserve":
        parts = (rounded(deadline * part / PARTS) for part in range(1, PARTS))
        reserves: tuple[float | Auto, ...] = (LEARNED, 0.0, *parts)
        return [replace(setting, reserve=reserve) for reserve in reserves]
    limits: tuple[float | Auto, ...] = (math.inf, LEARNED, *_tails(service, deadline))
    return [replace(setting, execution=limit) for limit in (limits if stops else limits[:1])]


def _tails(service: Recorded, deadline: float) -> Iterator[float]:
    tails = {rounded(times * service.quantile(share)) for share, times in TAILS}
    return (tail for tail in sorted(tails, reverse=True) if 0 < tail < deadline)


def rounded(seconds: float) -> float:
    """Return a duration to three digits: more would be chance."""
    return float(f"{seconds:.3g}")
