"""How many processes simulate changes nothing but the time it takes, and none is left."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys

import pytest

from tests.tune.house import EXPONENTIAL, trace
from timeouts.sim import Kill
from timeouts.tune import Setting, Task
from timeouts.tune.arena import Arena

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(120)]
TASK = Task(trace(1.5, EXPONENTIAL, 12), 0.15, (4,), stop=Kill(0.1), loads=(1.0, 1.2))
RULES = [Setting(slots, reserve).rule(0.15) for slots in (2, 4) for reserve in (0.0, 0.05)]


def test_two_processes_measure_what_one_does() -> None:
    counts = list[int]()
    with Arena(TASK) as alone, Arena(TASK, 2, counts.append) as both:
        assert both.measure(RULES) == alone.measure(RULES)
    assert counts == [1, 2, 3, 4]
    assert not multiprocessing.active_children()


def test_a_ctrl_c_in_the_terminal_is_not_for_the_processes() -> None:
    """From their first moment on: while they import, a KeyboardInterrupt would be a traceback of each."""
    with Arena(TASK, 2) as arena:
        assert arena._executor is not None
        blocked = arena._executor.submit(signal.pthread_sigmask, signal.SIG_BLOCK, ()).result()
    assert signal.SIGINT in blocked
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


INTERRUPTED = """
import os, signal
from timeouts.tune.arena import _undisturbed

with _undisturbed():
    os.kill(os.getpid(), signal.SIGINT)
    print("put off", flush=True)
print("never")
"""


def test_a_ctrl_c_while_they_are_started_comes_afterwards() -> None:
    """In a process of its own: the threads of a test runner would take the signal at once."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.returncode) == ("put off\n", -signal.SIGINT)


def test_what_has_not_begun_is_dropped_when_it_is_interrupted() -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Arena(TASK, 2, interrupted) as arena:
        arena.measure(RULES)
    assert not multiprocessing.active_children()
