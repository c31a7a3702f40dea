"""What is shown of each scenario, and what has to come out of it for ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from versus_litserve.subjects import LITSERVE, PLAIN


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Args:
        title: what was measured.
        unit: of its figures.
        most: the bar, if the figure is to be small.
        least: the bar, if it is to be large.
        to: the subject whose figure of the same round the bar is a multiple of; by default none.
        p99: whether the figure of all samples is their 99th percentile, and not their median.
    """

    title: str
    unit: str
    most: float | None = None
    least: float | None = None
    to: str = ""
    p99: bool = False

    @property
    def bar(self) -> str:
        """The bar in words; nothing where there is none."""
        unit = f"x {self.to}" if self.to else f" {self.unit}"
        if self.most is not None:
            return f"<= {self.most:g}{unit}".rstrip()
        return f">= {self.least:g}{unit}".rstrip() if self.least is not None else ""

    def kept(self, figure: float) -> bool:
        """Tell whether a figure, or a multiple, keeps the bar."""
        if self.most is not None:
            return figure <= self.most
        return self.least is None or figure >= self.least


ROWS: Mapping[str, Row] = {
    "held_told": Row("worker held for 10 s, queue limit 1 s: those behind it are told after", "s"),
    "held_late": Row("that is too late by, p99", "ms", most=10, p99=True),
    "hung_late": Row("predict hangs, limit 1 s: its caller is told too late by", "ms", most=10),
    "hung_next": Row("from that limit to the next request's answer", "ms", most=1_000),
    "crash": Row("worker dies: from its death to the answer", "ms", most=50),
    "gone": Row("10 clients left while they waited: predicts started for them", "", most=0),
    "gone_next": Row("from the free worker to the answer of one who stayed", "ms"),
    "orphans": Row("SIGTERM: processes left", "", most=0),
    "port": Row("SIGTERM: the port is still served (1: yes)", "", most=0),
    "idle": Row("idle: processor time, of one core", "%", most=1),
    "refused": Row("1,000 x 100 kB, 100 may wait: refused of the other 900", "%", least=100),
    "grown": Row("the same: memory at its peak, beyond the idle server's", "MB"),
    "good2": Row("offered 100/s, one worker does 50/s: answered within 0.2 s", "/s", least=45),
    "less2": Row("the same, LitServe's timeout set to 0.17 s by hand", "/s"),
    "good5": Row("offered 250/s: answered within 0.2 s", "/s", least=45),
    "less5": Row("the same, LitServe's timeout set to 0.17 s by hand", "/s"),
    "generator2": Row("at 100/s requests went out too late by, p99", "ms"),
    "generator5": Row("at 250/s the same", "ms"),
}
RATES: Mapping[str, Row] = {
    "rate1": Row("1 connection", "/s", least=2.5, to=LITSERVE.name),
    "p50_1": Row("p50", "ms", most=1.5, to=PLAIN.name),
    "p99_1": Row("p99", "ms"),
    "rate8": Row("8 connections", "/s", least=2.5, to=LITSERVE.name),
    "p50_8": Row("p50", "ms"),
    "p99_8": Row("p99", "ms"),
    "rate32": Row("32 connections", "/s", least=2.5, to=LITSERVE.name),
    "p50_32": Row("p50", "ms"),
    "p99_32": Row("p99", "ms"),
}
