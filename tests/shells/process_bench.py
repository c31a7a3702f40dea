"""A bench for worker processes: time is in the hands of the test, and killing is real.

What is sent there is a copy, so work tells of itself through a pipe with a name, and waits at one.
"""

from __future__ import annotations

import functools
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.shells.bench import (
    Bench,
    BlockingBench,
    Hold,
    Limits,
    Script,
    ThreadFromTasksBench,
    ending,
)
from timeouts.testing.hostile.witness import Sighting, Witness, tell


class FarHold(Hold):
    """Work that hangs in another process; what arrives there is a call of `hang`."""

    def __init__(self, place: Place, value: Any, error: BaseException | None) -> None:
        super().__init__(value, error)
        self.name = place.new_name()
        self._place = place
        self._path = place.new_pipe(self.name)
        # Open at both ends, so that a release waits there for whoever comes.
        self._pipe = os.open(self._path, os.O_RDWR)

    def release(self) -> None:
        os.write(self._pipe, b".")

    def close(self) -> None:
        """Remove the pipe."""
        os.close(self._pipe)

    def __reduce__(self) -> tuple[Any, ...]:
        path = self._place.witness.path
        return functools.partial, (hang, path, self.name, self._path, self.value, self.error)


def hang(told: str, name: str, path: str, value: Any, error: BaseException | None) -> Any:
    """Hang in a worker until released."""
    tell(told, f"{name} begun")
    with open(path, "rb") as pipe:  # noqa: PTH123 - a pipe
        pipe.read(1)
    return ending(value, error)


class FarScript(Script):
    """A script whose stream is produced in another process, by a `Teller`."""

    def __init__(self, place: Place, *steps: Any, returns: Any = None) -> None:
        self._name = place.new_name()
        self._place = place
        super().__init__(*steps, returns=returns)

    @property
    def notes(self) -> list[str]:
        return self._place.words(self._name)

    def __reduce__(self) -> tuple[Any, ...]:
        return Teller, (self._place.witness.path, self._name, self.steps, self.returns)


class Teller(Script):
    """The script as it is over there."""

    def __init__(self, told: str, name: str, steps: tuple[Any, ...], returns: Any) -> None:
        super().__init__(*steps, returns=returns)
        self._told = told
        self._name = name

    def note(self, word: str) -> None:
        tell(self._told, f"{self._name} {word}")


class Place:
    """Where test and workers meet: a folder with pipes."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="timeouts-bench-")
        self._names = 0
        self.witness = Witness(Path(self._folder.name, "witness"))
        self.holds: list[FarHold] = []

    def new_name(self) -> str:
        """Return a name that nobody has."""
        self._names += 1
        return f"n{self._names}"

    def new_pipe(self, name: str) -> str:
        """Make a pipe."""
        path = str(Path(self._folder.name, name))
        os.mkfifo(path)
        return path

    def words(self, name: str) -> list[str]:
        """Return what somebody has said so far."""
        return _words(name, self.witness.seen())

    def wait_for(self, name: str, word: str) -> None:
        """Block until somebody has said a word."""
        seen = self.witness.seen()
        while word not in _words(name, seen):
            seen = self.witness.wait(len(seen) + 1)

    def close(self) -> None:
        """Remove everything."""
        for hold in self.holds:
            hold.close()
        self.witness.close()
        self._folder.cleanup()


def _words(name: str, seen: Sequence[Sighting]) -> list[str]:
    said = (sighting.word.split() for sighting in seen)
    return [word for who, word in said if who == name]


class Far(Bench):
    """What differs where the work is done by other processes."""

    workers = "process"
    stop_mode = "kill"
    is_async = False
    far = True

    def __init__(self, limits: Limits, **options: Any) -> None:
        super().__init__(limits, **options)
        self._place = Place()

    def clean_up(self) -> None:
        self._place.close()

    def hold(self, value: Any = None, error: BaseException | None = None) -> FarHold:
        hold = FarHold(self._place, value, error)
        self._place.holds.append(hold)
        return hold

    stubborn = hold  # nothing can resist being killed

    def script(self, *steps: Any, returns: Any = None) -> Script:
        return FarScript(self._place, *steps, returns=returns)

    async def begun(self, work: Hold) -> None:
        assert isinstance(work, FarHold)
        self._place.wait_for(work.name, "begun")

    def is_same(self, got: Any, sent: Any) -> bool:
        """A copy has the same type and says the same."""
        return type(got) is type(sent) and repr(got) == repr(sent)

    def raised_by(self, error: BaseException) -> str:
        """The traceback comes as text."""
        names: list[str] = re.findall(r", in (\w+)\n", str(error.__cause__))
        return names[-1]


class ProcessBench(Far, BlockingBench):
    """Worker processes, called from threads."""

    sync_streams = True


class ProcessFromTasksBench(Far, ThreadFromTasksBench):
    """Worker processes, called from tasks; as with threads, no limits can be tried."""
