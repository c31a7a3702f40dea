"""What actors run in the tests of Ray workers, and how a test looks at them from outside."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from timeouts import ExecutionTimeout, guard

LOADED: list[object] = []


def where(*_: object) -> tuple[int, str]:
    """Return the process and the node of the actor."""
    import ray

    return os.getpid(), ray.get_runtime_context().get_node_id()


def load(number: int) -> None:
    LOADED.append(number)


def loaded() -> list[object]:
    return LOADED


def fail() -> NoReturn:
    raise LookupError("no model in /models")


def hang() -> NoReturn:
    while True:
        time.sleep(3600)


def tell_and_hang(path: str) -> None:
    Path(path).write_text(str(os.getpid()))
    hang()


def succeed_at_last(path: str) -> None:
    with Path(path).open("a+") as file:
        file.write(".")
        file.flush()
        attempt = file.tell()
    if attempt < 3:
        raise LookupError(f"attempt {attempt}")


def look(array: Any) -> tuple[bool, int, float]:
    """Return whether an array is writable, where its memory begins, and its last number."""
    return array.flags.writeable, array.__array_interface__["data"][0], float(array[-1])


def memory_of(address: int) -> str:
    """Return what this process has mapped at an address."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        start, end = (int(number, 16) for number in line.split()[0].split("-"))
        if start <= address < end:
            return line.split(maxsplit=5)[-1]
    return ""


def look_at_memory(array: Any) -> tuple[bool, str, float]:
    """Return whether an array is writable, what its memory is a part of, and its last number."""
    writable, address, last = look(array)
    return writable, memory_of(address), last


def count_slowly(seconds: float) -> Iterator[int]:
    """Count, and take so long to stop."""
    try:
        yield from range(1000)
    finally:
        time.sleep(seconds)


@guard(ExecutionTimeout(30), workers="ray", slots=1)
def guarded(number: int) -> tuple[int, int]:
    """Double a number, somewhere."""
    return number * 2, os.getpid()


class Model:
    """Something to be pickled, with a guarded method."""

    def __init__(self, factor: int) -> None:
        self.factor = factor

    @guard(workers="ray", slots=1)
    def scale(self, number: int) -> int:
        return number * self.factor
