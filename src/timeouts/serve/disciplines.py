"""Disciplines by name, as files and command lines write them.

Law: this is the only table of names. It is made of what `timeouts.discipline` exports, by the stems of the
modules, so a further discipline is known as soon as it is exported.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from timeouts import discipline
from timeouts.discipline import Discipline
from timeouts.server import Server

DISCIPLINES: dict[str, Callable[[], Discipline]] = {
    cls.__module__.rpartition(".")[2].replace("_", "-"): cls
    for cls in (getattr(discipline, name) for name in discipline.__all__)
    if cls is not Discipline
}


def named(made: Any) -> Any:
    """Return the name of what makes queues; one that is in no table stands for itself."""
    return next((name for name, known in DISCIPLINES.items() if known is made), made)


def maker(said: Any) -> Callable[[], Discipline]:
    """Return what makes queues.

    Raises:
        ValueError: there is no such name.
    """
    if not isinstance(said, str):
        return said  # type: ignore[no-any-return]  # from the code, where the server checks it
    if said not in DISCIPLINES:
        raise ValueError(f"discipline must be one of {', '.join(DISCIPLINES)}; got {said!r}")
    return DISCIPLINES[said]


DEFAULT: str = named(inspect.signature(Server).parameters["discipline"].default)
