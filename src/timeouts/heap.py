"""A priority queue from which anything can be removed.

Law: a removed item costs no more than its own removal. Removal leaves a stale entry behind (finding
it in the heap would cost a scan); stale entries are dropped when they reach the top, and the heap is
rebuilt when they outnumber the live ones, so memory stays linear in what is live and every operation
is O(log n) amortised. asyncio prunes cancelled timers by the same rule.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)
_SLACK = 64  # below this many stale entries a rebuild costs more than it saves


class Heap(Generic[Item]):
    """Items by rank, smallest first; equal ranks leave in the order they came."""

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Item]] = []
        self._ticket: dict[Item, int] = {}
        self._next = 0

    def __len__(self) -> int:
        """Return how many items are held."""
        return len(self._ticket)

    def push(self, item: Item, rank: float) -> None:
        """Add an item, or move it to a new rank."""
        self._next = ticket = self._next + 1
        self._ticket[item] = ticket
        entries = self._entries
        heappush(entries, (rank, ticket, item))
        self._prune()

    def remove(self, item: Item) -> None:
        """Remove an item; one that is not held is no error."""
        if self._ticket.pop(item, None) is not None:
            self._prune()

    def first(self) -> float:
        """Return the smallest rank, or infinity when empty."""
        entries, tickets = self._entries, self._ticket
        while entries:
            rank, ticket, item = entries[0]
            if tickets.get(item) == ticket:
                return rank
            heappop(entries)
        return math.inf

    def pop(self) -> Item:
        """Remove and return the item of the smallest rank; IndexError when empty."""
        while True:
            _, ticket, item = heappop(self._entries)
            if self._ticket.get(item) == ticket:
                del self._ticket[item]
                self._prune()
                return item

    def _prune(self) -> None:
        tickets = self._ticket
        if len(self._entries) > 2 * len(tickets) + _SLACK:
            self._entries = [entry for entry in self._entries if tickets.get(entry[2]) == entry[1]]
            heapify(self._entries)
