"""What prepares workers, and what they run, in the tests of their start. Imports no pytest, to start fast."""

from __future__ import annotations

import _thread
import ctypes
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from timeouts import guard

LOADED: list[object] = []


def load(number: int) -> None:
    LOADED.append(number)


def loaded() -> list[object]:
    return LOADED


def share() -> None:
    LOADED.append(os.getpid())


def fail() -> None:
    raise LookupError("no model in /models")


def leave() -> None:
    sys.exit("no model, no worker")


def exit_at_once() -> None:
    os.write(2, b"no GPU here\n")
    os._exit(4)


def hang() -> None:
    time.sleep(3600)


def loaded_and_pid() -> tuple[list[object], int]:
    return LOADED, os.getpid()


def succeed_at_last() -> None:
    with Path(os.environ["ATTEMPTS"]).open("a+") as file:
        file.seek(0)
        attempt = len(file.read()) + 1
        file.write(str(attempt))
    if attempt < 3:
        raise LookupError(f"attempt {attempt}")


def die_at_first() -> None:
    with Path(os.environ["ATTEMPTS"]).open("a+") as file:
        file.write(".")
        file.flush()
        attempt = file.tell()
    if attempt <= 6:
        os.kill(os.getpid(), 9)


def start_thread() -> None:
    threading.Thread(target=time.sleep, args=(60,), name="feeder", daemon=True).start()


def start_raw_thread() -> None:
    _thread.start_new_thread(time.sleep, (60,))


def start_native_thread() -> None:
    c: Any = ctypes.CDLL(None)
    c.pthread_create(ctypes.byref(ctypes.c_ulong()), None, c.pause, None)


def end_thread() -> None:
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()


def multiply() -> None:
    import numpy as np

    LOADED.append(float((np.ones((300, 300)) @ np.ones((300, 300))).sum()))


def grow(mebibytes: int) -> int:
    LOADED.append(bytearray(b"\1") * (mebibytes << 20))
    return os.getpid()


def double(number: int, factor: int = 2) -> int:
    return number * factor


@guard(workers="process", slots=1)
def guarded(number: int) -> tuple[int, bool]:
    """Double a number."""
    return number * 2, os.getpid() != SERVER


SERVER = int(os.environ.setdefault("PID_OF_SERVER", str(os.getpid())))


class Model:
    """Something to be pickled, with methods of every kind."""

    def __init__(self, factor: int) -> None:
        self.factor = factor

    def __call__(self, number: int) -> int:
        return number * self.factor

    def method(self, number: int) -> int:
        return number * self.factor

    @guard(workers="process", slots=1)
    def guarded_method(self, number: int) -> int:
        return number * self.factor

    @staticmethod
    def static(number: int) -> int:
        return number * 2

    @classmethod
    def of_class(cls, number: int) -> int:
        return cls(2).method(number)


def look_for_others() -> None:
    """Write down this worker, and which of those before it are still there, be it as zombies."""
    with Path(os.environ["SEEN"]).open("a+") as file:
        file.seek(0)
        before = [line.split(":")[0] for line in file.read().split()]
        others = [pid for pid in before if Path("/proc", pid).exists()]
        file.write(f"{os.getpid()}:{','.join(others)}\n")
