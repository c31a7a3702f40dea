"""What has been measured: the samples by row, subject and round, and what they come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf, isfinite
from statistics import median

from versus_litserve.effort import Sample, Samples
from versus_litserve.rows import Row


@dataclass
class Results:
    """All of it."""

    table: dict[str, dict[str, list[Sample]]] = field(default_factory=dict)

    def add(self, subject: str, samples: Samples) -> None:
        """Note what a round has shown of a subject."""
        for row, sample in samples.items():
            self.table.setdefault(row, {}).setdefault(subject, []).append(sample)

    def of(self, key: str, subject: str) -> list[Sample]:
        """Return what the rounds have shown; nothing where it was not measured."""
        return self.table.get(key, {}).get(subject, [])

    def figure(self, key: str, row: Row, subject: str) -> float | None:
        """Return the median of all samples of all rounds, or their 99th percentile."""
        figures = [figure for sample in self.of(key, subject) for figure in sample.figures]
        if not figures:
            return None
        return p99(figures) if row.p99 else median(figures)

    def against_bar(self, key: str, row: Row, subject: str) -> float | None:
        """Return what is compared with the bar: the figure, or how many times another's it is."""
        if not row.to:
            return self.figure(key, row, subject)
        pairs = zip(self.of(key, subject), self.of(key, row.to), strict=False)
        times = [median(one.figures) / median(other.figures) for one, other in pairs]
        return median(times) if times else None

    def note(self, key: str, subject: str) -> str:
        """Return what is to be said beside the figure, each thing once."""
        notes = [sample.note for sample in self.of(key, subject) if sample.note]
        return "; ".join(dict.fromkeys(notes))


def p99(figures: Sequence[float]) -> float:
    """Return the smallest figure that 99 % do not exceed; of fewer than 100 it is the largest."""
    return sorted(figures)[max(0, -(-len(figures) * 99 // 100) - 1)]


def short(figure: float | None, unit: str) -> str:
    """Return three digits that count, and the unit; `never` for what did not happen."""
    if figure is None:
        return ""
    if not isfinite(figure):
        return "never" if figure == inf else "?"
    digits = f"{figure:,.0f}" if abs(figure) >= 100 else f"{figure:.3g}"
    return f"{digits} {unit}".rstrip().replace(" /s", "/s")
