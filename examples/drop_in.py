"""Put the policies into a server you already have: here the HTTP server of the standard library."""

import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from timeouts import STATUSES, ExecutionTimeout, QueueTimeout, TimeoutsError, guard


@guard(QueueTimeout(0.3) | ExecutionTimeout(0.6), slots=1)
def predict(seconds: float) -> str:
    """Stand in for a model that takes so many seconds."""
    time.sleep(seconds)
    return "a label"


class Endpoint(BaseHTTPRequestHandler):
    """Answer `GET /SECONDS`. The server gives each request a thread; the guard, the limits."""

    def do_GET(self) -> None:
        """Run predict; turn what a limit raises into its status code."""
        try:
            code, body = 200, predict(float(self.path.removeprefix("/")))
        except TimeoutsError as error:
            code, body = STATUSES.of(error).http, str(error)
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Keep the output quiet."""


def ask(port: int, seconds: float) -> str:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", f"/{seconds}")
    response = connection.getresponse()
    return f"{response.status} {response.read().decode()}"


with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server, ThreadPoolExecutor() as clients:
    Thread(target=server.serve_forever, daemon=True).start()
    print(ask(server.server_port, 0.0))
    # Two at once for one slot: one runs too long, the other waits too long.
    answers = clients.map(ask, [server.server_port] * 2, [1.0, 1.0])
    print("\n".join(sorted(answers)))
    server.shutdown()

# prints:
#   200 a label
#   503 waited 0.3... s in the queue; QueueTimeout allows 0.3 s
#   504 ran for 0.6... s; ExecutionTimeout allows 0.6 s
