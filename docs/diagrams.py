"""Draw the life of a job from `timeouts.job.TRANSITIONS`: a picture, and a table for the reference.

    python docs/diagrams.py

writes `docs/reference/states.svg` and the table in `docs/reference/states.md`. A test holds both to
the transition table, so neither can say what the code does not do. The picture is a file, because a
drawing script would have to be fetched from elsewhere.
"""

# ruff: noqa: INP001  (a script beside the pages, not a package)

from __future__ import annotations

from pathlib import Path

from timeouts.job import ABANDONED, DONE, NEW, RUNNING, TRANSITIONS, WAITING, Event, Phase

REFERENCE = Path(__file__).parent / "reference"
PAGE, PICTURE = REFERENCE / "states.md", REFERENCE / "states.svg"
BEGIN, END = "<!-- begin: written by docs/diagrams.py -->", "<!-- end -->"

ROW = (NEW, WAITING, RUNNING, ABANDONED)  # side by side, in this order; DONE lies below them all
STEP, WIDTH, HEIGHT = 230, 120, 44
TOP, BOTTOM, LINE = 70, 250, 17
RIGHT = 20 + STEP * (len(ROW) - 1) + WIDTH

STYLE = """\
  <style>
    text { font: 14px sans-serif; fill: #222; text-anchor: middle }
    text.side { text-anchor: start }
    text.phase { font-weight: bold }
    rect.phase { fill: #eef2f7; stroke: #44546a; stroke-width: 1.5 }
    line { stroke: #44546a; stroke-width: 1.5; marker-end: url(#head) }
    line.replies { stroke-width: 4; marker-end: url(#replies) }
  </style>
  <marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="9" markerHeight="9"
    markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 8 4 0 8z" fill="#44546a"/></marker>
  <marker id="replies" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="15" markerHeight="15"
    markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 8 4 0 8z" fill="#44546a"/></marker>"""


def arrows() -> dict[tuple[Phase, Phase, bool], list[Event]]:
    """Return the events that lead from one phase to another; those that answer the caller apart."""
    found: dict[tuple[Phase, Phase, bool], list[Event]] = {}
    for phase, events in TRANSITIONS.items():
        for event, (to, replies) in events.items():
            found.setdefault((phase, to, replies), []).append(event)
    return found


def table() -> str:
    """Return the table in Markdown: phases down, events across, in bold what answers the caller."""
    head = ["| | " + " | ".join(Event) + " |", "|---" * (len(Event) + 1) + "|"]
    rows = [" | ".join([phase.upper(), *(_cell(phase, e) for e in Event)]) for phase in TRANSITIONS]
    return "\n".join(head + [f"| {row} |" for row in rows])


def _cell(phase: Phase, event: Event) -> str:
    transition = TRANSITIONS[phase].get(event)
    if transition is None:
        return "·"
    return f"**{transition.to.upper()}**" if transition.replies else transition.to.upper()


def picture() -> str:
    """Return the picture as SVG."""
    width, height = RIGHT + 20, BOTTOM + HEIGHT + 45
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">',
        STYLE,
        '  <rect width="100%" height="100%" rx="8" fill="#fff"/>',
        *(_box(phase, 20 + STEP * i, TOP, WIDTH) for i, phase in enumerate(ROW)),
        _box(DONE, 20, BOTTOM, RIGHT - 20),
        *(_arrow(*ends, events) for ends, events in arrows().items()),
        _text(
            "side", 20, BOTTOM + HEIGHT + 28, "thick arrow: the caller is answered, once in a life"
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _box(phase: Phase, x: int, y: int, width: int) -> str:
    place = f'x="{x}" y="{y}" width="{width}" height="{HEIGHT}"'
    name = _text("phase", x + width // 2, y + 27, phase.upper())
    return f'  <rect class="phase" {place} rx="6"/>\n{name}'


def _arrow(start: Phase, to: Phase, replies: bool, events: list[Event]) -> str:
    x = 20 + STEP * ROW.index(start)
    if to is DONE:
        middle, rest = x + WIDTH // 2, TOP + HEIGHT + BOTTOM - LINE * len(events)
        ends = f'x1="{middle}" y1="{TOP + HEIGHT}" x2="{middle}" y2="{BOTTOM - 2}"'
        words = [
            _text("side", middle + 12, rest // 2 - 4 + LINE * i, event)
            for i, event in enumerate(events, start=1)
        ]
    elif ROW.index(to) == ROW.index(start) + 1:
        y = TOP + HEIGHT // 2
        ends = f'x1="{x + WIDTH}" y1="{y}" x2="{x + STEP - 2}" y2="{y}"'
        words = [
            _text("over", x + (WIDTH + STEP) // 2, y - 12 - LINE * i, event)
            for i, event in enumerate(reversed(events))
        ]
    else:
        raise ValueError(f"the picture has no room for an arrow from {start} to {to}: draw it anew")
    kind = ' class="replies"' if replies else ""
    return "\n".join([f"  <line{kind} {ends}/>", *words])


def _text(kind: str, x: int, y: int, text: str) -> str:
    return f'  <text class="{kind}" x="{x}" y="{y}">{text}</text>'


def page(text: str) -> str:
    """Return the page with the table between its two marks written anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
