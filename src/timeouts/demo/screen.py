"""The run while it lasts: a picture that moves in a terminal, plain lines anywhere else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from timeouts.demo.recorder import UNANSWERED, Record
from timeouts.demo.timeline import legend, recent, request_line, worker_lines
from timeouts.server import Stats
from timeouts.workers import StopMode


class Screen(Protocol):
    """Shows what has been seen so far."""

    interval: float

    def __enter__(self) -> Self:
        """Take the terminal."""
        ...

    def __exit__(self, *failure: object) -> None:
        """Give it back."""

    def show(self, records: Sequence[Record], stats: Stats, now: float) -> None:
        """Show the state at `now`, in seconds after the start."""


def screen_for(console: Console, headline: Text, slots: int, stop_mode: StopMode) -> Screen:
    """Return the screen that suits where the output goes."""
    if console.is_terminal and not console.is_dumb_terminal:
        return Moving(console, headline, slots, stop_mode)
    return Lines(console, slots)


class Moving:
    """Redraw the timeline in place; it is wiped at the end."""

    interval = 0.1

    def __init__(self, console: Console, headline: Text, slots: int, stop_mode: StopMode) -> None:
        self._console = console
        self._slots = slots
        self._stop_mode: StopMode = stop_mode
        self._headline = headline
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        """Take the terminal."""
        self._live.start()
        return self

    def __exit__(self, *failure: object) -> None:
        """Wipe the picture."""
        self._live.stop()

    def show(self, records: Sequence[Record], stats: Stats, now: float) -> None:
        """Draw one frame."""
        size = self._console.size
        width, height = size.width, size.height - 3
        lines = frame(records, stats, now, self._slots, self._stop_mode, width=width, height=height)
        self._live.update(Group(self._headline, Text(), *lines), refresh=True)


class Lines:
    """Print the state once a second, every expiry in the words of its error, and every kill."""

    interval = 0.1

    def __init__(self, console: Console, slots: int) -> None:
        self._console = console
        self._slots = slots
        self._reported: set[int] = set()
        self._buried: set[int] = set()
        self._next = 0.0

    def __enter__(self) -> Self:
        """Nothing to take."""
        return self

    def __exit__(self, *failure: object) -> None:
        """Nothing to give back."""

    def show(self, records: Sequence[Record], stats: Stats, now: float) -> None:
        """Print what is new."""
        for record in records:
            if record.expired and record.request.number not in self._reported:
                self._reported.add(record.request.number)
                self._print(f"{record.told:6.2f} s  {name(record)}: {record.error}")
            if record.killed and record.request.number not in self._buried:
                self._buried.add(record.request.number)
                dead = f"killed; nothing was left of it {(record.ended - record.told) * 1e3:.1f} ms later"
                self._print(f"{record.ended:6.2f} s  {name(record)}: {dead}")
        if now >= self._next:
            self._next = now - now % 1 + 1
            self._print(f"{now:6.2f} s  {state(stats, self._slots)}")

    def _print(self, line: str) -> None:
        self._console.print(line, soft_wrap=True, highlight=False, markup=False)


def frame(
    records: Sequence[Record],
    stats: Stats,
    now: float,
    slots: int,
    stop_mode: StopMode,
    *,
    width: int,
    height: int,
) -> list[Text]:
    """Lay out one picture of at most `height` lines: the workers above, then the latest requests."""
    axis = recent(now, width)
    workers = worker_lines(records, slots, now, axis)[: max(1, height // 3)]
    head = [legend(stop_mode), Text(), *workers, Text()]
    foot = [axis.ruler(), Text(f"{now:5.1f} s  {state(stats, slots)}"), tally(records)]
    room = max(1, height - len(head) - len(foot))
    lines = [request_line(record, now, axis) for record in latest(records, now, room)]
    lines += [Text()] * (room - len(lines))
    return [*head, *lines, *foot]


def latest(records: Sequence[Record], now: float, room: int) -> list[Record]:
    """Choose the requests that are still alive, then the most recent ones; in order of arrival."""
    alive = [r for r in records if r.told > now or r.started < r.told < now < r.ended]
    chosen = {r.request.number for r in alive[-room:]}
    for record in reversed(records):
        if len(chosen) == room:
            break
        chosen.add(record.request.number)
    return [record for record in records if record.request.number in chosen]


def state(stats: Stats, slots: int) -> str:
    """Say what the server is doing; a slot that is out of service waits for its new worker."""
    starting = f", {slots - stats.slots:g} starting" if stats.slots < slots else ""
    return (
        f"queue: {stats.waiting} waiting   workers: {stats.running} running, "
        f"{stats.abandoned} abandoned, {stats.free:g} free{starting}"
    )


def tally(records: Sequence[Record]) -> Text:
    """Count the outcomes so far."""
    counts = Counter(record.verdict for record in records if record.verdict != UNANSWERED)
    found = "   ".join(f"{verdict} {count}" for verdict, count in sorted(counts.items()))
    return Text(f"         {found}", no_wrap=True, overflow="crop")


def name(record: Record) -> str:
    """Name a request as the timeline does."""
    return f"{record.request.number} {record.request.kind}"
