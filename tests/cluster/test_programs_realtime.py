"""Whole programs that use Ray workers: who starts Ray and who ends it, forks, and ends of every kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.processes.house import Script, wait_for_deaths

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.timeout(120),  # the first test waits for a whole cluster to start
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Ray leaves sockets to the collector
]

LIMIT = 60.0


@pytest.fixture
def program(cluster: Any, tmp_path: Path) -> Any:
    """Start a program, for which `ray.init()` means the cluster of these tests."""

    def start(text: str) -> Script:
        env = {"RAY_ADDRESS": cluster.address}
        return Script(text, tmp_path / "program.py", flags=("-W", "ignore"), env=env)

    return start


def test_a_program_of_its_own(program: Any) -> None:
    """Ray is started when it is needed, and ends with the last server that needs it; a user's own stays.

    What is defined in the program, guarded or not, and refers to other such things, is copied.
    """
    text = """
        import os
        import ray
        from timeouts import ExecutionTimeout, RayWorkers, Server, guard

        class Own(Exception):
            pass

        def fail():
            raise Own

        @guard(ExecutionTimeout(30), workers="ray", slots=1)
        def factorial(n):
            return n * factorial(n - 1) if n else 1

        assert not ray.is_initialized()
        with Server(fail, workers="ray") as one:
            with factorial.server:
                assert factorial(5) == 120
            assert ray.is_initialized()
            try:
                one.call()
            except Own as error:
                assert "in fail" in str(error.__cause__)
        assert not ray.is_initialized()

        ray.init()
        with Server(fail, workers="ray") as server:
            child = os.fork()
            if not child:
                try:
                    server.call()
                except RuntimeError as error:
                    os._exit(7 if "fork" in str(error) else 8)
                os._exit(9)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
            try:
                server.call()
            except Own:
                print("well")
        assert ray.is_initialized()
        """
    with program(text) as script:
        code, out, err = script.end(LIMIT)
    assert (code, "well" in out.splitlines()) == (0, True), (
        err
    )  # Ray may have something to say, too


def test_a_ray_that_is_shut_down_is_not_started_again(program: Any) -> None:
    """Callers are told, the server closes, and Ray stays as its user wanted it."""
    text = """
        import ray
        from timeouts import Server, StartupFailed, WorkerLost

        ray.init()
        with Server(len, slots=1, workers="ray") as server:
            assert server.call("abc") == 3
            ray.shutdown()
            for _ in range(2):
                try:
                    server.call("abc")
                except (StartupFailed, WorkerLost) as error:
                    print(type(error).__name__)
            assert not ray.is_initialized()
        assert not ray.is_initialized()
        """
    with program(text) as script:
        code, out, err = script.end(LIMIT)
    assert code == 0, err
    assert "StartupFailed" in out.splitlines()


@pytest.mark.parametrize("end", ["by itself", "killed"])
def test_actors_end_with_the_program(program: Any, end: str) -> None:
    """Though it closes nothing, and they hang."""
    text = """
        import sys, time
        from timeouts import Server
        from timeouts.testing import hostile
        from tests.cluster.ways import where

        server = Server(hostile.run, slots=2, workers="ray").start()
        pids = {server.submit(where) for _ in range(2)}
        pids = {future.result()[0] for future in pids}
        server.submit(hostile.holds_gil)
        print(*[worker.pid for worker in server._shell.pool._staff._workers.values()], flush=True)
        sys.stdin.readline()
        """
    with program(text) as script:
        pids = script.numbers()
        if end == "killed":
            script.process.kill()
        script.end(LIMIT)
    wait_for_deaths(pids)
