"""A stream has two limits more: one for its first item, one for each gap between two items."""

import time
from collections.abc import Iterator

from timeouts import FirstItemTimeout, IdleTimeout, TimeoutsError, guard


@guard(FirstItemTimeout(0.4) | IdleTimeout(0.2))
def tokens(*pauses: float) -> Iterator[str]:
    """Give a token after each pause."""
    for number, pause in enumerate(pauses, start=1):
        time.sleep(pause)
        yield f"token {number}"


def show(name: str, *pauses: float) -> None:
    print(f"{name}:", end=" ")
    try:
        for token in tokens(*pauses):
            print(token, end=", ")
        print("complete")
    except TimeoutsError as error:
        print(f"{type(error).__name__}: {error}")


def main() -> None:
    show("healthy", 0.1, 0.0, 0.0)
    show("late", 1.0, 0.0, 0.0)
    show("stalled", 0.0, 0.0, 1.0)
    # Nothing is counted while nobody waits for an item: a slow reader is not the handler's fault.
    reader = tokens(0.0, 0.0)
    first = next(reader)
    time.sleep(0.5)
    print("slow reader:", ", ".join([first, *reader]))


if __name__ == "__main__":
    main()

# prints:
#   healthy: token 1, token 2, token 3, complete
#   late: FirstItemTimeoutError: gave no first item in 0.4... s; FirstItemTimeout allows 0.4 s
#   stalled: token 1, token 2, IdleTimeoutError: gave no further item in 0.2... s; IdleTimeout allows 0.2 s
#   slow reader: token 1, token 2
