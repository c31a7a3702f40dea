"""A regular expression that does not end holds the interpreter lock; a worker process can be killed anyway."""

import re
import time

from timeouts import ExecutionTimeout, ExecutionTimeoutError, Server

WORDS = re.compile(r"(\w+\s?)*$")  # may split a word in many ways, and tries them all
GOOD, BAD = "nothing but words", "a" * 60 + "!"


def predict(text: str) -> bool:
    """Tell whether a text consists of words."""
    return WORDS.match(text) is not None


def main() -> None:
    with Server(predict, ExecutionTimeout(0.5), slots=1, workers="process") as server:
        print("good text:", server.call(GOOD))
        error = server.submit(BAD).exception()
        told = time.monotonic()
        assert isinstance(error, ExecutionTimeoutError)
        print("bad text:", error)
        print("good text:", server.call(GOOD))  # waits until the only slot is back
        print(f"answered {(time.monotonic() - told) * 1e3:.1f} ms after the timeout")
        print("the bad text's work was", error.work)
        print(f"slots={server.stats().slots}, abandoned={server.stats().abandoned}")
    # The log (logger `timeouts`) has the stacks of the killed worker: they end in `predict`.


if __name__ == "__main__":
    main()

# prints:
#   good text: True
#   bad text: ran for 0.5... s; ExecutionTimeout allows 0.5 s
#   good text: True
#   answered ... ms after the timeout
#   the bad text's work was killed
#   slots=1, abandoned=0
