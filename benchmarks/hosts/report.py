"""A host's table in Markdown, for its page of the docs."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from math import isinf
from pathlib import Path
from statistics import median

from hosts.host import Host
from hosts.scenarios import PATIENCE, Figures
from measure import put_between

DOCS = Path(__file__).resolve().parents[2] / "docs"


def table(host: Host, figures: dict[str, Figures]) -> str:
    """Return the table, and under it what was measured on what."""
    alone, limited = figures["alone"], figures["limited"]
    rows = [
        ("", host.title, "with `timeouts`"),
        ("---", "---", "---"),
        (
            "queue limit 1 s behind a job of 10 s: told after",
            *(_told(one.told_queue, one.word_queue) for one in (alone, limited)),
        ),
        (
            "execution limit 1 s, `predict` hangs: told after",
            *(_told(one.told_hung, one.word_hung) for one in (alone, limited)),
        ),
        ("the hung work is", *(_stopped(one.stopped) for one in (alone, limited))),
        (
            "the next request is served, after that limit",
            *(_after(one.served_next) for one in (alone, limited)),
        ),
        ("a quick request, p50", _ms(alone), f"{_ms(limited)}, {added(figures) * 1e6:+.0f} µs"),
    ]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, "", *([host.note, ""] if host.note else []), f"{conditions(host)}."])


def conditions(host: Host) -> str:
    """Say what was measured on what."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    packages = ", ".join(f"{name} {version(name)}" for name in ("timeouts", *host.packages))
    command = f"`python benchmarks/hosts {host.name}`"
    return f"{command}, medians of one run (the last figure is the median of the differences within a round): {python}, {platform.system()}, {os.cpu_count()} cores; {packages}"


def added(figures: dict[str, Figures]) -> float:
    """Return the seconds that the limits add to a quick request: the median over the rounds."""
    pairs = zip(figures["limited"].quick, figures["alone"].quick, strict=True)
    return median(limited - alone for limited, alone in pairs)


def verdict(host: Host, figures: dict[str, Figures]) -> str:
    """Say whether the bar was kept."""
    micros = added(figures) * 1e6
    kept = "kept" if micros <= host.bar else "MISSED"
    return f"{host.name}: {micros:+.0f} µs a request, bar {host.bar:.0f} µs: {kept}"


def write(host: Host, text: str) -> Path:
    """Put the table into its page, in place of the one that is there.

    Raises:
        ValueError: the page has no place for it.
    """
    page = DOCS / host.page
    put_between(page, text, host.place)
    return page


def _told(seconds: list[float], word: str) -> str:
    middle = median(seconds)
    return f"never (in {PATIENCE:.0f} s)" if isinf(middle) else f"{_s(middle)} ({word})"


def _stopped(seconds: list[float]) -> str:
    middle = median(seconds)
    return (
        "still running"
        if isinf(middle)
        else f"stopped {max(middle, 0) * 1e3:.0f} ms after the limit"
    )


def _after(seconds: list[float]) -> str:
    middle = median(seconds)
    return f"not within {PATIENCE:.0f} s" if isinf(middle) else _s(max(middle, 0.0))


def _s(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1e3:.0f} ms"


def _ms(figures: Figures) -> str:
    return f"{median(figures.quick) * 1e3:.2f} ms"
