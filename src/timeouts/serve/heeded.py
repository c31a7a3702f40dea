"""What a discipline looks at: a header that says something else changes no order, and who names it should know.

Law: only what has a name in the table of disciplines is tried; one from the code may look at anything, at any time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from timeouts.adapters.classes import Classes
from timeouts.job import Job
from timeouts.serve.disciplines import maker


def unheeded(classes: Classes, discipline: Any) -> Iterator[str]:
    """Yield what headers say and a discipline does not look at.

    Args:
        classes: which headers say what.
        discipline: its name, or what makes it.
    """
    if not isinstance(discipline, str):
        return
    asked = _asked(discipline)
    for what, header in (("priority", classes.priority), ("tenant", classes.tenant)):
        if header is not None and what not in asked:
            yield f"unheeded: {discipline} looks at no {what}, so {header} changes no order"


def _asked(name: str) -> set[str]:
    """Return what a discipline asks jobs for, to let two of them wait and leave."""
    asked = set[str]()
    queue = maker(name)()
    for key in "ab":
        queue.push(_Curious(key, asked))
    queue.pop()
    return asked


class _Curious(Job):
    """A job that notes what it is asked for."""

    __slots__ = ("asked",)

    def __init__(self, key: str, asked: set[str]) -> None:
        super().__init__(key)
        self.arrived = 0.0
        self.asked = asked

    def __getattribute__(self, name: str) -> Any:
        if name in {"priority", "tenant"}:
            self.asked.add(name)
        return super().__getattribute__(name)
