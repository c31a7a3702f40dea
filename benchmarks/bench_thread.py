"""A guarded `def` on thread workers against a bare `ThreadPoolExecutor`, as many workers in each."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from time import perf_counter

from measure import Subject, is_quick, per_operation, print_costs, print_header, take_turns
from timeouts import ExecutionTimeout, GatewayTimeout, QueueTimeout, guard

WORKERS = 4
LIMITS = GatewayTimeout(30) | QueueTimeout(5) | ExecutionTimeout(10)


def handler(x: int) -> int:
    """Do nothing: what is left is what the call costs."""
    return x


def by_one(call: Callable[[int], int], count: int) -> Subject:
    """Make a subject of one caller."""

    def block(count: int) -> None:
        for x in range(count):
            assert call(x) == x

    return per_operation(block, count, perf_counter)


def by_many(call: Callable[[int], int], callers: int, count: int) -> Subject:
    """Make a subject of several callers at once; seconds per call of all of them."""

    def block(count: int) -> None:
        threads = [
            Thread(target=lambda: [call(x) for x in range(count // callers)])
            for _ in range(callers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return per_operation(block, count, perf_counter)


def main() -> None:
    quick = is_quick(__doc__)
    print_header(f"a `def` that does nothing, {WORKERS} threads, three policies")
    count, rounds = (16, 1) if quick else (800, 60)

    guarded = guard(LIMITS, slots=WORKERS)(handler)
    with ThreadPoolExecutor(WORKERS) as pool:

        def bare(x: int) -> int:
            return pool.submit(handler, x).result(timeout=10)

        one = {"executor": by_one(bare, count), "guarded": by_one(guarded, count)}
        print("one caller")
        print_costs(take_turns(one, rounds), most_times={"guarded": 1.5})

        many = {
            "executor": by_many(bare, 2 * WORKERS, count),
            "guarded": by_many(guarded, 2 * WORKERS, count),
        }
        print(f"{2 * WORKERS} callers at once")
        print_costs(take_turns(many, rounds))
    guarded.close()


if __name__ == "__main__":
    main()
