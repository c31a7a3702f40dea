"""Compose policies in code, around a server of your own: a queue, one slot and three limits."""

import time

from timeouts import ExecutionTimeout, GatewayTimeout, QueueTimeout, Server

LIMITS = GatewayTimeout(2.0) | QueueTimeout(0.4) | ExecutionTimeout(0.6)  # outermost first


def predict(seconds: float) -> str:
    """Stand in for a model that takes so many seconds."""
    time.sleep(seconds)
    return f"an answer after {seconds} s of work"


def main() -> None:
    print(LIMITS.explain())
    with Server(predict, LIMITS, slots=1, capacity=2) as server:
        # The second job hangs. The third waits behind it. For the fourth there is no place.
        futures = [server.submit(seconds) for seconds in (0.1, 1.5, 0.1, 0.1)]
        for number, future in enumerate(futures, start=1):
            print(f"{number}:", future.exception() or future.result())
        stats = server.stats()
        print("outcomes:", *sorted(stats.outcomes))
        print(f"the slot is not free yet: free={stats.free}, abandoned={stats.abandoned}")


if __name__ == "__main__":
    main()

# prints:
#   GatewayTimeout(2)      bounds the sojourn time (arrival → done)
#   QueueTimeout(0.4)      bounds the waiting time (arrival → a worker takes it)
#   ExecutionTimeout(0.6)  bounds the service time (a worker takes it → done)
#   1: an answer after 0.1 s of work
#   2: ran for 0.6... s; ExecutionTimeout allows 0.6 s
#   3: waited 0.4... s in the queue; QueueTimeout allows 0.4 s
#   4: 2 jobs wait already; capacity=2 allows no more
#   outcomes: completed execution_timeout queue_full queue_timeout
#   the slot is not free yet: free=0, abandoned=1
