"""`timeout=1` and a predict that takes 2 s: what you get depends on which stage the 1 bounds."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Thread

from timeouts import ExecutionTimeout, Policy, QueueTimeout, Server

Way = Callable[[], object]


def predict() -> str:
    time.sleep(2)
    return "a label"


def under(limits: Policy) -> Way:
    return lambda: Server(predict, limits, slots=1).call()


def pool_snippet() -> str:
    with ThreadPoolExecutor() as pool:  # leaving this block waits for the thread: 2 s, not 1
        return pool.submit(predict).result(timeout=1)


WAYS: dict[str, Way] = {
    "a limit on the wait alone  ": under(QueueTimeout(1)),  # the worker was free: no wait to bound
    "a limit on the work        ": under(ExecutionTimeout(1)),
    "with ThreadPoolExecutor(): ": pool_snippet,
}


def measure(name: str, way: Way, told: dict[str, str]) -> None:
    began = time.monotonic()
    try:
        answer = f"the answer, {way()!r}"
    except TimeoutError as error:
        answer = f"an error, {type(error).__name__}"
    told[name] = f"{time.monotonic() - began:.1f} s: {answer}"


def main() -> None:
    told: dict[str, str] = {}
    threads = [Thread(target=measure, args=(*way, told)) for way in WAYS.items()]  # side by side
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in WAYS:
        print(name, told[name])


if __name__ == "__main__":
    main()

# prints:
#   a limit on the wait alone   2... s: the answer, 'a label'
#   a limit on the work         1... s: an error, ExecutionTimeoutError
#   with ThreadPoolExecutor():  2... s: an error, TimeoutError
