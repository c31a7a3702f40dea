"""A clock moved by hand: nobody wakes early, nobody is forgotten, and a stuck test fails."""

import math
import threading
from queue import SimpleQueue

import pytest

from timeouts.clock import Clock
from timeouts.gate import Gate
from timeouts.testing import Deadlock, ManualClock


class Waiter:
    """A thread that waits once on a clock; `result` blocks until it has."""

    def __init__(self, clock: Clock, until: float) -> None:
        self.gate = Gate()
        self._results: SimpleQueue[bool | BaseException] = SimpleQueue()
        self._thread = threading.Thread(target=self._wait, args=(clock, until))
        self._thread.start()

    def _wait(self, clock: Clock, until: float) -> None:
        try:
            self._results.put(clock.wait(self.gate, until))
        except BaseException as error:
            self._results.put(error)

    def result(self) -> bool | BaseException:
        self._thread.join()
        return self._results.get()


def test_time_stands_still_until_it_is_moved() -> None:
    """The instants are exactly those that were asked for."""
    clock = ManualClock(7)
    assert (clock.now(), clock.now()) == (7, 7)
    clock.advance(0.5)
    clock.advance(0)
    assert clock.now() == 7.5
    clock.advance_to(9)
    clock.advance_to(9)
    assert clock.now() == 9


@pytest.mark.parametrize("seconds", [-1, -0.001, math.nan, math.inf])
def test_time_never_goes_back_nor_to_its_end(seconds: float) -> None:
    """Neither verb takes nonsense, and the message shows it."""
    clock = ManualClock(5)
    with pytest.raises(ValueError, match=rf"seconds must be zero or more; got {seconds}"):
        clock.advance(seconds)
    with pytest.raises(ValueError, match=rf"not lie before 5; got {5 + seconds}"):
        clock.advance_to(5 + seconds)
    assert clock.now() == 5


def test_a_thread_wakes_at_its_instant_and_not_before() -> None:
    """At 4.999 it still waits for 5; at 5, which is a tie, it has come."""
    clock = ManualClock()
    waiter = Waiter(clock, 5)
    clock.wait_for_waiters(1)
    clock.advance(4.999)
    assert clock.deadlines() == (5,)
    clock.advance_to(5)
    assert waiter.result() is False


def test_a_ring_ends_a_wait_before_its_instant() -> None:
    """The wait says that it was the ring."""
    clock = ManualClock()
    waiter = Waiter(clock, 5)
    clock.wait_for_waiters(1)
    waiter.gate.ring()
    assert waiter.result() is True
    assert clock.deadlines() == ()


def test_a_ring_before_the_wait_is_not_lost() -> None:
    """A gate remembers one ring, for a future instant and for one that has come."""
    clock = ManualClock(5)
    gate = Gate()
    for until in (9, 5, math.inf):
        gate.ring()
        assert clock.wait(gate, until) is True


def test_an_instant_that_has_come_is_not_waited_for() -> None:
    """The wait is over at once, and nobody was on the clock's list."""
    clock = ManualClock(5)
    assert clock.wait(Gate(), 5) is False
    assert clock.wait(Gate(), -math.inf) is False


def test_of_a_ring_and_an_instant_that_meet_the_instant_is_told() -> None:
    """Whoever waits looks again at what it waits for, so the ring may go unmentioned."""
    clock = ManualClock()

    class RungOnArrival(Gate):
        def wait(self, seconds: float = math.inf) -> bool:
            clock.advance(5)
            return super().wait(seconds)

    gate = RungOnArrival()
    gate.ring()
    assert clock.wait(gate, 5) is False


def test_threads_wake_in_their_turn() -> None:
    """Each step wakes those who are due and leaves the others alone."""
    clock = ManualClock()
    untils = (1, 2, 2, 3, math.inf)
    waiters = [Waiter(clock, until) for until in untils]
    clock.wait_for_waiters(5)
    assert clock.deadlines() == untils
    clock.advance(2)
    assert clock.deadlines() == (3, math.inf)
    assert [waiter.result() for waiter in waiters[:3]] == [False] * 3
    clock.advance(100)
    assert clock.deadlines() == (math.inf,)
    waiters[4].gate.ring()
    assert [waiter.result() for waiter in waiters[3:]] == [False, True]


def test_whoever_time_has_woken_counts_no_more() -> None:
    """Else the next `wait_for_waiters` would be met by those of the last round."""
    clock = ManualClock()
    waiters = [Waiter(clock, 1) for _ in range(8)]
    clock.wait_for_waiters(8)
    clock.advance(1)
    assert clock.deadlines() == ()
    assert [waiter.result() for waiter in waiters] == [False] * 8


def test_no_wake_up_is_lost_between_joining_and_blocking() -> None:
    """Time moves on while threads come in; every one of them ends."""
    clock = ManualClock()
    waiters = []
    for instant in range(100):
        waiters.append(Waiter(clock, instant + 1))
        clock.advance(1)
    assert [waiter.result() for waiter in waiters] == [False] * 100


def test_waiters_for_a_ring_alone_can_be_left_out() -> None:
    """`finite=True` counts those whom time can wake."""
    clock = ManualClock(guard=0)
    blocking = ManualClock()
    idle, timed = Waiter(blocking, math.inf), Waiter(blocking, 3)
    blocking.wait_for_waiters(2)
    blocking.wait_for_waiters(1, finite=True)
    blocking.advance(3)
    idle.gate.ring()
    assert (idle.result(), timed.result()) == (True, False)
    with pytest.raises(Deadlock):
        clock.wait_for_waiters(1, finite=True)


def test_a_thread_that_nobody_wakes_fails() -> None:
    """The message tells the instant waited for and where the clock stands."""
    clock = ManualClock(2, guard=0)
    with pytest.raises(Deadlock, match=r"waits for the instant 5, the clock stands at 2"):
        clock.wait(Gate(), 5)
    with pytest.raises(Deadlock, match="nobody rang its gate"):
        clock.wait(Gate(), math.inf)
    assert clock.deadlines() == ()


def test_a_test_that_waits_for_too_many_fails() -> None:
    """The message tells how many there are."""
    with pytest.raises(Deadlock, match="3 threads should wait on the clock, but 0 do"):
        ManualClock(guard=0).wait_for_waiters(3)


def test_the_guard_can_be_left_off() -> None:
    """Infinity means to wait for as long as it takes."""
    clock = ManualClock(guard=math.inf)
    waiter = Waiter(clock, 1)
    clock.wait_for_waiters(1)
    clock.advance(1)
    assert waiter.result() is False


def test_the_repr_tells_the_instant_and_who_waits() -> None:
    """So that a failing test shows it."""
    assert repr(ManualClock(2.5)) == "<ManualClock at 2.5, 0 waiting>"
