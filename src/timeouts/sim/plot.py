"""Reports as a picture: what each load brings, and what becomes of the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from timeouts.sim.report import Report

BLUE, GREY, RED, AMBER = "#1f6f8b", "#8a8a8a", "#c0281c", "#e0a458"
Runs = Sequence[tuple[float, Report]]
Line = tuple[str, str, Callable[[Report], float | None]]

GOODPUT: tuple[Line, ...] = (
    ("offered", GREY, lambda report: report.offered / report.duration),
    ("the best possible, sizes unknown", AMBER, lambda report: report.limit.goodput),
    ("answered in time", BLUE, lambda report: report.goodput),
)
TIMES: tuple[Line, ...] = (
    ("answered in time, p50", BLUE, lambda report: report.latency_p50),
    ("answered in time, p99", "#7fb3c8", lambda report: report.latency_p99),
    ("told no, p50", RED, lambda report: report.told_p50),
    ("told no, p99", "#e08f88", lambda report: report.told_p99),
)
SHARES: tuple[Line, ...] = (
    ("slots busy", GREY, lambda report: report.utilisation),
    ("work wasted", RED, lambda report: report.wasted),
    ("fairness to long requests", BLUE, lambda report: report.fairness),
)


def save(file: Path, runs: Runs) -> None:
    """Draw runs into a file, whose ending says in which format."""
    with rc_context({"svg.hashsalt": "timeouts", "font.size": 9.5}):
        figure = draw(runs)
        dated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
        figure.savefig(file, dpi=150, metadata=dated.get(file.suffix.lower()))


def draw(runs: Runs) -> Figure:
    """Draw runs."""
    figure = Figure(figsize=(11, 7.5), layout="constrained")
    FigureCanvasAgg(figure)
    (goodput, times), (shares, course) = figure.subplots(2, 2)
    _lines(goodput, runs, GOODPUT, "requests per second")
    goodput.set_ylim(
        0, 1.5 * max(report.limit.goodput for _, report in runs)
    )  # offered runs out of it
    _lines(times, runs, TIMES, "seconds after arrival")
    _lines(shares, runs, SHARES, "shares")
    shares.set_ylim(-0.03, 1.03)
    _course(course, runs)
    return figure


def _lines(axes: Axes, runs: Runs, lines: Sequence[Line], title: str) -> None:
    for label, colour, look in lines:
        points = [(load, value) for load, report in runs if (value := look(report)) is not None]
        axes.plot(
            [load for load, _ in points],
            [value for _, value in points],
            marker="o",
            markersize=4,
            color=colour,
            label=label,
        )
    if runs[-1][0] > 5 * runs[0][0]:
        axes.set_xscale("log")
        axes.set_xticks([load for load, _ in runs], [f"{load:g}" for load, _ in runs])
        axes.minorticks_off()
    axes.set_xlabel("load")
    _plain(axes, title)


def _course(axes: Axes, runs: Runs) -> None:
    """Draw the share that was answered in time, by the time of arrival."""
    for load, report in runs:
        parts = len(report.timeline)
        points = [
            (part * report.duration / parts, answered / came)
            for part, (came, answered) in enumerate(report.timeline)
            if came
        ]
        axes.plot([at for at, _ in points], [share for _, share in points], label=f"load {load:g}")
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("seconds after the start")
    _plain(axes, "share answered in time, by arrival")


def _plain(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=10)
    axes.grid(color="#e6e6e6", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
