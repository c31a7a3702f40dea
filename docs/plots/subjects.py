"""What the page shows, in its order: each subject is simulated, told as a table, and drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from docs.plots import classes, hung, littles_law, loads, queue_limit, retries
from docs.plots.runs import Scale
from docs.plots.style import Draw, save


@dataclass(frozen=True)
class Subject:
    """One of them.

    Attributes:
        name: of its place in the page, and of its pictures.
        run: simulates it.
        table: tells what was found.
        pictures: by name, what draws it and how large.
    """

    name: str
    run: Callable[[Scale], Any]
    table: Callable[[Any], str]
    pictures: tuple[tuple[str, Callable[[Any], Draw], tuple[float, float]], ...] = ()

    def save(self, found: Any) -> None:
        """Draw the pictures."""
        for name, drawing, size in self.pictures:
            save(name, drawing(found), size)


SUBJECTS = (
    Subject("little", littles_law.run, littles_law.table),
    Subject(
        "queue-limit",
        queue_limit.run,
        queue_limit.table,
        (
            ("queue-limit", queue_limit.cliff, (8.4, 3.7)),
            ("age-at-start", queue_limit.ages, (8.4, 3.0)),
        ),
    ),
    Subject("loads", loads.run, loads.table, (("loads", loads.draw, (8.4, 4.0)),)),
    Subject("retries", retries.run, retries.table, (("retries", retries.draw, (8.4, 3.5)),)),
    Subject("hung", hung.run, hung.table, (("hung", hung.draw, (8.4, 2.8)),)),
    Subject("classes", classes.run, classes.table, (("classes", classes.draw, (8.4, 5.2)),)),
)
