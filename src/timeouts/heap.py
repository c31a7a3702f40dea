"""A priority queue from which anything can be removed.

Laws:
- A removed item costs no more than its own removal. Removal leaves a stale entry behind (finding it
  in the heap would cost a scan); stale entries are dropped when they reach the top, and the heap is
  rebuilt when they outnumber the live ones, so memory stays linear in what is live and every
  operation is O(log n) amortised. asyncio prunes cancelled timers by the same rule.
- A removed item is let go at once: the heap holds numbers, and the items stand beside it. Numbers are also what a search
  among many reaches soonest, and what the garbage collector need not look at.
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
        self._entries: list[tuple[float, int]] = []
        self._items: dict[int, Item] = {}  # by ticket
        self._tickets: dict[Item, int] = {}
        self._next = 0

    def __len__(self) -> int:
        """Return how many items are held."""
        return len(self._items)

    def push(self, item: Item, rank: float) -> None:
        """Add an item, or move it to a new rank."""
        self._next = ticket = self._next + 1
        heappush(self._entries, (rank, ticket))
        stale = self._tickets.get(item)
        self._tickets[item] = ticket
        self._items[ticket] = item
        if stale is not None:
            del self._items[stale]
            self._tidy()

    def remove(self, item: Item) -> None:
        """Remove an item; one that is not held is no error."""
        ticket = self._tickets.pop(item, None)
        if ticket is not None:
            del self._items[ticket]
            self._tidy()

    def first(self) -> float:
        """Return the smallest rank, or infinity when empty."""
        entries = self._entries
        while entries:
            rank, ticket = entries[0]
            if ticket in self._items:
                return rank
            heappop(entries)
        return math.inf

    def pop(self) -> Item:
        """Remove and return the item of the smallest rank; IndexError when empty."""
        while True:
            item = self._items.get(heappop(self._entries)[1])
            if item is not None:
                self.remove(item)
                return item

    def _tidy(self) -> None:
        entries, items = self._entries, self._items
        if len(entries) > 2 * len(items) + _SLACK:
            self._entries = [entry for entry in entries if entry[1] in items]
            heapify(self._entries)
