"""Guards that call each other share the tightest deadline, and work in a thread can stop itself."""

import time
from threading import Event

from timeouts import (
    ExecutionTimeout,
    GatewayTimeout,
    GatewayTimeoutError,
    TimeoutsError,
    checkpoint,
    guard,
    remaining,
)

stopped = Event()


@guard(ExecutionTimeout(10))
def embed(text: str) -> int:
    """Work in small steps and look at the clock between them."""
    print(f"embed: its own limit is 10 s, it has {remaining():.1f} s")
    try:
        for _ in range(1000):
            checkpoint()  # raises when no time is left; in a thread nothing else can stop the work
            time.sleep(0.01)
    except TimeoutsError:
        stopped.set()
        raise
    return len(text)


@guard(GatewayTimeout(0.5))
def answer(text: str) -> int:
    """Spend some time, then call another guarded function."""
    print(f"answer: it has {remaining():.1f} s")
    time.sleep(0.2)
    return embed(text)


def main() -> None:
    print(f"outside: {remaining()} s")
    try:
        answer("a long text")
    except GatewayTimeoutError as error:
        print("told:", error)
    print("embed stopped by itself:", stopped.wait(timeout=2))


if __name__ == "__main__":
    main()

# prints:
#   outside: inf s
#   answer: it has 0... s
#   embed: its own limit is 10 s, it has 0... s
#   told: was not answered after 0.5... s; GatewayTimeout allows 0.5 s
#   embed stopped by itself: True
