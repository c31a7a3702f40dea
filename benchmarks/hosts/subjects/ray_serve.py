"""Ray Serve with one replica: alone, with `request_timeout_s`; under limits, behind `guard` with a process worker."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from pathlib import Path
from typing import Any

from hosts import work
from hosts.host import Host, Setting
from hosts.web import script

HOST = Host(
    name="ray_serve",
    title="Ray Serve alone",
    packages=("ray", "starlette", "uvicorn"),
    page="how-to/ray-serve.md",
    alone=script("ray_serve", "alone"),
    limited=script("ray_serve", "limited"),
    note="Alone, the deployment has `max_ongoing_requests=1`, since the model serves one request at a time, and runs "
    "it in a thread; the proxy has `request_timeout_s`, the only limit there is, set to the execution limit. When it "
    "passes, Ray sends the next request, while the thread runs on: the model then serves two at a time.",
)


def serve(variant: str, port: int, setting: Setting) -> None:
    """Serve one of the variants."""
    folder = Path(os.environ[work.BEATS])
    token = folder / "token"  # without it Ray makes one, in the home directory
    token.write_text(secrets.token_hex(32))
    os.environ |= {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    import ray
    from ray import serve as ray_serve

    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=80 * 2**20,
        _node_ip_address="127.0.0.1",
        _temp_dir=str(folder / "ray"),
    )
    http: dict[str, Any] = {"host": "127.0.0.1", "port": port}
    if variant == "alone":
        http["request_timeout_s"] = setting.execution
    ray_serve.start(http_options=http)
    model = _alone() if variant == "alone" else _limited(setting)
    ray_serve.run(model, route_prefix="/predict", blocking=True)


def _alone() -> Any:
    from ray import serve as ray_serve
    from starlette.requests import Request

    @ray_serve.deployment(max_ongoing_requests=1)
    class Alone:
        async def __call__(self, request: Request) -> str:
            return await asyncio.to_thread(work.predict, **await request.json())

    deployment: Any = Alone
    return deployment.bind()


def _limited(setting: Setting) -> Any:
    from ray import serve as ray_serve
    from starlette.requests import Request

    from timeouts import guard
    from timeouts.adapters.ray_serve import endpoint

    @ray_serve.deployment(max_ongoing_requests=100)
    class Limited:
        def __init__(self) -> None:
            self.predict = guard(setting.limits(), slots=1, workers="process")(work.predict)
            self.predict.server.start()

        @endpoint
        async def __call__(self, request: Request) -> str:
            return await self.predict.acall(**await request.json())

    deployment: Any = Limited
    return deployment.bind()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), Setting.read(sys.argv[3:]))
