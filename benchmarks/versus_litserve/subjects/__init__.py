"""Who is compared, how each of them is started, and where it says that it is ready."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Setup:
    """What a scenario has served, and under which limits.

    Args:
        handler: the name of a function in `work`.
        lit: the one `timeout` that LitServe has, in seconds; 0 for none.
        ours: flags of `timeouts serve`.
        restart: have LitServe replace workers that die, which is not its default.
    """

    handler: str = "act"
    lit: float = 0.0
    ours: Sequence[str] = ()
    restart: bool = False


@dataclass(frozen=True)
class Subject:
    """A server that is measured."""

    name: str
    command: Callable[[Setup, int], list[str]]
    ready: str = "/ready"


def _lit(setup: Setup, port: int) -> list[str]:
    command = [sys.executable, "-m", "versus_litserve.subjects.lit", setup.handler]
    return [*command, str(port), str(setup.lit), *(["--restart"] if setup.restart else [])]


def _plain(setup: Setup, port: int) -> list[str]:
    return [sys.executable, "-m", "versus_litserve.subjects.plain", setup.handler, str(port)]


def _ours(workers: str) -> Callable[[Setup, int], list[str]]:
    def command(setup: Setup, port: int) -> list[str]:
        handler = "asquare" if workers == "task" else setup.handler
        serve = [str(Path(sys.executable).with_name("timeouts")), "serve"]
        where = [f"versus_litserve.work:{handler}", "--host", "127.0.0.1", "--port", str(port)]
        slots = [] if workers == "task" else ["--slots", "1"]
        return [*serve, *where, "--workers", workers, *slots, "--capacity", "100", *setup.ours]

    return command


LITSERVE = Subject("LitServe", _lit, "/health")
OURS = Subject("timeouts", _ours("process"))
THREAD = Subject("timeouts, thread", _ours("thread"))
TASK = Subject("timeouts, task", _ours("task"))
PLAIN = Subject("plain FastAPI", _plain)
