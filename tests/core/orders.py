"""The orders of the disciplines, deliberately naive: each looks through all that wait, as they came.

They work on jobs and on the oracle's entries alike, and are told of arrivals alone.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Protocol, TypeVar


class Waiter(Protocol):
    """Who waits: a job, or what an oracle has noted down of one."""

    arrived: float
    priority: float
    tenant: Hashable

    @property
    def expires(self) -> float: ...


Who = TypeVar("Who", bound=Waiter)


class Order:
    """First in, first out; nobody gives up his place."""

    def came(self, who: Waiter, before: Sequence[Waiter]) -> None:
        """Somebody waits from now on, beside those who do already."""

    def next(self, queue: Sequence[Who]) -> Who:
        """Return who is served next."""
        return queue[0]

    def losers(self, queue: Sequence[Who], newcomer: Waiter) -> list[Who]:
        """Return those of whom one gives up his place for a newcomer."""
        return []


class NewestFirst(Order):
    def next(self, queue: Sequence[Who]) -> Who:
        return queue[-1]


class ByPriority(Order):
    def next(self, queue: Sequence[Who]) -> Who:
        return min(queue, key=lambda one: one.priority)

    def losers(self, queue: Sequence[Who], newcomer: Waiter) -> list[Who]:
        lowest = max((one.priority for one in queue), default=newcomer.priority)
        return [one for one in queue if one.priority == lowest > newcomer.priority][-1:]


class ByDeadline(Order):
    def next(self, queue: Sequence[Who]) -> Who:
        return min(queue, key=lambda one: one.expires)


class NewestFirstWhileItStands(Order):
    def __init__(self) -> None:
        self.stands = False

    def came(self, who: Waiter, before: Sequence[Waiter]) -> None:
        oldest = [*before, who][0]
        waited, may_wait = who.arrived - oldest.arrived, oldest.expires - oldest.arrived
        self.stands = (self.stands and bool(before)) or waited > may_wait / 2

    def next(self, queue: Sequence[Who]) -> Who:
        return queue[-1 if self.stands else 0]


class Turns(Order):
    """Who has had his turn goes to the end; who is not there when it comes has to come again."""

    def __init__(self) -> None:
        self.turns: list[Hashable] = []

    def came(self, who: Waiter, before: Sequence[Waiter]) -> None:
        if who.tenant not in self.turns:
            self.turns.append(who.tenant)

    def next(self, queue: Sequence[Who]) -> Who:
        while True:
            turn = self.turns.pop(0)
            for one in queue:
                if one.tenant == turn:
                    self.turns.append(turn)
                    return one

    def losers(self, queue: Sequence[Who], newcomer: Waiter) -> list[Who]:
        waiting = Counter(one.tenant for one in queue)
        most = max(waiting.values(), default=0)
        if most <= waiting[newcomer.tenant] + 1:
            return []
        newest = {one.tenant: one for one in queue}
        return [newest[tenant] for tenant, count in waiting.items() if count == most]


ORDERS: dict[str, Callable[[], Order]] = {
    "FIFO": Order,
    "LIFO": NewestFirst,
    "Priority": ByPriority,
    "EarliestDeadlineFirst": ByDeadline,
    "AdaptiveLIFO": NewestFirstWhileItStands,
    "FairShare": Turns,
}
