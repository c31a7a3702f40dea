"""A policy of your own is one class with one method. Everything else is already there."""

import time
from collections.abc import Iterator

from timeouts import DeadlineExceeded, Job, Policy, guard, policy


@policy
class PaceTimeout(Policy):
    """Demand a pace of a stream: `grace` seconds after its start, and `per_item` more for each item."""

    grace: float
    per_item: float

    def deadline(self, job: Job) -> float:
        """Return the instant by which the next item must be there; infinite until the job starts."""
        return job.started + self.grace + job.items * self.per_item


@guard(PaceTimeout(grace=0.2, per_item=0.1))
def tokens(pause: float) -> Iterator[int]:
    """Give five tokens with a pause before each."""
    for number in range(5):
        time.sleep(pause)
        yield number


def main() -> None:
    print("at pace:", *tokens(0.05))
    try:
        print("too slow:", end=" ")
        for token in tokens(0.15):
            print(token, end=", ")
    except DeadlineExceeded as error:
        print(error)
        print("the rule that fired is", type(error.policy).__name__)


if __name__ == "__main__":
    main()

# prints:
#   at pace: 0 1 2 3 4
#   too slow: 0, ...took ... s; PaceTimeout allows ... s
#   the rule that fired is PaceTimeout
