"""Finding a function by its name, in this process or another."""

from __future__ import annotations

import importlib
import sys
from typing import Any

_CLOUDPICKLE = "cloudpickle.cloudpickle"


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


def is_there(thing: Any) -> bool:
    """Tell whether this very thing is found by its name.

    It is not if a call has defined it, if it came here by value, or if something else took its name,
    such as the deployment that Ray makes of a class.
    """
    try:
        return find(thing.__module__, thing.__qualname__) is thing
    except (ImportError, AttributeError):
        return False


def asked_by_cloudpickle() -> bool:
    """Tell whether cloudpickle, or a copy of it inside Ray, joblib or Spark, calls whoever asks this."""
    asking = sys._getframe(1).f_back  # noqa: SLF001 - as `logging` does
    return asking is not None and str(asking.f_globals.get("__name__")).endswith(_CLOUDPICKLE)
