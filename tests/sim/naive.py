"""A server with a FIFO queue as a recursion over its requests: it knows no core, no events and no heap.

Because nobody overtakes, each request starts when the slot is free that all earlier ones have left over.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from math import inf
from typing import NamedTuple


class Rules(NamedTuple):
    slots: int = 1
    capacity: float = inf
    gateway: float = inf
    reserve: float = 0
    queue: float = inf
    execution: float = inf
    budget: float = inf
    stop: str = "cancel"
    recovery: float = 0


def serve(asked: list[tuple[float, float]], rules: Rules) -> list[tuple[str, float]]:
    """Return what becomes of each request, given by arrival and work, and when its caller is told."""
    free: list[float] = [0] * rules.slots
    heapify(free)
    gone_from_queue, told = list[float](), list[tuple[str, float]]()
    for arrived, work in asked:
        leaves, ends = arrived + rules.budget, arrived + rules.gateway
        waits_until = min((ends - rules.reserve, 1, "gateway_timeout"),
                          (arrived + rules.queue, 0, "queue_timeout"), (leaves, 2, "withdrawn"))  # fmt: skip
        slot = heappop(free)
        start = max(arrived, slot)
        if start > arrived and sum(gone > arrived for gone in gone_from_queue) >= rules.capacity:
            told.append(("queue_full", arrived))
        elif start >= waits_until[0]:
            told.append((waits_until[2], waits_until[0]))
            gone_from_queue.append(waits_until[0])
        else:
            gone_from_queue.append(start)
            stopped = min((start + rules.execution, 0, "execution_timeout"),
                          (ends, 1, "gateway_timeout"), (leaves, 2, "withdrawn"))  # fmt: skip
            over = start + work
            in_time = over < stopped[0]
            told.append(("completed", over) if in_time else (stopped[2], stopped[0]))
            stop = {"abandon": over, "cancel": stopped[0], "kill": stopped[0] + rules.recovery}
            slot = over if in_time else stop[rules.stop]
        heappush(free, slot)
    return told
