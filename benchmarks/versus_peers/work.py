"""What the workers are given to do: functions of a module, which every peer can find.

It imports little, because some peers start a new interpreter for a worker, and not all of them keep
that out of the limit of a call.
"""

from __future__ import annotations

import os
from time import perf_counter, sleep
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

MODEL_BYTES = 320_000_000
LOAD_SECONDS = 1.0
_model: list[Array] = []


def noop(x: int) -> int:
    """Do nothing: what is left is what the call costs."""
    return x


def hold(seconds: float) -> int:
    """Hold the worker; return its process id."""
    if seconds:
        sleep(seconds)
    return os.getpid()


def echo(array: Array) -> Array:
    """Give the array back."""
    return array


def load() -> None:
    """Load the model: 320 MB of memory that is really there, after one second in all."""
    end = perf_counter() + LOAD_SECONDS
    import numpy as np

    _model[:] = [np.ones(MODEL_BYTES // 8)]
    sleep(max(0.0, end - perf_counter()))


def predict(seconds: float) -> int:
    """Hold the worker as a model does that has to be loaded; return the worker's process id.

    Peers with an initializer have loaded it by now; for the others this is the place.
    """
    if not _model:
        load()
    return hold(seconds)
