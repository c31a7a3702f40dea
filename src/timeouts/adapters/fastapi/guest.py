"""The optional guest: FastAPI, which the `fastapi` extra installs.

Law: whoever needs it says so by name when it is missing, and nobody else needs it.
"""

from __future__ import annotations

try:
    import fastapi
except ImportError as missing:
    raise ImportError(
        'timeouts.adapters.fastapi needs FastAPI, which is not installed: pip install "timeouts[fastapi]"'
    ) from missing

__all__ = ["fastapi"]
