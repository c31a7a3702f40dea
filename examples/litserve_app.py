"""LitServe under limits: a predict that hangs is a 504 on time, and is stopped; a spare serves the next request."""

import socket
import subprocess
import sys
import time

import httpx
import litserve as ls

from timeouts import ExecutionTimeout, GatewayTimeout, QueueTimeout


class Classifier(ls.LitAPI):  # type: ignore[misc]  # litserve ships no types
    """The model."""

    def setup(self, device: str) -> None:
        """Load it: in a process that can be stopped, and in its spare."""
        self.label = f"a label, made on {device}"

    def predict(self, x: dict[str, float]) -> str:
        """Take as long as is asked for."""
        time.sleep(x["seconds"])
        return self.label


def serve(port: int) -> None:
    limits = GatewayTimeout(30) | QueueTimeout(5) | ExecutionTimeout(1)
    server = limits.apply(ls.LitServer(Classifier(), accelerator="cpu"), spares=1)
    server.run(host="127.0.0.1", port=port, log_level="error", generate_client_file=False)


def show(client: httpx.Client, seconds: float) -> None:
    answer = client.post("/predict", json={"seconds": seconds}).json()
    told = answer["detail"] if isinstance(answer, dict) else answer
    print(f"asked for {seconds} s: {told}")


def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [sys.executable, __file__, str(port)]
    server = subprocess.Popen(command, start_new_session=True)  # noqa: S603 - this file
    start = httpx.HTTPTransport(retries=7)  # connections are refused until it is ready
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=start, timeout=30) as client:
        for seconds in (0.0, 3600.0, 0.0):
            show(client, seconds)
    server.terminate()
    server.wait()


if __name__ == "__main__":
    serve(int(sys.argv[1])) if len(sys.argv) > 1 else main()

# prints:
#   asked for 0.0 s: a label, made on cpu
#   asked for 3600.0 s: ran for 1... s; ExecutionTimeout allows 1 s
#   asked for 0.0 s: a label, made on cpu
