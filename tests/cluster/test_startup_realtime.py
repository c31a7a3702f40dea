"""How actors come to be: what prepares them, what goes wrong then, where there is no place, and the end of it."""

from __future__ import annotations

import functools
import threading
import time
from pathlib import Path

import pytest

from tests.cluster import ways
from tests.cluster.hall import PATIENCE, actors
from tests.processes.house import Logged, wait_for_deaths
from timeouts import (
    ExecutionTimeout,
    RayWorkers,
    Server,
    StartupFailed,
    StartupTimeoutError,
)

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.usefixtures("cluster"),
    pytest.mark.timeout(120),  # the first test waits for a whole cluster to start
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Ray leaves sockets to the collector
]


def test_setup_runs_in_each_actor() -> None:
    """With its number, if it takes one."""
    with Server(ways.loaded, slots=2, workers=RayWorkers(setup=ways.load)) as server:
        seen = {tuple(f.result(PATIENCE)) for f in [server.submit() for _ in range(10)]}
    assert seen <= {(0,), (1,)}


def test_methods_of_one_object_stay_so() -> None:
    """What `setup` has done to the model, `predict` finds."""

    class Model:
        weights = 0

        def load(self) -> None:
            self.weights = 7

        def predict(self, x: int) -> int:
            return x * self.weights

    model = Model()
    with Server(model.predict, slots=1, workers=RayWorkers(setup=model.load)) as server:
        assert server.call(2) == 14
    assert model.weights == 0


def test_a_failed_start_is_told_with_its_traceback() -> None:
    """To who starts the server, and to all who call, at once; the next attempt waits."""
    server = Server(ways.where, workers=RayWorkers(setup=ways.fail))
    told = r"setup failed in a worker: Traceback(.|\n)*in fail\n(.|\n)*no model in"
    try:
        with pytest.raises(StartupFailed, match=told):
            server.start()
        with pytest.raises(StartupFailed, match=told) as caught:
            server.call()
        assert caught.value.retry_after
    finally:
        server.__exit__(KeyError, None, None)
    assert actors() == []


def test_a_start_that_fails_twice_succeeds(tmp_path: Path, logged: Logged) -> None:
    """The server tries again by itself, later each time, and serves from then on."""
    setup = functools.partial(ways.succeed_at_last, str(tmp_path / "attempts"))
    server = Server(ways.where, workers=RayWorkers(setup=setup))
    try:
        with pytest.raises(StartupFailed, match="attempt 1"):
            server.call()
        assert server._wait_until(lambda: server._shell.core.slots == 1, PATIENCE)
        assert server.call()
        logged.wait_for("the next attempt is in 0.1 s", "attempt 1")
        logged.wait_for("the next attempt is in 0.2 s", "attempt 2")
    finally:
        server.__exit__(None, None, None)


def test_a_start_that_hangs_has_a_limit_of_its_own(tmp_path: Path) -> None:
    """However long the limits of a request are; nothing is left of it."""
    told = tmp_path / "pid"
    setup = functools.partial(ways.tell_and_hang, str(told))
    workers = RayWorkers(setup=setup, startup_timeout=4)
    server = Server(ways.where, ExecutionTimeout(3600), workers=workers)
    try:
        with pytest.raises(StartupTimeoutError, match="in time; startup_timeout allows 4 s"):
            server.call()
    finally:
        server.__exit__(KeyError, None, None)
    if told.exists():  # on a busy machine the process may not have come so far
        wait_for_deaths([int(told.read_text())])
    assert actors() == []


def test_without_a_place_callers_are_told() -> None:
    """No node has what is asked for."""
    workers = RayWorkers(options={"resources": {"unobtainium": 1}}, startup_timeout=0.3)
    server = Server(ways.where, workers=workers)
    try:
        with pytest.raises(StartupTimeoutError, match="Ray had started no actor in time"):
            server.call()
    finally:
        server.__exit__(KeyError, None, None)
    assert actors() == []


@pytest.mark.parametrize("pause", [0.0, 0.3])
def test_a_close_while_actors_are_being_made(pause: float) -> None:
    """None is left, whatever stage they were in."""
    server = Server(ways.where, slots=3, workers="ray")
    future = server.submit()
    time.sleep(pause)
    server.__exit__(KeyError, None, None)
    assert future.exception(PATIENCE)
    assert server._shell.pool.quiet
    assert actors() == []


def test_an_interrupted_start_leaves_nothing(tmp_path: Path) -> None:
    """A Ctrl-C in the middle of it, say."""
    told = tmp_path / "pid"
    setup = functools.partial(ways.tell_and_hang, str(told))
    server = Server(ways.where, workers=RayWorkers(setup=setup))
    caught: list[BaseException] = []

    def interrupted(*_: object) -> bool:
        while not (told.exists() and told.read_text()):
            time.sleep(0.01)
        raise KeyboardInterrupt

    server._settled = interrupted  # type: ignore[method-assign]

    def enter() -> None:
        try:
            with server:
                raise AssertionError("it cannot have started")
        except KeyboardInterrupt as error:
            caught.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join(PATIENCE)
    assert caught
    assert server._wait_until(lambda: server._shell.pool.quiet, PATIENCE)
    wait_for_deaths([int(told.read_text())])
    assert actors() == []
