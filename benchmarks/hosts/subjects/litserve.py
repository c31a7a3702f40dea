"""LitServe with one worker: alone, with its own `timeout`; under limits, with `apply`."""

from __future__ import annotations

import sys

from hosts.host import Host, Setting
from hosts.web import script

HOST = Host(
    name="litserve",
    title="LitServe with `timeout`",
    packages=("litserve", "fastapi", "starlette", "uvicorn", "uvloop"),
    page="how-to/litserve.md",
    alone=script("litserve", "alone"),
    limited=script("litserve", "limited"),
    note="Alone, LitServe's `timeout`, the only limit that it has, is set to the queue limit. Under limits, there is "
    "one spare.",
)


def serve(variant: str, port: int, setting: Setting) -> None:
    """Serve one of the variants."""
    import litserve

    from hosts.litserve_api import Api

    server = litserve.LitServer(Api(), accelerator="cpu", timeout=setting.queue)
    if variant == "limited":
        setting.limits().apply(server, spares=1)
    server.run(host="127.0.0.1", port=port, log_level="warning", generate_client_file=False)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), Setting.read(sys.argv[3:]))
