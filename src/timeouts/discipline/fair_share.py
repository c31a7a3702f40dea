"""Tenants in turn.

Fair queueing (Nagle, "On packet switches with infinite storage", 1985; Demers, Keshav and Shenker, "Analysis and simulation
of a fair queueing algorithm", 1989), by jobs. A job counts as one whatever it takes: nobody knows that before.

Laws:
- Of two tenants who both always wait, over any stretch, neither is served more than once more than the other.
- Who waits is served after each other tenant once at most: nobody starves.
- A tenant keeps its place in the round until its turn comes, also when nobody of it waits any more. So who comes back, such
  as one who calls again as soon as he is answered, loses no turn; and who stays away longer has gained none.
- With n tenants each can hold `capacity // n` places, whatever the others send.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Hashable

from timeouts.discipline.line import Line
from timeouts.job import Job

_SLACK = 64  # below this many places kept for nobody, it costs more to give them up than it saves


class FairShare:
    """Serve tenants in turn, `server.call(x, tenant="alice")`, and each one's jobs in order of arrival.

    Where the queue is full, the newest job of the tenant with most of them gives up its place, unless the newcomer's own
    tenant would then have as many (longest queue drop: McKenney, "Stochastic fairness queueing", 1990; RFC 8290). So one
    that floods the queue displaces only itself.

    Calls without a tenant are one tenant together.

    Cannot do: weigh jobs by what they take, or tenants by what they pay. Tell tenants apart who share a name, or see that
    two names are one.
    """

    def __init__(self) -> None:
        self._round: OrderedDict[Hashable, Line] = OrderedDict()  # next turn first
        self._by_length: defaultdict[int, OrderedDict[Hashable, Line]] = defaultdict(OrderedDict)
        self._longest = 0
        self._tenants = 0  # of which somebody waits
        self._waiting = 0

    def push(self, job: Job) -> None:
        """Take in a waiting job."""
        line = self._round.get(job.tenant)
        if line is None:
            line = self._round[job.tenant] = Line()
        line.push(job)
        self._waiting += 1
        self._moved(job.tenant, line, len(line) - 1)

    def pop(self) -> Job:
        """Remove and return the oldest job of the tenant whose turn it is."""
        while True:
            tenant, line = next(iter(self._round.items()))
            if line:
                self._round.move_to_end(tenant)
                job = line.pop()
                self._left(tenant, line)
                return job
            del self._round[tenant]

    def remove(self, job: Job) -> None:
        """Remove a job that will not be served."""
        line = self._round[job.tenant]
        line.remove(job)
        self._left(job.tenant, line)

    def ahead(self, job: Job) -> int:
        """Return how many will be served before this job, were it pushed now, or somewhat fewer.

        So many of each tenant as of its own; those of whom the turn comes once more before it are left out. A tenant of
        whom nobody has a turn yet has its first after all others.
        """
        line = self._round.get(job.tenant)
        if line is None:
            return self._tenants
        own = len(line)
        return sum(min(length, own) * len(held) for length, held in self._by_length.items())

    def loser(self, newcomer: Job) -> Job | None:
        """Return who gives up his place for a newcomer: the newest of the longest line, if that is fairer."""
        own = self._round.get(newcomer.tenant, ())
        if self._longest <= len(own) + 1:
            return None
        return next(reversed(self._by_length[self._longest].values())).newest()

    def __len__(self) -> int:
        """Return how many jobs wait."""
        return self._waiting

    def _left(self, tenant: Hashable, line: Line) -> None:
        self._waiting -= 1
        self._moved(tenant, line, len(line) + 1)
        if len(self._round) > 2 * self._tenants + _SLACK:
            self._round = OrderedDict((name, kept) for name, kept in self._round.items() if kept)

    def _moved(self, tenant: Hashable, line: Line, before: int) -> None:
        """Put a line, one longer or shorter than before, among those of its length."""
        by_length, length = self._by_length, len(line)
        if before:
            del by_length[before][tenant]
            if not by_length[before]:
                del by_length[before]
        if length:
            by_length[length][tenant] = line
        self._tenants += (not before) - (not length)
        if length > self._longest or self._longest not in by_length:  # it was the only one of them
            self._longest = length
