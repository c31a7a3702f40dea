"""Refuse who has waited long in a queue that stands.

A queue is good while it absorbs a burst, and bad where it stands: then everybody waits, and nobody is served the sooner
for it. What tells the two apart is the least wait of an interval (Nichols and Jacobson, "Controlling Queue Delay",
2012; RFC 8289). For requests, which cannot be thinned out as packets can, Facebook's servers turn away, as long as the
queue stands, whoever has waited twice the target (Maurer, "Fail at Scale", 2015).

Law: target and interval are multiples of the mean time that a job holds a slot; milliseconds made for packets would have
a server of slow models refuse nearly everybody.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass

from timeouts.admission.base import Admission, Door, Refusal, positive
from timeouts.deadline import spoken
from timeouts.errors import WaitTooLong

SLOUGH = 2.0
"""So many times the target: who has waited longer is turned away while the queue stands."""


@dataclass(frozen=True)
class CoDel(Admission):
    """Refuse, as long as the queue stands, who has waited too long: `Server(predict, limits, admission=CoDel())`.

    A queue stands when in a whole interval nobody was started who had waited for less than the target. Whoever then has
    waited for twice the target when his turn comes is told so, with `WaitTooLong`, and the next one is started: waits
    become short, also where budgets are long.

    Args:
        share: the largest share of jobs that it may refuse; 0.95 by default.
        dark: whether it only counts whom it would refuse, in `stats().hopeless`; default False.
        target: the wait that is no harm, in mean times that a job holds a slot; default 0.5.
        interval: how long a queue has to stand, in the same unit; default 10.

    Raises:
        TypeError, ValueError: an argument makes no sense; the message names it and its value.

    Cannot do: tell anybody before his turn; that is what the timer of his limits, or `PredictedWait`, is for. Serve as many
    near saturation as where the wait may be long: short waits are what it is for.
    """

    _: KW_ONLY
    target: float = 0.5
    interval: float = 10.0

    def __post_init__(self) -> None:
        """Refuse nonsense."""
        super().__post_init__()
        positive("target", self.target)
        positive("interval", self.interval)
        if self.interval < self.target:
            raise ValueError(
                f"interval must be at least target={self.target!r}; got {self.interval!r}"
            )

    def door(self) -> Door:
        """Return a fresh account of this rule."""
        return _Door(self)


class _Door(Door):
    def __init__(self, rule: CoDel) -> None:
        super().__init__(rule)
        self._target = rule.target
        self._interval = rule.interval
        self._least = 0.0
        self._ends = -math.inf
        self._stands = False

    def starts(self, waited: float, held: float | None, now: float) -> Refusal:
        if held is None:
            return None
        target, interval = self._target * held, self._interval * held
        if now >= self._ends:
            # Where nobody was started for an interval more, there may have been nobody who waited.
            self._stands = self._least > target and now < self._ends + interval
            self._ends = now + interval
            self._least = waited
        elif waited < self._least:
            self._least = waited
        if not self.refuses(hopeless=self._stands and waited > SLOUGH * target):
            return None
        return WaitTooLong(
            f"waited {spoken(waited)} s in a queue that stands; CoDel allows {spoken(SLOUGH * target)} s",
            limit=SLOUGH * target,
            elapsed=waited,
        )
