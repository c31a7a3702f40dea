"""What `RayWorkers` refuses, and that nobody needs Ray who does not use it."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import pytest

from tests.cluster import ways
from timeouts import RayWorkers, Server
from timeouts.workers.ray import guest
from timeouts.workers.ray.kind import OURS

REFUSED: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    # name: the options, and what is said
    "setup": ({"setup": 3}, TypeError, "setup must be a function; got 3"),
    "spares": ({"spares": -1}, ValueError, "spares must be at least 0; got -1"),
    "startup_timeout": ({"startup_timeout": 0}, ValueError, "startup_timeout"),
    "stream_grace": (
        {"stream_grace": math.inf},
        ValueError,
        "stream_grace must be a finite number",
    ),
    "max_jobs": ({"max_jobs": 0}, ValueError, "max_jobs must be at least 1; got 0"),
    "options": (
        {"options": ["num_gpus"]},
        TypeError,
        r"options must be a mapping such as {'num_gpus': 1}",
    ),
    "address": ({"address": 6379}, TypeError, "address must be a string such as 'auto'; got 6379"),
    "client": ({"address": "ray://head:10001"}, ValueError, "Ray Client"),
}


@pytest.mark.parametrize(("options", "error", "told"), REFUSED.values(), ids=list(REFUSED))
def test_nonsense_is_refused(options: dict[str, Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        RayWorkers(**options)


@pytest.mark.parametrize("name", list(OURS))
def test_options_that_would_break_a_promise_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"options cannot have '{name}', because {OURS[name]}"):
        RayWorkers(options={name: 1})


@pytest.mark.parametrize("options", [{"num_gpu": 1}, {"num_cpus": -1}, {"resources": 3}])
def test_options_that_ray_does_not_know_are_refused_by_the_server(options: dict[str, Any]) -> None:
    """Before anything is started, and with Ray's own words."""
    with pytest.raises((TypeError, ValueError), match=r"options=\{.*\}: "):
        Server(len, workers=RayWorkers(options=options))


def test_what_cannot_be_run_is_refused() -> None:
    async def apredict() -> None:
        """Be a coroutine."""

    with pytest.raises(TypeError, match=r"ray workers run def handlers; .*apredict is async"):
        Server(apredict, workers="ray")
    with pytest.raises(ValueError, match="slots must be a finite number for ray workers"):
        Server(len, workers="ray", slots=math.inf)


def test_it_can_be_looked_at() -> None:
    assert repr(RayWorkers()) == "RayWorkers()"
    assert repr(RayWorkers(options={"num_gpus": 1})) == "RayWorkers(options={'num_gpus': 1})"
    assert Server(len, workers="ray").stop_mode == "kill"


def test_a_driver_connected_by_ray_client_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no process of the cluster's, and pids there mean nothing to it."""
    monkeypatch.setattr(guest.ray.util.client.ray, "is_connected", lambda: True)
    with pytest.raises(RuntimeError, match="Ray Client"):
        Server(ways.where, workers="ray").start()


def test_a_handler_that_cannot_be_sent_is_refused_when_the_server_is_opened() -> None:
    import threading

    lock = threading.Lock()
    with pytest.raises(TypeError, match="cannot be sent to a Ray actor: TypeError: cannot pickle"):
        Server(lambda: lock, workers="ray").start()


def run(script: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    ).stdout


def test_importing_timeouts_imports_no_ray() -> None:
    assert (
        run("import sys, timeouts; timeouts.RayWorkers(); print('ray' in sys.modules)") == "False\n"
    )


def test_without_ray_the_extra_is_named() -> None:
    """By the server that is to use it."""
    out = run(
        "import sys; sys.modules['ray'] = None\n"
        "from timeouts import Server\n"
        "try: Server(len, workers='ray')\n"
        "except ImportError as error: print(error)"
    )
    assert out == 'workers="ray" needs ray, which is not installed: pip install "timeouts[ray]"\n'
