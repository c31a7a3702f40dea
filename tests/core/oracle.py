"""A deliberately naive model of the core: one list of jobs, scanned in full at each input.

Written from the design's words, not from the code. It knows policies only by name and number, keeps
no timers, no queue and no counters, and asks "who is due?" and "who is next?" of everybody each time.
Who gives up his place in a full queue it is told, where it could be one of several; it knows whether he could.
"""

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.core.orders import ORDERS
from tests.core.scripts import Setting
from timeouts.policy import Policy

Place = Literal["queue", "worker", "left behind", "gone"]
Told = tuple[object, ...]


@dataclass
class Entry:
    """One job, as an observer would note it down."""

    key: int
    arrived: float
    last: float  # the caller's own last instant
    priority: float
    tenant: Hashable = 0
    place: Place = "queue"
    began: float = math.inf
    items: int = 0
    asked: float = math.inf
    expires: float = math.inf  # in the queue
    longest: float = 0.0  # of all runs before it came


@dataclass
class Said:
    """What an input led to."""

    starts: list[int] = field(default_factory=list)
    replies: list[Told] = field(default_factory=list)
    cancels: list[int] = field(default_factory=list)
    lates: list[int] = field(default_factory=list)


class Naive:
    """The model; each input returns what was said."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.rules = [_rule(policy) for policy in setting.stack.policies]
        self.entries: list[Entry] = []
        self.refused = 0
        self.told: list[str] = []
        self.now = -math.inf
        self.taking = True
        self.workers = setting.slots
        self.withheld: str | None = None
        self.longest = 0.0
        self.order = ORDERS[setting.discipline.__name__]()

    def at(self, *places: Place) -> list[Entry]:
        return [entry for entry in self.entries if entry.place in places]

    def deadlines(self, entry: Entry) -> list[tuple[float, str, float]]:
        """Return (instant, rule, since) of each rule with an opinion, outermost first."""
        found = [(entry.last, "Budget", entry.arrived)]
        for name, timeout, reserve in self.rules:
            queued = entry.place == "queue"
            end = entry.arrived + timeout
            if name == "GatewayTimeout" and queued and reserve:
                end = min(end, entry.last)
                held = self._cold(entry, end) if reserve == "auto" else reserve
                found.append((end - held if held else entry.arrived + timeout, name, entry.arrived))
            elif (
                name == "GatewayTimeout"
                or (name == "QueueTimeout" and queued)
                or (name == "FirstItemTimeout" and not entry.items)
            ):
                found.append((end, name, entry.arrived))
            elif name == "ExecutionTimeout" and not queued:
                found.append((entry.began + timeout, name, entry.began))
            elif name == "IdleTimeout" and entry.asked < math.inf:
                found.append((entry.asked + timeout, name, entry.asked))
        return found

    @staticmethod
    def _cold(entry: Entry, end: float) -> float:
        """Return what is held back as long as next to nothing is learned."""
        budget = end - entry.arrived
        return min(budget / 2, 2 * entry.longest) if budget < math.inf else 0

    def due(self, entry: Entry) -> tuple[float, str, float]:
        """Return the earliest; of equal ones the innermost, which is the last in the list."""
        earliest = min(instant for instant, _, _ in self.deadlines(entry))
        return [one for one in self.deadlines(entry) if one[0] == earliest][-1]

    def next_timer(self) -> float:
        return min((self.due(e)[0] for e in self.at("queue", "worker")), default=math.inf)

    def tick(self, now: float) -> Said:
        said = Said()
        self.now = max(self.now, now)
        for entry in self.at("queue", "worker"):
            self._expire_if_due(entry, said)
        return said

    def arrive(self, entry: Entry, displaced: int | None = None) -> Said:
        """Somebody arrives; `displaced` is said to give up his place for him."""
        said = self.tick(entry.arrived)
        entry.longest = self.longest
        queue = self.at("queue")
        if name := self._refusal(entry):
            entry.place = "gone"
            self._tell(entry, said, name, None, None, started=False)
        self.entries.append(entry)
        if entry.place == "queue":
            entry.expires = self.due(entry)[0]
            self._expire_if_due(entry, said)
        if entry.place == "queue":
            self._displace(entry, displaced, said)
            self.order.came(entry, [one for one in queue if one.place == "queue"])
            self._fill_slots(said)
        return said

    def _displace(self, entry: Entry, displaced: int | None, said: Said) -> None:
        queue = [one for one in self.at("queue") if one is not entry]
        if not self._room() and len(queue) >= self.setting.capacity:
            (loser,) = (one for one in self.order.losers(queue, entry) if one.key == displaced)
            self._send_away(loser, said, "queue_full", "queue_full")

    def finish(self, key: int, now: float, *, failed: bool, vacate: bool = False) -> Said:
        said = self.tick(now)
        entry = self.entries[key]
        self.workers -= vacate
        if entry.place == "worker":
            said.replies.append((key, "failed" if failed else "completed"))
            self.told.append("failed" if failed else "completed")
            self.longest = max(self.longest, self.now - entry.began)
        else:
            said.lates.append(key)
        entry.place = "gone"
        self._fill_slots(said)
        return said

    def progress(self, key: int, now: float) -> Said:
        said = self.tick(now)
        entry = self.entries[key]
        if entry.place == "worker":
            entry.items += 1
            entry.asked = math.inf
        return said

    def resume(self, key: int, now: float) -> Said:
        said = self.tick(now)
        entry = self.entries[key]
        if entry.place == "worker" and entry.items:
            entry.asked = self.now
        return said

    def withdraw(self, key: int, now: float) -> Said:
        said = self.tick(now)
        self._send_away(self.entries[key], said, "withdrawn", "withdrawn")
        return said

    def enlist(self, now: float) -> Said:
        said = self.tick(now)
        self.workers += 1
        self.withheld = None
        self._fill_slots(said)
        return said

    def dismiss(self, now: float) -> Said:
        said = self.tick(now)
        if len(self.at("worker", "left behind")) < self.workers:
            self.workers -= 1
        return said

    def withhold(self, name: str, now: float) -> Said:
        said = self.tick(now)
        self.withheld = name
        for entry in self.at("queue"):
            self._send_away(entry, said, name, name)
        return said

    def close(self, now: float) -> Said:
        said = self.tick(now)
        self.taking = False
        for entry in list(self.entries):
            self._send_away(entry, said, "shutting_down", "server_closed")
        return said

    def drain(self, now: float) -> Said:
        said = self.tick(now)
        self.taking = False
        return said

    def _expire_if_due(self, entry: Entry, said: Said) -> None:
        instant, rule, since = self.due(entry)
        if instant > self.now:
            return
        name = {"Budget": "gateway_timeout"}.get(rule, _snake(rule))
        started = entry.place == "worker"
        self._tell(entry, said, name, rule, instant - since, started=started)
        self._leave(entry, said, max(entry.began, instant) if started else instant)

    def _send_away(self, entry: Entry, said: Said, waiting: str, running: str) -> None:
        if entry.place in ("queue", "worker"):
            started = entry.place == "worker"
            self._tell(entry, said, running if started else waiting, None, None, started=started)
            self._leave(entry, said, self.now)

    def _tell(
        self,
        entry: Entry,
        said: Said,
        name: str,
        rule: str | None,
        limit: float | None,
        *,
        started: bool,
    ) -> None:
        self.told.append(name)
        said.replies.append((entry.key, name, rule, limit, started))

    def _leave(self, entry: Entry, said: Said, at: float) -> None:
        if entry.place == "worker":
            said.cancels.append(entry.key)
            self.longest = max(self.longest, at - entry.began)
            entry.place = "left behind"
        else:
            entry.place = "gone"

    def _room(self) -> bool:
        held = len(self.at("worker", "left behind"))
        return held < self.workers and not self._too_many_left_behind() and self.withheld is None

    def _too_many_left_behind(self) -> bool:
        return len(self.at("left behind")) >= self.setting.max_abandoned

    def _refusal(self, newcomer: Entry) -> str | None:
        if not self.taking:
            return "shutting_down"
        if self.withheld is not None:
            return self.withheld
        if self._too_many_left_behind():
            return "too_many_abandoned"
        queue = self.at("queue")
        full = not self._room() and len(queue) >= self.setting.capacity
        return "queue_full" if full and not self.order.losers(queue, newcomer) else None

    def _fill_slots(self, said: Said) -> None:
        while self._room() and (queue := self.at("queue")):
            entry = self.order.next(queue)
            entry.place, entry.began = "worker", self.now
            said.starts.append(entry.key)


def _rule(policy: Policy) -> tuple[str, float, Any]:
    return (
        type(policy).__name__,
        getattr(policy, "timeout", math.inf),
        getattr(policy, "reserve", 0),
    )


def _snake(name: str) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in name).removeprefix("_")
