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
from timeouts.serve.names import find_in, name_in, stem
from timeouts.server import Server

DISCIPLINES: dict[str, Callable[[], Discipline]] = {
    stem(cls): cls
    for cls in (getattr(discipline, name) for name in discipline.__all__)
    if cls is not Discipline
}


def named(made: Any) -> Any:
    """Return the name of what makes queues; one that is in no table stands for itself."""
    return name_in(DISCIPLINES, made)


def maker(said: Any) -> Callable[[], Discipline]:
    """Return what makes queues.

    Raises:
        ValueError: there is no such name.
    """
    return find_in(DISCIPLINES, "discipline", said)  # type: ignore[no-any-return]


DEFAULT: str = named(inspect.signature(Server).parameters["discipline"].default)
