"""One request in fifty hangs for ever: what the slots are busy with."""

from __future__ import annotations

from matplotlib.figure import Figure

from docs.plots.page import markdown
from docs.plots.runs import WORK, Rule, Scale, scenario, serve
from docs.plots.style import Draw, Theme, plain, title
from timeouts import EarliestDeadlineFirst, ExecutionTimeout, GatewayTimeout, QueueTimeout
from timeouts.sim import Client, Kill, Lognormal, Report, Stuck

DEADLINE, LOAD = 10.0, 0.8
WAITS = QueueTimeout(DEADLINE / 2)
PATIENT = Client(budget=DEADLINE, at_deadline="stays")
WORKS = Stuck(Lognormal(WORK, 0.3), 0.02)
RULES = (
    Rule("no limit", lambda: WAITS, EarliestDeadlineFirst),
    Rule(
        "limit = deadline",
        lambda: WAITS | ExecutionTimeout(DEADLINE),
        EarliestDeadlineFirst,
    ),
    Rule(
        "learned limit and reserve",
        lambda: (
            GatewayTimeout(DEADLINE, reserve="auto") | ExecutionTimeout("auto", at_most=DEADLINE)
        ),
        EarliestDeadlineFirst,
    ),
)

Found = dict[str, Report]


def run(scale: Scale) -> Found:
    """Serve it with each limit; workers that are killed are back after a second."""
    asked = scenario(LOAD, scale, service=WORKS, clients=PATIENT, seconds=300)
    return {rule.name: serve(asked, rule, stop=Kill(recovery=1.0)) for rule in RULES}


def _parts(report: Report) -> tuple[float, float, float]:
    """Return the shares of the slots: at work for an answer, held by what hangs or is in vain, without a worker."""
    useful = report.utilisation * (1 - report.wasted)
    return useful, report.utilisation - useful, report.recovering


def table(found: Found) -> str:
    """Tell what became of the slots, and of the requests."""
    heading = (
        "execution limit",
        "slots: work that is answered",
        "held in vain",
        "killed, not back yet",
        "requests answered in time",
    )
    rows = [
        (name, *(f"{part:.0%}" for part in (*_parts(report), report.success)))
        for name, report in found.items()
    ]
    return markdown(heading, rows)


def draw(found: Found) -> Draw:
    """Draw the slots as bars."""

    def drawn(figure: Figure, theme: Theme) -> None:
        title(figure, "Hung requests take the slots; a limit near the usual time gives them back")
        axes = figure.subplots()
        names = list(found)[::-1]
        colours, hatches = (theme.blue, theme.orange, theme.grey), ("", "//", "..")
        left = [0.0] * len(names)
        for part, (colour, hatch) in enumerate(zip(colours, hatches, strict=True)):
            widths = [_parts(found[name])[part] for name in names]
            axes.barh(
                names, widths, left=left, color=colour, hatch=hatch, edgecolor=theme.ink, lw=0.6
            )
            for at, width in enumerate(widths):
                if width > 0.05:
                    axes.text(left[at] + width / 2, at, f"{width:.0%}", ha="center", va="center",
                              bbox={"facecolor": "#ffffff", "edgecolor": "none", "pad": 1.5},
                              color="#222222")  # fmt: skip
            left = [begin + width for begin, width in zip(left, widths, strict=True)]
        for at, name in enumerate(names):
            axes.text(1.02, at, f"{found[name].success:.0%} answered", va="center", color=theme.ink)
        axes.set_xlim(0, 1.0)
        axes.xaxis.set_major_formatter("{x:.0%}")
        plain(
            axes,
            theme,
            "share of the slots: plain: answered; lined: held in vain; dotted: no worker",
            "",
        )

    return drawn
