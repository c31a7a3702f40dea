"""Every hostile handler is stopped: its caller is told in time, nothing of it lives on, its slot comes back.

Every case is tried on workers of every start method: the machinery for stopping is the same, but not how
a worker came to be (its parent, its descriptors, its signals).
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.processes.house import Hold, House, Logged, is_there, pid_of_worker
from tests.shells.recorder import GUARD
from timeouts import (
    ExecutionTimeout,
    ExecutionTimeoutError,
    GatewayTimeoutError,
    SoftTimeout,
    TimeoutsError,
)
from timeouts.testing import hostile
from timeouts.testing.hostile import Witness
from timeouts.workers.process.birth import START_METHODS

pytestmark = pytest.mark.realtime

STUBBORN: dict[str, tuple[Callable[..., Any], int]] = {
    # name: the handler, and how many processes it is
    "sleeps": (hostile.sleeps, 1),
    "spins": (hostile.spins, 1),
    "backtracks": (hostile.backtracks, 1),
    "holds_gil": (hostile.holds_gil, 1),
    "ignores_sigterm": (hostile.ignores_sigterm, 1),
    "swallows_everything": (hostile.swallows_everything, 1),
    "forks_grandchild": (hostile.forks_grandchild, 2),
    "escapes_session": (hostile.escapes_session, 2),
    "forks_daemon": (hostile.forks_daemon, 2),
    "stops_itself": (hostile.stops_itself, 1),
    "fills_a_pipe": (hostile.fills_a_pipe, 1),
    "takes_memory": (hostile.takes_memory, 1),
    "hangs_on_sending": (hostile.hangs_on_sending, 1),
    "hangs_while_sending": (hostile.hangs_while_sending, 1),
}
CASES = list(itertools.product(START_METHODS, STUBBORN))
PATIENCE = (0.3, 3.0, 20.0)
"""Budgets, the next one where a busy machine has not let the handler begin within the last."""


@pytest.mark.parametrize(("method", "name"), CASES, ids=["-".join(case) for case in CASES])
def test_it_is_stopped(
    method: str,
    name: str,
    houses: Callable[..., House],
    witness: Witness,
    tmp_path: Path,
) -> None:
    """Told in time, dead with all it made before its slot is free, and nobody else has noticed."""
    handler, processes = STUBBORN[name]
    house = houses(start_method=method)
    neighbour = Hold(house.server, tmp_path / "neighbour")
    error = expire(house, handler, witness, processes)
    pids = [sighting.pid for sighting in witness.seen()]
    house.recorder.wait_for("late", stopped(house))
    assert [
        pid for pid in pids if is_there(pid)
    ] == []  # at once: the slot was not given back before
    assert (error.started, error.work) == (True, "killed")
    survivor = neighbour.let_go()
    assert survivor not in pids
    house.settle()
    assert house.server.call(pid_of_worker) not in pids
    assert survivor in house.pids()


def expire(
    house: House, handler: Callable[..., Any], witness: Witness, processes: int
) -> TimeoutsError:
    """Have a call of a handler expire after all its processes were seen; return what its caller got."""
    for budget in PATIENCE:
        witness.forget()
        started = time.monotonic()
        with pytest.raises(GatewayTimeoutError) as caught:
            house.server.call(handler, witness.path, budget=budget)
        assert budget <= time.monotonic() - started < budget + 5
        if len(witness.seen()) >= processes:
            return caught.value
    raise AssertionError(f"{handler.__name__} never got ready: {witness.seen()}")


def stopped(house: House) -> int:
    """Return how many jobs were answered before their end, so far."""
    outcomes = house.server.stats().outcomes
    return sum(outcomes.values()) - outcomes.get("completed", 0) - outcomes.get("failed", 0)


def test_it_is_the_same_for_all_who_call(houses: Callable[..., House], witness: Witness) -> None:
    """A blocked thread, a coroutine and a future are told alike, and the books name the rule."""
    house = houses(ExecutionTimeout(0.2), start_method="fork")

    async def await_it() -> None:
        await house.server.acall(hostile.holds_gil)

    def call_all() -> None:
        with pytest.raises(ExecutionTimeoutError):
            house.server.call(hostile.holds_gil)
        with pytest.raises(ExecutionTimeoutError):
            asyncio.run(await_it())
        with pytest.raises(ExecutionTimeoutError):
            house.server.submit(hostile.holds_gil).result(GUARD)

    assert house.counted(call_all) == {"execution_timeout": 3}
    house.settle()


@pytest.mark.parametrize("method", START_METHODS)
def test_its_stacks_are_in_the_log(
    houses: Callable[..., House], method: str, logged: Logged
) -> None:
    """Of code that holds the GIL, too: where it stood, and none of our own frames."""
    house = houses(start_method=method)
    with pytest.raises(GatewayTimeoutError):
        house.server.call(hostile.holds_gil, budget=0.3)
    told = logged.wait_for("in holds_gil", "in run")
    assert ": killed by SIGKILL; its stacks were:" in told
    assert "worker.py" not in told
    house.settle()


@pytest.mark.parametrize("name", STUBBORN)
def test_no_rung_of_the_ladder_holds_the_others_up(
    houses: Callable[..., House], witness: Witness, name: str
) -> None:
    """Soft limit, stacks, SIGTERM, SIGKILL: who gives in to an early one is not killed, and the slot comes back."""
    limits = ExecutionTimeout(0.8, soft=0.4)
    house = houses(limits, start_method="fork", slots=1, term_grace=0.05)
    with pytest.raises(ExecutionTimeoutError):
        house.server.call(STUBBORN[name][0], witness.path)
    house.settle()
    seen = {sighting.pid for sighting in witness.seen()}
    if not seen & house.pids():  # it had to be killed
        assert [pid for pid in seen if is_there(pid)] == []
    assert house.server.call(pid_of_worker) in house.pids()


def test_stacks_can_be_left_out(houses: Callable[..., House], logged: Logged) -> None:
    """Then nothing but the fact is logged."""
    house = houses(start_method="fork", stacks=False, slots=1)
    with pytest.raises(GatewayTimeoutError):
        house.server.call(hostile.spins, budget=0.3)
    assert logged.wait_for("was stopped while it ran").endswith(": killed by SIGKILL")


def test_a_grace_lets_it_clean_up(
    houses: Callable[..., House], witness: Witness, logged: Logged
) -> None:
    """It got SIGTERM, and died of what it did then: long before the grace was over."""
    house = houses(start_method="fork", term_grace=60.0, slots=1)
    error = expire(house, hostile.cleans_up_on_sigterm, witness, 1)
    house.settle()
    (first, *rest) = witness.seen()
    assert rest == [(first.pid, "cleaned")]
    assert error.work == "killed"
    logged.wait_for("was stopped while it ran", ": exit code 0")


def test_a_grace_ends(houses: Callable[..., House], witness: Witness, logged: Logged) -> None:
    """Who ignores SIGTERM, or swallows what it is turned into, is killed all the same."""
    house = houses(start_method="fork", term_grace=0.05, slots=1)
    for handler in (hostile.ignores_sigterm, hostile.swallows_everything):
        expire(house, handler, witness, 1)
        house.settle()
    logged.wait_for("in ignores_sigterm", "killed by SIGKILL")
    logged.wait_for("in swallows_everything", "killed by SIGKILL")


def test_a_grace_ends_for_one_that_is_stopped(
    houses: Callable[..., House], witness: Witness
) -> None:
    """SIGSTOP holds SIGTERM up, not SIGKILL."""
    house = houses(start_method="fork", term_grace=0.05, slots=1)
    expire(house, hostile.stops_itself, witness, 1)
    house.settle()


# The soft limit: hard limits that no test reaches, or soft ones that change nothing.


def careless(_: object = None) -> str:
    """Swallow every Exception for ever."""
    while True:
        try:
            time.sleep(60)
        except Exception:
            return "swallowed"


def careful(_: object = None) -> str:
    """Give what there is when time is nearly up."""
    try:
        time.sleep(60)
    except SoftTimeout:
        return "half a result"
    return "all of it"


def test_soft_limits(houses: Callable[..., House]) -> None:
    """`except Exception` does not swallow it; the worker has stopped, and lives on."""
    house = houses(ExecutionTimeout(60, soft=0.1), start_method="fork")
    before = house.pids()
    with pytest.raises(ExecutionTimeoutError) as caught:
        house.server.call(careless)
    assert (caught.value.started, caught.value.work) == (True, "stopped")
    assert caught.value.limit == 0.1
    assert "soft limit allows 0.1 s" in str(caught.value)
    assert house.server.call(careful) == "half a result"
    with pytest.raises(ExecutionTimeoutError):
        house.server.call(hostile.backtracks)  # the regex engine looks for signals
    assert house.server.call(pid_of_worker) in before
    assert house.pids() == before
    house.settle()


def test_the_hard_limit_comes_after_the_soft_one(
    houses: Callable[..., House], logged: Logged
) -> None:
    """For code that cannot be interrupted, and for code that will not be."""
    house = houses(ExecutionTimeout(0.4, soft=0.1), start_method="fork")
    for handler in (hostile.holds_gil, hostile.swallows_everything):
        house.settle()
        with pytest.raises(ExecutionTimeoutError) as caught:
            house.server.call(handler)
        assert caught.value.limit == 0.4
        logged.wait_for(f"in {handler.__name__}", "killed by SIGKILL")
    house.settle()


def test_a_soft_limit_leaves_nothing_behind(houses: Callable[..., House]) -> None:
    """Calls that end before it are not interrupted by the timer of another."""
    house = houses(ExecutionTimeout(60, soft=0.1), start_method="fork")
    before = house.pids()
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        assert house.server.call(pid_of_worker) in before
    assert house.pids() == before
