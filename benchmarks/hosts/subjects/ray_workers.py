"""An HTTP server in front of one Ray actor: alone, with `ray.get(timeout)`; under limits, as Ray workers."""

from __future__ import annotations

import os
import sys
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from hosts import work
from hosts.host import Host, Setting
from hosts.subjects.executor import Ask, _endpoint
from hosts.web import script
from timeouts import STATUSES, RayWorkers, Server, TimeoutsError

HOST = Host(
    name="ray_workers",
    title="A bare Ray actor",
    packages=("ray",),
    page="how-to/ray-workers.md",
    alone=script("ray_workers", "alone"),
    limited=script("ray_workers", "limited"),
    bar=1000.0,
    note="Alone, a request is given `ray.get(timeout=...)` with the execution limit, the only one that Ray has for a "
    "call of an actor: it ends the caller's wait, and not the work. With `timeouts` there is one spare.",
)


def serve(variant: str, port: int, setting: Setting) -> None:
    """Serve one of the variants."""
    os.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
    import ray

    ray.init(
        address="local",
        num_cpus=3,
        include_dashboard=False,
        object_store_memory=80 * 2**20,
        _node_ip_address="127.0.0.1",
        _temp_dir=str(Path(os.environ[work.BEATS]) / "ray"),
    )
    endpoint = _endpoint(_alone(setting) if variant == "alone" else _limited(setting))
    with ThreadingHTTPServer(("127.0.0.1", port), endpoint) as server:
        server.serve_forever()


def _alone(setting: Setting) -> Ask:
    import ray

    class Model:
        def predict(self, do: str, mark: str = "") -> str:
            return work.predict(do, mark)

    actor: Any = ray.remote(Model).remote()

    def ask(body: dict[str, Any]) -> tuple[int, str]:
        try:
            return 200, ray.get(actor.predict.remote(**body), timeout=setting.execution)
        except TimeoutError:
            return 504, "too late"

    return ask


def _limited(setting: Setting) -> Ask:
    server = Server(work.predict, setting.limits(), slots=1, workers=RayWorkers(spares=1)).start()

    def ask(body: dict[str, Any]) -> tuple[int, str]:
        try:
            return 200, server.call(**body)
        except TimeoutsError as error:
            return STATUSES.of(error).http, str(error)

    return ask


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), Setting.read(sys.argv[3:]))
