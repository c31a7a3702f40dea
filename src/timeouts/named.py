"""Finding a function by its name, in this process or another."""

from __future__ import annotations

import importlib
from typing import Any


def find(module: str, qualname: str, depth: int = 0) -> Any:
    """Return what has this name, or what stands `depth` wrappers further in.

    Raises:
        ImportError, AttributeError: there is no such thing.
    """
    found: Any = importlib.import_module(module)
    for name in qualname.split("."):
        found = getattr(found, name)
    for _ in range(depth):
        found = found.__wrapped__
    return found
