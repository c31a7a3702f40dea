"""Measuring on a noisy machine: subjects take turns, medians speak, ratios come from one run.

A *subject* does its work once and returns the seconds that one operation took it. All subjects of a
table are run once per round, every other round in reverse; a ratio is the median, over the rounds, of
what a subject took divided by what the table's first subject took in that same round.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles
from time import process_time

Subject = Callable[[], float]
MICRO = 1e6
BEGIN = "<!-- benchmark table{} -->"
END = "<!-- end of the table{} -->"


def is_quick(about: str | None) -> bool:
    """Read the command line: whether to run just once around, to see that it runs."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--quick", action="store_true", help="a few operations only: no figures")
    return bool(parser.parse_args().quick)


def print_header(title: str) -> None:
    """Print what is measured, and on what."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    peers = ", ".join(f"{name} {version(name)}" for name in ("wrapt", "pydantic"))
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    print(f"{title}\n{python}, {peers}, {machine}{load}\n")


def per_operation(
    block: Callable[[int], object], count: int, clock: Callable[[], float] = process_time
) -> Subject:
    """Make a subject of something that does `count` operations in a row.

    Timed by the processor time of this process, on which other processes have little influence;
    where several threads wait for one another, pass `perf_counter`.
    """

    def subject() -> float:
        start = clock()
        block(count)
        return (clock() - start) / count

    return subject


def take_turns(subjects: Mapping[str, Subject], rounds: int) -> dict[str, list[float]]:
    """Run the subjects in turn; return each one's seconds per operation, round by round."""
    names = list(subjects)
    for name in names:  # once around to warm up
        subjects[name]()
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        for name in names if turn % 2 else reversed(names):
            seconds[name].append(subjects[name]())
    return seconds


def ratio(seconds: Sequence[float], base: Sequence[float]) -> float:
    """Return the median of the ratios measured in one round each."""
    return median(one / other for one, other in zip(seconds, base, strict=True))


def print_costs(
    seconds: Mapping[str, Sequence[float]],
    *,
    most_times: Mapping[str, float] | None = None,
    most_micros: Mapping[str, float] | None = None,
) -> None:
    """Print a row per subject: its cost, the middle half of the rounds, its ratio to the first.

    Args:
        seconds: what `take_turns` returned.
        most_times: the bars that are ratios.
        most_micros: the bars that are µs.
    """
    base = next(iter(seconds.values()))
    width = max(map(len, seconds))
    print(f"{'':{width}}  {'median':>10}  {'middle half':>15}  {'ratio':>6}  bar")
    for name, rounds in seconds.items():
        cost, times = median(rounds) * MICRO, ratio(rounds, base)
        low, high = (edge * MICRO for edge in _middle_half(rounds))
        verdict = bar("x", times, (most_times or {}).get(name))
        verdict = verdict or bar(" µs", cost, (most_micros or {}).get(name))
        middle = f"{low:.2f}-{high:.2f}"
        print(f"{name:{width}}  {cost:7.2f} µs  {middle:>15}  {times:5.2f}x  {verdict}".rstrip())
    print()


def bar(unit: str, value: float, most: float | None) -> str:
    """Return the bar and whether it was kept; nothing where there is none."""
    if most is None:
        return ""
    return f"<= {most:g}{unit}: {'kept' if value <= most else 'MISSED'}"


def put_between(page: Path, text: str, place: str = "") -> None:
    """Put a table into a page, in place of the one that is there.

    Args:
        page: the page.
        text: the table.
        place: which of several tables of the page it is.

    Raises:
        ValueError: the page has no place for it.
    """
    named = place and f": {place}"
    begin, end = BEGIN.format(named), END.format(named)
    before, found, after = page.read_text().partition(begin)
    if not found:
        raise ValueError(f"{page} has no line {begin}")
    rest = after.partition(end)[2] if end in after else after
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{rest}")


def _middle_half(rounds: Sequence[float]) -> tuple[float, float]:
    if len(rounds) < 2:
        return rounds[0], rounds[0]
    low, _, high = quantiles(rounds, n=4, method="inclusive")
    return low, high
