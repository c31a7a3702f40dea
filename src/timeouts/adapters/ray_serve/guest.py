"""The optional guest: Ray Serve, which the `ray-serve` extra installs.

Law: whoever needs it says so by name when it is missing, and nobody else needs it.
"""

from __future__ import annotations

try:
    from ray.exceptions import RayTaskError
    from ray.serve.exceptions import RequestCancelledError
    from ray.serve.handle import DeploymentResponseGenerator
    from starlette.requests import Request
    from starlette.responses import Response
except ImportError as missing:
    raise ImportError(
        "timeouts.adapters.ray_serve needs Ray Serve, which is not installed: "
        'pip install "timeouts[ray-serve]" (ray has no wheels for Python 3.14 yet)'
    ) from missing

__all__ = [
    "DeploymentResponseGenerator",
    "RayTaskError",
    "Request",
    "RequestCancelledError",
    "Response",
]
