"""A policy is a decorator: you call the function as before, and its caller is now told on time."""

import time

from timeouts import STATUSES, ExecutionTimeout, ExecutionTimeoutError, QueueTimeout


@QueueTimeout(5)  # a second policy joins the first one: still one queue and one set of workers
@ExecutionTimeout(0.3)
def predict(seconds: float) -> str:
    """Stand in for a model that takes so many seconds."""
    time.sleep(seconds)
    return "a label"


def main() -> None:
    print("fast:", predict(0.0))
    try:
        predict(1.0)
    except ExecutionTimeoutError as error:
        print("slow:", error)
        print(
            f"      started={error.started}, work is {error.work}, HTTP {STATUSES.of(error).http}"
        )
    print(predict.server)


if __name__ == "__main__":
    main()

# prints:
#   fast: a label
#   slow: ran for 0.3... s; ExecutionTimeout allows 0.3 s
#   started=True, work is still running, HTTP 504
#   <Server of predict under QueueTimeout(5) | ExecutionTimeout(0.3)>
