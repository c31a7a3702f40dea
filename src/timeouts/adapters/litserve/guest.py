"""The optional guest: LitServe, which the `litserve` extra installs.

Law: whoever needs it says so by name when it is missing or too old, and nobody else needs it.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

try:
    litserve: Any = import_module("litserve")  # ships no types
    from fastapi import FastAPI, HTTPException, Request
except ImportError as missing:
    raise ImportError(
        'timeouts.adapters.litserve needs LitServe, which is not installed: pip install "timeouts[litserve]"'
    ) from missing

OLDEST = (0, 2, 19)


def check_version(version: str) -> None:
    """Refuse a LitServe in which the hooks are others.

    Raises:
        ImportError: it is older than any that has been tried.
    """
    if tuple(map(int, re.findall(r"\d+", version)[:3])) < OLDEST:
        raise ImportError(
            f"timeouts.adapters.litserve needs litserve>={'.'.join(map(str, OLDEST))}; got {version}: "
            'pip install --upgrade "timeouts[litserve]"'
        )


check_version(litserve.__version__)

__all__ = ["FastAPI", "HTTPException", "Request", "check_version", "litserve"]
