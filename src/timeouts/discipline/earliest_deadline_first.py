"""Earliest deadline first."""

from __future__ import annotations

from timeouts.discipline.ranked import Ranked
from timeouts.job import Job


class EarliestDeadlineFirst(Ranked):
    """Serve first what would expire first; equal deadlines, and none at all, in order of arrival.

    With `GatewayTimeout(T, reserve="auto")` a waiting job expires at the latest instant at which its start is
    still worth it, so this is *latest start first*: where callers have different budgets, each class gets its fair
    share, also under overload.

    Cannot do: overload without a reserve. When not everybody can be served it picks those who have the least
    time left, and so serves nobody in time (the "domino effect": Locke 1986, "Best-effort decision
    making for real-time scheduling").
    """

    def rank(self, job: Job) -> float:
        """Rank by the tightest deadline of the wait."""
        return job.expires
