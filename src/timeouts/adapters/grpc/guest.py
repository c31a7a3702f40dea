"""The optional guest: grpcio, which the `grpc` extra installs.

Law: whoever needs it says so by name when it is missing, and nobody else needs it.
"""

from __future__ import annotations

try:
    import grpc
    from grpc import aio
except ImportError as missing:
    raise ImportError(
        'timeouts.adapters.grpc needs grpcio, which is not installed: pip install "timeouts[grpc]"'
    ) from missing

__all__ = ["aio", "grpc"]
