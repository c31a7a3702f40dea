"""Put limits on an executor you already have: the caller is told on time, and so leaves the block on time."""

import time
from concurrent.futures import ThreadPoolExecutor

from timeouts import ExecutionTimeout, QueueTimeout, TimeoutsError


def predict(seconds: float) -> str:
    """Stand in for a model that takes so many seconds."""
    time.sleep(seconds)
    return "a label"


def alone() -> None:
    with ThreadPoolExecutor(1) as executor:
        try:
            print(executor.submit(predict, 1.0).result(timeout=0.3))
        except TimeoutError:
            print("too late, but the block still waits")


def limited() -> None:
    limits = QueueTimeout(0.2) | ExecutionTimeout(0.3)
    with limits.wrap(ThreadPoolExecutor(1)) as executor:
        futures = [executor.submit(predict, seconds) for seconds in (0.0, 1.0, 0.0)]
        for future in futures:
            try:
                print(future.result())
            except TimeoutsError as error:
                print(error)
        print(executor.server.stats().abandoned, "abandoned")


def main() -> None:
    for way in (alone, limited):
        begun = time.monotonic()
        way()
        took = time.monotonic() - begun
        print(f"{way.__name__}: {'as long as the work' if took > 0.9 else 'on time'}")


if __name__ == "__main__":
    main()

# prints:
#   too late, but the block still waits
#   alone: as long as the work
#   a label
#   ran for 0.3... s; ExecutionTimeout allows 0.3 s
#   waited 0.2... s in the queue; QueueTimeout allows 0.2 s
#   1 abandoned
#   limited: on time
