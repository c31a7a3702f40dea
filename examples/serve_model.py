"""A model file for `timeouts serve`: functions with annotations, and what must be loaded once."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

WEIGHTS: list[float] = []


def predict(pixels: list[float], pause: float = 0.0) -> dict[str, float]:
    """Score an image; each parameter is a key of the request's JSON object."""
    if not WEIGHTS:
        WEIGHTS.extend([0.5, 1.5])  # loaded once in each worker process
    time.sleep(pause)
    return {"score": sum(weight * pixel for weight, pixel in zip(WEIGHTS, pixels, strict=True))}


def tokens(prompt: str) -> Iterator[str]:
    """Give words as server-sent events."""
    yield from prompt.split()


def ask(url: str, **body: object) -> object:
    request = urllib.request.Request(  # noqa: S310 - of a server of our own
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as refusal:
        problem = json.load(refusal)
        return refusal.code, problem["detail"]


if __name__ == "__main__":  # what you would type in a shell
    sys.path.insert(0, __file__.rpartition("/")[0])
    flags = "--port 0 --workers process --slots 1 --execution-timeout 0.5"
    command = f"-m timeouts.cli serve serve_model:predict {flags}"
    with subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, *command.split()], stderr=subprocess.PIPE, text=True, cwd=sys.path[0]
    ) as server:
        assert server.stderr
        url = next(line.split()[-1] for line in server.stderr if " serving http" in line)
        print("in time:", ask(url, pixels=[1, 2]))
        print("too slow:", *ask(url, pixels=[1, 2], pause=60))  # type: ignore[misc]
        print("the next:", ask(url, pixels=[0, 2]))
        server.terminate()
        server.stderr.read()
    print("exit code:", server.returncode)

# prints:
#   in time: {'score': 3.5}
#   too slow: 504 ran for ... s; ExecutionTimeout allows 0.5 s
#   the next: {'score': 3.0}
#   exit code: 0
