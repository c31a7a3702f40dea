"""What stands in a table of names, as files and command lines write them.

Law: a thing from the code, which is in no table, stands for itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def stem(cls: Any) -> str:
    """Return the name of a class: that of its module, as it is written on a command line."""
    return str(cls.__module__.rpartition(".")[2].replace("_", "-"))


def name_in(table: Mapping[str, Any], thing: Any) -> Any:
    """Return the name of a thing, or the thing."""
    return next((name for name, known in table.items() if known == thing), thing)


def find_in(table: Mapping[str, Any], what: str, said: Any) -> Any:
    """Return what a name stands for.

    Raises:
        ValueError: there is no such name; the message calls it `what`.
    """
    if not isinstance(said, str):
        return said  # from the code, where the server checks it
    if said not in table:
        raise ValueError(f"{what} must be one of {', '.join(table)}; got {said!r}")
    return table[said]
