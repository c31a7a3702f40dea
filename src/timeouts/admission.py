"""Who is let in to wait: a prediction of the wait, and what keeps it from doing harm.

Laws:
- It is optimistic: turned away is only who would not be reached in time if all who are ahead took as long as usual and
  the next slot were free at once. To let somebody in for nothing costs nothing, the timer catches him; to turn somebody away for
  nothing costs an answer.
- Of any row of arrivals it turns away no more than its share, and two: some are let in though they look hopeless, so that an
  estimate which is wrong is found out.
- In the dark it counts, and turns nobody away.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PredictedWait:
    """Refuse on arrival who would not be started in time: `Server(predict, limits, admission=PredictedWait())`.

    The wait is predicted as the number of those who wait, times the mean time that a job holds a slot, by the
    slots. Who would expire before that is told at once, with `WaitTooLong` and when to come back.

    Args:
        share: the largest share of arrivals that it may refuse; 0.95 by default.
        dark: whether it only counts whom it would refuse, in `stats().hopeless`; default False.

    Raises:
        TypeError, ValueError: an argument makes no sense; the message names it and its value.

    Cannot do: predict for another order than FIFO. Foresee who of those ahead will leave or expire, as after a
    burst. Know how long a request takes before it has run.
    """

    share: float = 0.95
    dark: bool = False

    def __post_init__(self) -> None:
        """Refuse nonsense."""
        if isinstance(self.share, bool) or not isinstance(self.share, int | float):
            raise TypeError(f"share must be a number between 0 and 1; got {self.share!r}")
        if not 0 < self.share < 1:
            raise ValueError(
                f"share must be more than 0 and less than 1, or nobody would find out that an estimate is wrong; "
                f"got {self.share!r}"
            )
        if not isinstance(self.dark, bool):
            raise TypeError(f"dark must be True or False; got {self.dark!r}")


class Door:
    """Keeps the account of a `PredictedWait`.

    Attributes:
        hopeless: how many arrivals were so, whether they were refused or not.
    """

    __slots__ = ("_credit", "_rule", "hopeless")

    def __init__(self, rule: PredictedWait) -> None:
        self._rule = rule
        self._credit = 0.0
        self.hopeless = 0

    def refuses(self, *, hopeless: bool) -> bool:
        """Decide on one arrival. Each adds the share to an account, and each refusal takes one from it."""
        share = self._rule.share
        self._credit = min(self._credit + share, 1.0 + share)
        if not hopeless:
            return False
        self.hopeless += 1
        if self._rule.dark or self._credit < 1.0:
            return False
        self._credit -= 1.0
        return True
