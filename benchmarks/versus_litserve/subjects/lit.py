"""LitServe over a function of `work`, with one worker and one API server.

python -m versus_litserve.subjects.lit HANDLER PORT TIMEOUT [--restart]
"""

from __future__ import annotations

import sys
from typing import Any

import litserve

from versus_litserve import work


class Api(litserve.LitAPI):  # type: ignore[misc]  # litserve ships no types
    """A JSON object comes in as it is, and what the function returns goes out as it is."""

    def __init__(self, handler: str) -> None:
        super().__init__()
        self.handler = handler

    def setup(self, device: str) -> None:  # noqa: ARG002 - LitServe passes it
        """Find the function, in the worker."""
        self.run = getattr(work, self.handler)

    def predict(self, values: dict[str, Any]) -> Any:
        """Call the function."""
        return self.run(**values)


def main() -> None:
    handler, port, timeout, *more = sys.argv[1:]
    server = litserve.LitServer(
        Api(handler),
        accelerator="cpu",
        devices=1,
        workers_per_device=1,
        timeout=float(timeout) or False,
        restart_workers="--restart" in more,
    )
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
