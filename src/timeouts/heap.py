"""A priority queue from which anything can be removed.

Laws:
- A removed item costs no more than its own removal. Removal leaves a stale entry behind (finding it
  in the heap would cost a scan); stale entries are dropped when they reach the top, and the heap is
  rebuilt when they outnumber the live ones, so memory stays linear in what is live and every
  operation is O(log n) amortised. asyncio prunes cancelled timers by the same rule.
- A removed item is let go at once: a stale entry is an empty one.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from heapq import heapify, heappop, heappush
from typing import Any, Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)
_SLACK = 64  # below this many stale entries a rebuild costs more than it saves


class Heap(Generic[Item]):
    """Items by rank, smallest first; equal ranks leave in the order they came."""

    def __init__(self) -> None:
        self._entries: list[list[Any]] = []  # [rank, ticket, item], or None for a removed item
        self._live: dict[Item, list[Any]] = {}
        self._next = 0

    def __len__(self) -> int:
        """Return how many items are held."""
        return len(self._live)

    def push(self, item: Item, rank: float) -> None:
        """Add an item, or move it to a new rank."""
        self._next = ticket = self._next + 1
        entries, live = self._entries, self._live
        stale = live.get(item)
        live[item] = entry = [rank, ticket, item]
        heappush(entries, entry)
        if stale is not None:
            self._empty(stale)

    def remove(self, item: Item) -> None:
        """Remove an item; one that is not held is no error."""
        entry = self._live.pop(item, None)
        if entry is not None:
            self._empty(entry)

    def first(self) -> float:
        """Return the smallest rank, or infinity when empty."""
        entries = self._entries
        while entries:
            rank, _, item = entries[0]
            if item is not None:
                return rank  # type: ignore[no-any-return]
            heappop(entries)
        return math.inf

    def pop(self) -> Item:
        """Remove and return the item of the smallest rank; IndexError when empty."""
        while True:
            item: Item | None = heappop(self._entries)[2]
            if item is not None:
                self.remove(item)
                return item

    def _empty(self, entry: list[Any]) -> None:
        entry[2] = None
        if len(self._entries) > 2 * len(self._live) + _SLACK:
            self._entries = [entry for entry in self._entries if entry[2] is not None]
            heapify(self._entries)
