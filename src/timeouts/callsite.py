"""Where in the user's code a warning belongs."""

from __future__ import annotations

import sys

_PACKAGE = __name__.partition(".")[0]


def stacklevel_of_user() -> int:
    """Return the `stacklevel` for `warnings.warn` at which the caller's caller is the user's line."""
    level, frame = 1, sys._getframe(1)  # noqa: SLF001 - there is no public way to walk the stack cheaply
    while frame.f_back is not None and _ours(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    return level


def _ours(module: str) -> bool:
    return module == _PACKAGE or module.startswith(_PACKAGE + ".")
