"""A long trace made short: stretches from all over it, one after the other.

Law: each stretch is as it was recorded, and all are as many requests. The quiet hours are in it as well as the busy
ones, in proportion to their requests.
"""

from __future__ import annotations

from collections.abc import Iterator

from timeouts.sim.scenario import Request
from timeouts.sim.trace import Trace

STRETCHES = 20


def shortened(trace: Trace, most: int) -> Trace:
    """Return about so many requests of a trace; all of them if there are no more."""
    return trace if len(trace.recorded) <= most else Trace.of(_taken(trace, most // STRETCHES))


def _taken(trace: Trace, length: int) -> Iterator[Request]:
    recorded, began = trace.recorded, 0.0
    for number in range(STRETCHES):
        first = number * (len(recorded) // STRETCHES)
        since = recorded[first].arrived
        for request in recorded[first : first + length]:
            yield request._replace(arrived=began + request.arrived - since)
        began += recorded[first + length].arrived - since
