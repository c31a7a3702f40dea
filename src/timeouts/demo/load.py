"""The senders: every request at its instant, whatever became of those before it.

Law: latency is counted from the scheduled instant, so a sender that falls behind cannot hide it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial
from typing import Any

from timeouts.clock import Clock
from timeouts.demo.schedule import Request
from timeouts.gate import Gate


def send(
    requests: Iterable[Request],
    submit: Callable[[Request], Future[Any]],
    told: Callable[[Request, Future[Any]], None],
    *,
    clock: Clock,
    start: float,
    stop: Gate,
) -> bool:
    """Send each request at `start + request.at`; return whether all were sent.

    Args:
        requests: in the order of their instants.
        submit: sends one and returns at once.
        told: called in whichever thread the answer comes, when it comes.
        clock: tells the time and waits.
        start: the instant that the schedule counts from.
        stop: ring it to send no more.
    """
    for request in requests:
        if clock.wait(stop, start + request.at):
            return False
        submit(request).add_done_callback(partial(told, request))
    return True
