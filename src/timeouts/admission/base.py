"""What admission rules share: the rails that keep an estimate from doing harm.

Laws:
- Of any row of jobs a rule turns away no more than its share, and two: some are let in though they look hopeless, so
  that an estimate which is wrong is found out.
- In the dark it counts, and turns nobody away.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from timeouts.errors import WaitTooLong

Refusal = WaitTooLong | None


@dataclass(frozen=True)
class Admission(ABC):
    """A rule for who is let in: a frozen value, of which each server keeps an account of its own.

    Args:
        share: the largest share of jobs that it may refuse; 0.95 by default.
        dark: whether it only counts whom it would refuse, in `stats().hopeless`; default False.

    Raises:
        TypeError, ValueError: an argument makes no sense; the message names it and its value.
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

    @abstractmethod
    def door(self) -> Door:
        """Return a fresh account of this rule."""


class Door:
    """Keeps the account of a rule. What it is not asked to judge, it lets pass.

    Attributes:
        foresees: whether `arrives` wants to be asked, which needs a prediction.
        hopeless: how many were so, whether they were refused or not.
    """

    foresees = False

    def __init__(self, rule: Admission) -> None:
        self._share = rule.share
        self._dark = rule.dark
        self._credit = 0.0
        self.hopeless = 0

    def arrives(self, wait: float, left: float) -> Refusal:  # noqa: ARG002
        """Judge a job that has to wait, as is predicted for `wait` seconds, and would expire in `left`."""
        return None

    def starts(self, waited: float, held: float | None, now: float) -> Refusal:  # noqa: ARG002
        """Judge a job whose turn it is, after so long a wait; `held` is the mean time that a job holds a slot."""
        return None

    def refuses(self, *, hopeless: bool) -> bool:
        """Decide on one job. Each adds the share to an account, and each refusal takes one from it."""
        self._credit = min(self._credit + self._share, 1.0 + self._share)
        if not hopeless:
            return False
        self.hopeless += 1
        if self._dark or self._credit < 1.0:
            return False
        self._credit -= 1.0
        return True


def positive(name: str, value: Any) -> None:
    """Refuse what is no finite number above zero."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number; got {value!r}")
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be a finite number, more than 0; got {value!r}")
