"""Refuse on arrival who would not be reached in time.

Law: it is optimistic. Turned away is only who would not be reached in time if all who are ahead took as long as usual
and the next slot were free at once. To let somebody in for nothing costs nothing, the timer catches him; to turn somebody
away for nothing costs an answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from timeouts.admission.base import Admission, Door, Refusal
from timeouts.deadline import spoken
from timeouts.errors import WaitTooLong


@dataclass(frozen=True)
class PredictedWait(Admission):
    """Refuse on arrival who would not be started in time: `Server(predict, limits, admission=PredictedWait())`.

    The wait is predicted as the number of those who wait and come first by the order of the queue, times the mean
    time that a job holds a slot, by the slots, also those that abandoned work still holds and those of workers that are
    being replaced. Who would expire before that is told at once, with `WaitTooLong` and when to come back.

    Args:
        share: the largest share of arrivals that it may refuse; 0.95 by default.
        dark: whether it only counts whom it would refuse, in `stats().hopeless`; default False.

    Raises:
        TypeError, ValueError: an argument makes no sense; the message names it and its value.

    Cannot do: go with a discipline that cannot say who is ahead, such as `LIFO`. Foresee who of those ahead will leave
    or expire, as after a burst, or who will come and be served first. Know how long a request takes before it has run, or
    that abandoned work will never end: then too few are refused, and their limits tell them.
    """

    def door(self) -> Door:
        """Return a fresh account of this rule."""
        return _Door(self)


class _Door(Door):
    foresees = True

    def arrives(self, wait: float, left: float) -> Refusal:
        if not self.refuses(hopeless=wait > left):
            return None
        refusal = WaitTooLong(
            f"would have to wait for some {spoken(wait)} s, and there are {spoken(left)} s",
            limit=left,
        )
        refusal.retry_after = wait - left
        return refusal
