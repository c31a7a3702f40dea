"""The model: scikit-learn's 1,797 scanned digits, and a small classifier that reads them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from timeouts.demo.schedule import Kind, Request


class DigitReader:
    """Half of the images teach the classifier; the other half are what requests ask about."""

    def __init__(self) -> None:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
        from sklearn.svm import SVC

        digits: Any = load_digits()
        taught, self._images, answers, self._truth = train_test_split(
            digits.data, digits.target, test_size=0.5, random_state=0, stratify=digits.target
        )
        classifier: Any = SVC
        self._classifier = classifier(gamma=0.001).fit(taught, answers)
        self.taught = len(taught)

    def __len__(self) -> int:
        """Return how many images may be asked about."""
        return len(self._images)

    def read(self, request: Request) -> int:
        """Read the digit on an image that the classifier has never seen."""
        return int(self._classifier.predict(self._images[request.image : request.image + 1])[0])

    def truth(self, request: Request) -> int:
        """Return the digit that is on the image."""
        return int(self._truth[request.image])


class Predictor(Protocol):
    """Takes as long as a request says, as larger models do, and then really reads the image."""

    def predict(self, request: Request) -> int:
        """Read the digit on an image."""
        ...

    def let_go(self) -> None:
        """End what hangs, if it has to be ended from here."""


class InThreads:
    """One that hangs waits for an event that does not come: nothing outside can stop its thread.

    The demo calls `let_go` at its end, so that the process ends cleanly.
    """

    def __init__(self, reader: DigitReader) -> None:
        self._reader = reader
        self._let_go = threading.Event()

    def predict(self, request: Request) -> int:
        """Read the digit on an image."""
        self._let_go.wait(request.cost)
        return self._reader.read(request)

    def let_go(self) -> None:
        """End all waiting, present and future."""
        self._let_go.set()


class InProcesses:
    """One that hangs, hangs for good: its process will be killed.

    It is sent to the workers as it is, with all that it has learnt.
    """

    def __init__(self, reader: DigitReader) -> None:
        self._reader = reader

    def predict(self, request: Request) -> int:
        """Read the digit on an image."""
        time.sleep(request.cost)
        while request.kind is Kind.HANG:
            time.sleep(request.cost)
        return self._reader.read(request)

    def let_go(self) -> None:
        """Nothing: there is no need."""


PREDICTORS: dict[str, Callable[[DigitReader], Predictor]] = {
    "thread": InThreads,
    "process": InProcesses,
}
