"""Last in, first out."""

from __future__ import annotations

from timeouts.discipline.line import Line


class LIFO(Line):
    """Serve the newest first: under overload the newest has the most time left."""

    _last = True
