"""What those who send requests want, and what they do when they do not get it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import Literal, get_args

from timeouts.options import checked_priority, whole_number
from timeouts.sim.checked import finite, number

AtDeadline = Literal["leaves", "tells", "stays"]


@dataclass(frozen=True)
class Retry:
    """Ask again, a while after being told no or having left; always for the same work.

    Args:
        attempts: how often a request is made at most, the first time included.
        backoff: seconds before the second attempt.
        factor: how many times as long each further pause is.
        jitter: the share of a pause that chance may take off: 0 for none, 1 for up to all of it.
    """

    attempts: int = 3
    backoff: float = 0.1
    factor: float = 2.0
    jitter: float = 1.0

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense."""
        whole_number("attempts", self.attempts, least=1)
        finite("backoff", self.backoff, zero=True)
        finite("factor", self.factor)
        finite("jitter", self.jitter, zero=True)
        number("jitter", self.jitter, most=1)

    def pause(self, attempt: int, random: Random) -> float:
        """Return the seconds between an attempt, counted from 1, and the next."""
        return self.backoff * self.factor ** (attempt - 1) * (1 - self.jitter * random.random())


ONCE = Retry(attempts=1)


@dataclass(frozen=True)
class Client:
    """One kind of caller.

    Args:
        name: for the report.
        budget: seconds after which an answer is worth nothing, counted from each attempt; default never.
        at_deadline: what happens then. A caller that `"leaves"` closes its connection, and its job is
            withdrawn; one that `"tells"` has sent its budget along, so that it is the job's deadline;
            one that `"stays"` does neither: the server works for it without knowing that it is in vain.
        retry: whether and when it asks again.
        priority: for disciplines that rank; lower leaves the queue first.
        share: how many of the requests come from it, in proportion to the shares of the others.
    """

    name: str = "all"
    budget: float = math.inf
    at_deadline: AtDeadline = "leaves"
    retry: Retry = ONCE
    priority: float = 0.0
    share: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        number("budget", self.budget, above=0)
        finite("share", self.share)
        if not isinstance(self.retry, Retry):
            raise TypeError(f"retry must be such as Retry(attempts=3); got {self.retry!r}")
        checked_priority(self.priority)
        if self.at_deadline not in get_args(AtDeadline):
            raise ValueError(
                f"at_deadline must be one of {', '.join(get_args(AtDeadline))}; "
                f"got {self.at_deadline!r}"
            )


ANYBODY = Client()
