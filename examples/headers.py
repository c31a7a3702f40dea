"""A budget travels through three services in a header: each is granted what the one before has left."""

import time
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from timeouts import STATUSES, GatewayTimeout, Server, TimeoutsError, remaining
from timeouts.adapters.headers import Budgets, MalformedBudget, outgoing_headers

BUDGETS = Budgets("x-request-timeout-seconds")


def work(port: int, hops: int) -> str:
    """Spend some time, then ask the next service."""
    print(f"{hops} to go: {remaining():.1f} s left")
    time.sleep(0.2)
    return ask(port, hops - 1, outgoing_headers()) if hops else "done"


class Service(BaseHTTPRequestHandler):
    """Answer `GET /HOPS` within the caller's budget."""

    def do_GET(self) -> None:
        """Read the budget and work under it."""
        try:
            budget = BUDGETS.read(self.headers.get)
            port, hops = self.connection.getsockname()[1], int(self.path[1:])
            code, body = 200, served.call(port, hops, budget=budget)
        except MalformedBudget as error:
            code, body = 400, str(error)
        except TimeoutsError as error:
            code, body = STATUSES.of(error).http, str(error)
        self.send_response(code)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Keep the output quiet."""


def ask(port: int, hops: int, headers: dict[str, str]) -> str:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", f"/{hops}", headers=headers)
    return connection.getresponse().read().decode()


served = Server(work, GatewayTimeout(60))
with served, ThreadingHTTPServer(("127.0.0.1", 0), Service) as web:
    Thread(target=web.serve_forever, daemon=True).start()
    for sent in "25", "-1":
        print(ask(web.server_port, 2, {"X-Request-Timeout-Seconds": sent}))
    web.shutdown()

# prints:
#   2 to go: 2... s left
#   1 to go: 2... s left
#   0 to go: 2... s left
#   done
#   x-request-timeout-seconds must be decimal seconds without sign or exponent, such as "2.5"; got '-1'
