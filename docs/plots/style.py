"""How the plots look: one message in the title, labels beside the lines, colours that the colour-blind tell apart.

Law: the same figures give the same bytes: no dates, no random names, and text is text.

Source of the colours: Okabe and Ito, "Color universal design" (2008).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

IMAGES = Path(__file__).resolve().parents[1] / "images"


@dataclass(frozen=True)
class Theme:
    """Colours on one ground."""

    name: str
    ink: str
    faint: str
    blue: str
    orange: str
    green: str
    grey: str


LIGHT = Theme("light", "#222222", "#d9d9d9", "#0072b2", "#d55e00", "#007a5a", "#6b6b6b")
DARK = Theme("dark", "#e6e6e6", "#4a4f5c", "#56b4e9", "#e69f00", "#2fc79a", "#a8a8a8")
THEMES = (LIGHT, DARK)
Draw = Callable[[Figure, Theme], None]


def svg(draw: Draw, theme: Theme, size: tuple[float, float]) -> bytes:
    """Return a drawing, on no ground of its own."""
    with _look(theme):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure, theme)
        into = BytesIO()
        metadata = {"Date": None, "Creator": None}
        figure.savefig(into, format="svg", transparent=True, metadata=metadata)
    lines = into.getvalue().decode().splitlines()
    return ("\n".join(line.rstrip() for line in lines) + "\n").encode()


def save(name: str, draw: Draw, size: tuple[float, float]) -> None:
    """Draw into the images of the site, for a light and for a dark page."""
    for theme in THEMES:
        file(name, theme).write_bytes(svg(draw, theme, size))


def file(name: str, theme: Theme) -> Path:
    """Return where a plot lies."""
    return IMAGES / f"overload-{name}-{theme.name}.svg"


def title(figure: Figure, text: str) -> None:
    """Say what there is to see."""
    figure.suptitle(text, x=0.01, ha="left", fontsize=11.5, fontweight="bold")


def plain(axes: Axes, theme: Theme, across: str, up: str, name: str = "") -> None:
    """Take away what is no figure."""
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.set_title(name, loc="left", fontsize=10)
    axes.grid(color=theme.faint, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def label(axes: Axes, at: tuple[float, float], text: str, colour: str, **more: object) -> None:
    """Name a line where it is."""
    placed = {"xytext": (6, 0), "textcoords": "offset points", "va": "center", **more}
    axes.annotate(text, at, color=colour, fontsize=9, annotation_clip=False, **placed)  # type: ignore[arg-type]


@contextmanager
def _look(theme: Theme) -> Iterator[None]:
    ink = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    look: dict[Any, Any] = {
        "svg.hashsalt": "timeouts",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 9.5,
        **dict.fromkeys(ink, theme.ink),
    }
    with rc_context(look):
        yield
