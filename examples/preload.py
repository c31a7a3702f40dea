"""A model is loaded once, in a process from which workers are forked: after a kill it need not be loaded again."""

import time
from typing import Any

from sklearn.datasets import load_digits
from sklearn.svm import SVC

from timeouts import ExecutionTimeout, ProcessWorkers, Server

model: dict[str, Any] = {}


def load() -> None:
    """Teach a classifier: once, before there are any workers."""
    digits: Any = load_digits()
    model["images"] = digits.data
    model["classifier"] = SVC(gamma=0.001).fit(digits.data[:900], digits.target[:900])


def predict(image: int) -> int:
    """Read the digit on an image; image -1 hangs."""
    while image < 0:
        pass
    return int(model["classifier"].predict(model["images"][image : image + 1])[0])


def main() -> None:
    began = time.monotonic()
    workers = ProcessWorkers(preload=load)
    with Server(predict, ExecutionTimeout(0.5), slots=1, workers=workers) as server:
        print(f"ready after {time.monotonic() - began:.2f} s: imports, the model, one fork")
        print("image 1000 is a", server.call(1000))
        for _ in range(3):
            error = server.submit(-1).exception()
            told = time.monotonic()
            print("image -1:", error)
            digit = server.call(1000)  # by a new worker: a fork, with the model in it
            print(f"image 1000 is a {digit}, {(time.monotonic() - told) * 1e3:.1f} ms later")


if __name__ == "__main__":
    main()

# prints:
#   ready after ... s: imports, the model, one fork
#   image 1000 is a 1
#   image -1: ran for 0.5... s; ExecutionTimeout allows 0.5 s
#   image 1000 is a 1, ... ms later
#   image -1: ran for 0.5... s; ExecutionTimeout allows 0.5 s
#   image 1000 is a 1, ... ms later
#   image -1: ran for 0.5... s; ExecutionTimeout allows 0.5 s
#   image 1000 is a 1, ... ms later
