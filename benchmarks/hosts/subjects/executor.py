"""An HTTP server whose requests run on an executor of one thread: alone, with `result(timeout)`; under limits, with `wrap`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from hosts import work
from hosts.host import Host, Setting
from hosts.web import script
from timeouts import STATUSES, TimeoutsError

HOST = Host(
    name="executor",
    title="`ThreadPoolExecutor` with `result(timeout)`",
    packages=(),
    page="how-to/executors.md",
    alone=script("executor", "alone"),
    limited=script("executor", "limited"),
    note="Alone, a request is given `result(timeout)` with the execution limit, the only one that an executor has a "
    "name for. The work is in a thread, which neither of the two can stop: it holds the one slot, and the requests "
    "behind it are told so.",
)
Ask = Callable[[dict[str, Any]], tuple[int, str]]


def serve(variant: str, port: int, setting: Setting) -> None:
    """Serve one of the variants."""
    executor = ThreadPoolExecutor(1)
    if variant == "alone":
        endpoint = _endpoint(_alone(executor, setting.execution))
    else:
        endpoint = _endpoint(_limited(setting.limits().wrap(executor)))
    with ThreadingHTTPServer(("127.0.0.1", port), endpoint) as server:
        server.serve_forever()


def _alone(executor: Executor, limit: float) -> Ask:
    def ask(body: dict[str, Any]) -> tuple[int, str]:
        try:
            return 200, executor.submit(work.predict, **body).result(limit)
        except TimeoutError:
            return 504, "too late"

    return ask


def _limited(executor: Executor) -> Ask:
    def ask(body: dict[str, Any]) -> tuple[int, str]:
        try:
            return 200, executor.submit(work.predict, **body).result()
        except TimeoutsError as error:
            return STATUSES.of(error).http, str(error)

    return ask


def _endpoint(ask: Ask) -> type[BaseHTTPRequestHandler]:
    class Endpoint(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # an answer in one piece

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            code, text = ask(json.loads(self.rfile.read(length)))
            self.send_response(code)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Keep the output quiet."""

    return Endpoint


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), Setting.read(sys.argv[3:]))
