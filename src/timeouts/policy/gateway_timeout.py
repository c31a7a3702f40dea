"""`GatewayTimeout` bounds the sojourn time: arrival → done."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from timeouts.deadline import Reserve, Seconds, Timeout, spoken, written
from timeouts.errors import GatewayTimeoutError, TimeoutsError
from timeouts.job import WAITING, Job
from timeouts.policy.base import Interval, Policy, policy


@policy
class GatewayTimeout(Policy):
    """Answer the caller at most `timeout` after arrival, whatever the work is doing.

    The work is then stopped as its worker kind can. A *waiting* job expires already at
    `timeout - reserve`: a job that starts with less time left than it needs is wasted work, and a full queue in which
    everybody waits to the end has nothing but such starts. The reserve is held back from a caller's own shorter budget too.

    Args:
        timeout: seconds from arrival to answer; None for no limit of its own.
        reserve: seconds that must be left for a start to be worth it. The default, `"auto"`, learns it from the
            executions, for each budget; until there have been 200 of them it is twice the longest one, and at most half of
            the budget. 0 lets a job wait to the end; a useful fixed value is a high quantile of the service time.

    Raises:
        ValueError: `reserve` leaves nothing of `timeout` to wait in.

    Cannot do: stop work that its worker kind cannot stop; see `Server.stop_mode`.
    """

    timeout: Timeout
    reserve: Reserve = "auto"

    if TYPE_CHECKING:  # what is taken is wider than what is kept

        def __init__(
            self, timeout: Seconds, reserve: Seconds | Literal["auto"] = "auto"
        ) -> None: ...

    error: ClassVar[type[TimeoutsError]] = GatewayTimeoutError
    interval: ClassVar[Interval] = Interval.SOJOURN

    def __post_init__(self) -> None:
        """Refuse a reserve that would refuse every job."""
        if isinstance(self.reserve, float) and self.reserve >= self.timeout:
            raise ValueError(
                f"reserve must be shorter than timeout, or no job could ever start; "
                f"got reserve={written(self.reserve)}, timeout={written(self.timeout)}"
            )

    def deadline(self, job: Job) -> float:
        """Return the end of the sojourn, less the reserve while the job waits."""
        end = job.arrived + self.timeout
        if self.reserve and job.phase is WAITING:
            soonest = min(end, job.deadline)
            held_back = self._held_back(soonest - job.arrived, job)
            return soonest - held_back if held_back else end  # or a budget would be blamed on it
        return end

    def _held_back(self, budget: float, job: Job) -> float:
        if isinstance(self.reserve, float):
            return self.reserve
        return job.advice.reserve(budget) if budget < math.inf else 0.0

    def rule(self, limit: float | None) -> str:
        """Say the reserve too, and from whose number it is held back, or they would not add up."""
        if not self.reserve or limit is None:
            return super().rule(limit)
        if not isinstance(self.reserve, float):
            if limit >= self.timeout - 1e-6:  # which the errors are rounded to, and clocks
                return super().rule(limit)
            return f"GatewayTimeout keeps what the work needs, and allows {spoken(limit)} s to wait"
        keeps = f"keeps {written(self.reserve)} s of it for the work"
        if limit < round(self.timeout - self.reserve, 9):
            budget = written(round(limit + self.reserve, 9))
            return f"the caller's budget allows {budget} s and GatewayTimeout {keeps}"
        return f"{super().rule(self.timeout)} and {keeps}"

    def __repr__(self) -> str:
        """Show what was written."""
        if not isinstance(self.reserve, float):
            return f"GatewayTimeout({written(self.timeout)})"
        return f"GatewayTimeout({written(self.timeout)}, reserve={written(self.reserve)})"
