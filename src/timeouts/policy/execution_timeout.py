"""`ExecutionTimeout` bounds the service time: a worker takes the job → done."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from timeouts.deadline import AutoTimeout, Least, Most, Seconds, Soft, written
from timeouts.errors import ExecutionTimeoutError, TimeoutsError
from timeouts.job import Job
from timeouts.policy.base import Interval, Policy, policy


@policy
class ExecutionTimeout(Policy):
    """Stop a job that a worker has had for `timeout`: cancelled, killed, or abandoned and counted.

    The caller is answered at that instant; the slot returns only when the work is known to be over.
    For a stream it bounds the whole of it, the consumer's pauses included.

    Args:
        timeout: seconds a job may run; None for no limit. `"auto"` learns the limit at which a slot brings most
            answers, from how long executions take and what a stop costs; until there have been 200 of them it is
            `at_most`.
        soft: seconds after which `SoftTimeout` is raised inside the handler, which may clean up and
            even still return; default: none. Process and Ray workers only.
        at_least: seconds below which a learned limit never goes; default 0.
        at_most: seconds above which it never goes; default: no limit.

    Raises:
        ValueError: `soft` is not shorter than `timeout`, or `at_least` longer than `at_most`; they bound nothing
            that is learned, or soft would go with it.

    Cannot do: stop work that its worker kind cannot stop; see `Server.stop_mode`. The soft limit
    cannot interrupt C code that does not return.
    """

    timeout: AutoTimeout
    soft: Soft = math.inf
    at_least: Least = 0.0
    at_most: Most = math.inf

    if TYPE_CHECKING:  # what is taken is wider than what is kept

        def __init__(
            self,
            timeout: Seconds | Literal["auto"],
            soft: Seconds = None,
            at_least: Seconds = 0.0,
            at_most: Seconds = None,
        ) -> None: ...

    error: ClassVar[type[TimeoutsError]] = ExecutionTimeoutError
    interval: ClassVar[Interval] = Interval.SERVICE

    def __post_init__(self) -> None:
        """Refuse a soft limit that could never come first, and bounds of nothing."""
        if isinstance(self.timeout, float):
            _check_fixed(self.timeout, self.soft, self.at_least, self.at_most)
        elif self.soft < math.inf:
            raise ValueError(
                f'soft goes with a limit that is fixed, not with "auto"; got soft={written(self.soft)}'
            )
        elif self.at_least > self.at_most:
            raise ValueError(
                f"at_least must not be longer than at_most; "
                f"got at_least={written(self.at_least)}, at_most={written(self.at_most)}"
            )

    def deadline(self, job: Job) -> float:
        """Return the end of the service; infinite until it starts."""
        if isinstance(self.timeout, float):
            return job.started + self.timeout
        return job.started + min(max(job.advice.execution, self.at_least), self.at_most)

    def soft_deadline(self, job: Job) -> float:
        """Return the instant of the soft limit."""
        return job.started + self.soft

    def since(self, job: Job) -> float:
        """Count from the start."""
        return job.started

    def rule(self, limit: float | None) -> str:
        """Say which of the two limits it was."""
        if limit is not None and limit == self.soft:
            return f"ExecutionTimeout's soft limit allows {written(limit)} s"
        return super().rule(limit)

    def __repr__(self) -> str:
        """Show what was written."""
        said = {"soft": self.soft, "at_least": self.at_least, "at_most": self.at_most}
        rest = [f"{name}={written(value)}" for name, value in said.items() if 0 < value < math.inf]
        timeout = written(self.timeout) if isinstance(self.timeout, float) else '"auto"'
        return f"ExecutionTimeout({', '.join([timeout, *rest])})"


def _check_fixed(timeout: float, soft: float, at_least: float, at_most: float) -> None:
    if math.inf > soft >= timeout:
        raise ValueError(
            f"soft must be shorter than timeout, or it would never come first; "
            f"got soft={written(soft)}, timeout={written(timeout)}"
        )
    if at_least or at_most < math.inf:
        raise ValueError(
            f'at_least and at_most bound a limit that is learned, ExecutionTimeout("auto"); '
            f"got timeout={written(timeout)}"
        )
