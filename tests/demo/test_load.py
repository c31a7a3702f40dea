"""The sender keeps to its schedule and to nothing else: on a manual clock, so nothing here sleeps."""

import threading
from concurrent.futures import Future
from typing import Any

from tests.demo.simulation import request
from timeouts.demo.load import send
from timeouts.demo.schedule import Request
from timeouts.gate import Gate
from timeouts.testing import ManualClock


class Sending:
    """A sender in a thread, to a server that never answers by itself."""

    def __init__(self, *instants: float) -> None:
        self.clock = ManualClock(start=100.0)
        self.stop = Gate()
        self.sent: list[tuple[int, float]] = []
        self.futures: list[Future[Any]] = []
        self.told: list[int] = []
        self.finished: bool | None = None
        requests = [request(n, at, cost=0) for n, at in enumerate(instants, start=1)]
        self.thread = threading.Thread(target=self._send, args=(requests,))
        self.thread.start()

    def _send(self, requests: list[Request]) -> None:
        self.finished = send(
            requests,
            self._submit,
            lambda request, _: self.told.append(request.number),
            clock=self.clock,
            start=100.0,
            stop=self.stop,
        )

    def _submit(self, request: Request) -> Future[Any]:
        self.sent.append((request.number, self.clock.now()))
        self.futures.append(Future())
        return self.futures[-1]

    def advance_to(self, instant: float) -> None:
        self.clock.wait_for_waiters(1)
        self.clock.advance_to(instant)


def test_each_request_is_sent_at_its_instant_though_nothing_is_answered() -> None:
    sending = Sending(1, 2, 4)
    for instant in (101, 102, 104):
        sending.advance_to(instant)
    sending.thread.join()
    assert sending.sent == [(1, 101), (2, 102), (3, 104)]
    assert sending.finished is True
    assert sending.told == []


def test_a_sender_that_fell_behind_catches_up_at_once() -> None:
    sending = Sending(1, 2, 4)
    sending.advance_to(103)
    sending.advance_to(104)
    sending.thread.join()
    assert sending.sent == [(1, 103), (2, 103), (3, 104)]


def test_the_caller_is_told_whichever_answer_comes_first() -> None:
    sending = Sending(1, 1)
    sending.advance_to(101)
    sending.thread.join()
    sending.futures[1].set_result(7)
    sending.futures[0].set_exception(TimeoutError())
    assert sending.told == [2, 1]


def test_a_rung_bell_stops_the_sender_in_its_wait() -> None:
    sending = Sending(1, 2)
    sending.advance_to(101)
    sending.clock.wait_for_waiters(1)
    sending.stop.ring()
    sending.thread.join()
    assert sending.sent == [(1, 101)]
    assert sending.finished is False
