"""LitServe over the work, with one API server.

python -m overload.lit PORT WORKERS TIMEOUT [LIMIT]
"""

from __future__ import annotations

import sys
from typing import Any

import litserve

from overload import work
from timeouts import GatewayTimeout, Stack


class Api(litserve.LitAPI):  # type: ignore[misc]  # litserve ships no types
    """A JSON object comes in as it is, and what the work returns goes out as it is."""

    def predict(self, values: dict[str, Any]) -> int:
        """Do the work."""
        return work.predict(**values)


def main() -> None:
    port, workers, timeout, *limit = sys.argv[1:]
    server = litserve.LitServer(
        Api(),
        accelerator="cpu",
        devices=1,
        workers_per_device=int(workers),
        timeout=float(timeout) or False,
    )
    if limit:
        Stack(GatewayTimeout(float(limit[0]), reserve="auto")).apply(server)
    server.run(
        host="127.0.0.1",
        port=int(port),
        num_api_servers=1,
        generate_client_file=False,
        log_level="warning",
        access_log=False,
    )


if __name__ == "__main__":
    main()
