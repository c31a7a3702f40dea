"""How hard Hypothesis looks: `HYPOTHESIS_PROFILE=ci` for many examples, `dev` (the default) for fewer, `quick` for a few."""

import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import cast

import pytest
from hypothesis import HealthCheck, settings

from timeouts.testing import ManualClock

# No deadline in either: how long an example takes is for the benchmarks to say, not for the tests.
settings.register_profile("dev", deadline=None, derandomize=False)
settings.register_profile("quick", deadline=None, derandomize=False, max_examples=25)
settings.register_profile(
    "ci",
    deadline=None,
    derandomize=False,  # where `CI` is set, Hypothesis would always try the same examples
    max_examples=200,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],  # a loaded machine is no failure
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))

# What a shell starts in the background ignores Ctrl-C, and so would all programs that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Leave addresses out of ids (`ids=repr` shows them): each process has others, and pytest-xdist wants the same ids."""
    for mark in metafunc.definition.iter_markers("parametrize"):
        if callable(ids := mark.kwargs.get("ids")):
            cast("dict[str, object]", mark.kwargs)["ids"] = partial(without_address, ids)


def without_address(ids: Callable[[object], object], value: object) -> object:
    """Call what makes ids; what it returns as no string is for pytest to judge."""
    told = ids(value)
    return ADDRESS.sub("", told) if isinstance(told, str) else told


GONE = 5.0
"""Real seconds that a thread whose server was closed has to be gone."""


@pytest.fixture(autouse=True)
def nobody_is_left_on_a_manual_clock() -> Iterator[None]:
    """A server that a test leaves open would fail another one, when the guard of its clock has passed."""
    before = frozenset(threading.enumerate())
    yield
    for thread, clock in left_on_a_manual_clock():
        if thread in before:
            continue  # another test's, and told there
        thread.join(GONE)
        assert not thread.is_alive(), f"{thread.name} is left waiting on {clock}: close its server"


def left_on_a_manual_clock() -> Iterator[tuple[threading.Thread, ManualClock]]:
    """Yield the threads that wait on a clock which nobody will move any more, and their clocks."""
    frames = sys._current_frames()
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        while frame is not None:
            if frame.f_code is ManualClock.wait.__code__:
                yield thread, frame.f_locals["self"]
            frame = frame.f_back
