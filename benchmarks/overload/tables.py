"""The figures as tables: medians over the rounds, and the range where it matters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf
from statistics import median

from goodput.tables import Table
from overload.rows import Row
from overload.turns import Turn
from timeouts.sim.report import quantile

Turns = Mapping[Row, Sequence[Turn]]
Results = Mapping[tuple[int, float], Turns]  # by workers and load
AGREES = 0.1  # of what the workers can do: how far a simulation may be from the truth
HEADING = (
    "",
    "can do",
    "offered",
    "in time",
    "of what they can",
    "simulated",
    "busy",
    "begun",
    "for nobody",
    "told no p50 / p99",
    "answered p50 / p99",
    "answers",
    "others had",
)


def table(workers: int, load: float, turns: Turns) -> Table:
    """Return a row for each server."""
    made = Table(f"{many(workers)}, {load:g} times what they can do", HEADING)
    made.rows += [(row.name, *_cells(seen)) for row, seen in turns.items()]
    return made


def shares(results: Results) -> Table:
    """Return what is in time, and what is in vain, of each row for each number of workers and load."""
    heading = [f"{workers} w, {load:g}x" for workers, load in results]
    made = Table("answered in time, of what the workers can do (work for nobody)", ("", *heading))
    for row in dict.fromkeys(row for turns in results.values() for row in turns):
        cells = (
            f"{_middle(seen, _share):.0%} ({_middle(seen, _wasted):.0%})"
            for seen in (turns[row] for turns in results.values())
        )
        made.rows.append((row.name, *cells))
    return made


def verdicts(results: Results) -> Iterator[str]:
    """Yield whether each bar was kept."""
    for (workers, load), turns in results.items():
        for row, seen in turns.items():
            where = f"{row.name}, {many(workers)}, {load:g}x"
            share = _middle(seen, _share)
            if row.bar:
                yield f"{where}: {share:.0%} of what they can do, bar {row.bar:.0%}: {_kept(share >= row.bar)}"
            if row.limits is not None:
                off = _middle(seen, _off)
                yield f"{where}: simulation off by {off:+.0%}, bar {AGREES:.0%}: {_kept(abs(off) <= AGREES)}"


def others(results: Results) -> float:
    """Return the share of the processors that others had, in the median turn."""
    return median(
        turn.others for turns in results.values() for seen in turns.values() for turn in seen
    )


def many(workers: int) -> str:
    """Say how many workers there are."""
    return "1 worker" if workers == 1 else f"{workers} workers"


def _cells(seen: Sequence[Turn]) -> Iterator[str]:
    yield f"{_middle(seen, lambda turn: turn.can):.0f}/s"
    yield f"{_middle(seen, lambda turn: turn.rate):.0f}/s"
    yield f"{_middle(seen, lambda turn: turn.run.goodput):.1f}/s"
    yield _range(seen, _share)
    yield (
        ""
        if seen[0].simulated is None
        else f"{_middle(seen, lambda turn: turn.simulated or 0.0):.1f}/s"
    )
    yield _range(seen, lambda turn: turn.run.busy)
    yield f"{_middle(seen, lambda turn: turn.run.runs):.1f}/s"
    yield _range(seen, _wasted)
    yield _times(seen, lambda turn: turn.run.told)
    yield _times(seen, lambda turn: turn.run.latencies)
    yield statuses(sum((turn.run.statuses for turn in seen), Counter[int]()))
    yield _range(seen, lambda turn: turn.others)


def statuses(counts: Counter[int]) -> str:
    """Say what share of the clients was told what."""
    words = {status: str(status) if status else "left" for status in counts}
    total = counts.total()
    return ", ".join(
        f"{words[status]} {count / total:.0%}"
        for status, count in sorted(counts.items(), key=lambda item: item[0] or 1000)
    )


def _times(seen: Sequence[Turn], of: Callable[[Turn], Sequence[float]]) -> str:
    """Return two quantiles in ms: medians over the rounds."""
    return " / ".join(_time(seen, of, share) for share in (0.5, 0.99))


def _time(seen: Sequence[Turn], of: Callable[[Turn], Sequence[float]], share: float) -> str:
    known = [time for turn in seen if (time := quantile(of(turn), share)) is not None]
    if not known:
        return "-"
    middle = median(known)
    return "never" if middle == inf else f"{middle * 1e3:.0f} ms"


def _range(seen: Sequence[Turn], of: Callable[[Turn], float]) -> str:
    """Return the median in percent, and the least and the most if they differ."""
    figures = [of(turn) for turn in seen]
    middle, least, most = (
        f"{figure:.0%}" for figure in (median(figures), min(figures), max(figures))
    )
    return middle if least == most else f"{middle} ({least[:-1]} to {most[:-1]})"


def _middle(seen: Sequence[Turn], of: Callable[[Turn], float]) -> float:
    return median(of(turn) for turn in seen)


def _share(turn: Turn) -> float:
    return turn.share


def _wasted(turn: Turn) -> float:
    return turn.run.wasted


def _off(turn: Turn) -> float:
    return ((turn.simulated or 0.0) - turn.run.goodput) / turn.can


def _kept(kept: bool) -> str:
    return "kept" if kept else "MISSED"
