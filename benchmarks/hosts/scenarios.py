"""What is measured of a running host: when callers are told, what becomes of the work, what it costs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from statistics import median
from time import monotonic, perf_counter, sleep
from typing import Self
from uuid import uuid4

from hosts.host import Answer, Caller, Host, Setting
from hosts.work import last_beat

QUEUE = Setting(queue=1.0, execution=20.0)
HUNG = Setting(queue=5.0, execution=1.0)
COST = Setting(queue=5.0, execution=10.0)
PATIENCE = 9.0
SILENCE = 0.5  # work that has not beaten for so long has ended


@dataclass
class Figures:
    """What one variant has shown: seconds, an entry per round; infinite for never."""

    told_queue: list[float] = field(default_factory=list)
    word_queue: str = ""
    told_hung: list[float] = field(default_factory=list)
    word_hung: str = ""
    stopped: list[float] = field(default_factory=list)
    served_next: list[float] = field(default_factory=list)
    quick: list[float] = field(default_factory=list)


def behind(caller: Caller, beats: Path, figures: Figures) -> None:
    """Ask for something quick behind a job of ten seconds, under a queue limit of one."""
    with _Asking(caller, beats, "hold"):
        sent = monotonic()
        answer = caller.ask("quick", patience=PATIENCE + 3)
    figures.told_queue.append(answer.at - sent)
    figures.word_queue = answer.word


def hung(caller: Caller, beats: Path, figures: Figures, ok: str) -> None:
    """Ask for something that hangs, under an execution limit of one second; and then for more."""
    with _Asking(caller, beats, "hang") as asking:
        limit = asking.sent + HUNG.execution
        sleep(max(0.0, limit - monotonic()))
        answer = Answer("")
        while answer.word != ok and monotonic() < limit + PATIENCE:
            answer = caller.ask("quick", patience=PATIENCE)
        figures.served_next.append(answer.at - limit if answer.word == ok else inf)
        sleep(max(0.0, last_beat(beats, asking.mark) + SILENCE - monotonic()))
        last = last_beat(beats, asking.mark)
        figures.stopped.append(inf if monotonic() - last < SILENCE else last - limit)
        asking.thread.join(max(0.0, limit + PATIENCE - monotonic()))
        figures.told_hung.append(asking.answer.at - asking.sent)
        figures.word_hung = asking.answer.word


def quick(callers: dict[str, Caller], count: int) -> dict[str, float]:
    """Return the median seconds of a quick request, the variants one request each in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in callers}
    for _ in range(count):
        for name, caller in callers.items():
            start = perf_counter()
            caller.ask("quick")
            seconds[name].append(perf_counter() - start)
    return {name: median(taken) for name, taken in seconds.items()}


class _Asking:
    """A request that is under way in a thread of its own, and has begun to be worked on."""

    def __init__(self, caller: Caller, beats: Path, do: str) -> None:
        self.mark = uuid4().hex
        self.answer = Answer("")
        self.sent = monotonic()
        self.thread = threading.Thread(target=self._ask, args=(caller, do), daemon=True)
        self.thread.start()
        while last_beat(beats, self.mark) < self.sent and self.thread.is_alive():
            sleep(0.001)

    def _ask(self, caller: Caller, do: str) -> None:
        self.answer = caller.ask(do, self.mark, patience=PATIENCE + HUNG.execution)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing: the host is ended after each scenario, and the request with it."""


def measure(
    host: Host, beats: Path, rounds: int, count: int, tell: Callable[[str], None]
) -> dict[str, Figures]:
    """Measure both variants of a host."""
    variants = {"alone": host.alone, "limited": host.limited}
    figures = {name: Figures() for name in variants}
    for turn in range(rounds):
        for name in variants if turn % 2 == 0 else reversed(variants):
            with variants[name](QUEUE) as caller:
                behind(caller, beats, figures[name])
            with variants[name](HUNG) as caller:
                hung(caller, beats, figures[name], host.ok)
            tell(f"{name}: {figures[name]}")
    with host.alone(COST) as alone, host.limited(COST) as limited:
        callers = {"alone": alone, "limited": limited}
        quick(callers, count // 10)
        for _ in range(max(rounds, 5) if count > 100 else 1):
            for name, seconds in quick(callers, count).items():
                figures[name].quick.append(seconds)
    tell(f"quick: {figures['alone'].quick} against {figures['limited'].quick}")
    return figures
