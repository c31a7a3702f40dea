"""A large array to another process and back, against a bare kept mapping and a pipe."""

from __future__ import annotations

import mmap
import os
import signal
import socket
import sys
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from time import perf_counter
from typing import Any

from measure import Subject, is_quick, per_operation, print_costs, print_header, take_turns
from timeouts.workers.process.arena import new_file
from timeouts.workers.process.parcel import load, pack
from timeouts.workers.process.post import Post

MIB = 1024 * 1024
NOOP: tuple[tuple[int], dict[str, int]] = ((1,), {})


class Bare:
    """One mapping for both, and a byte to say that something is there: copied in and out by each."""

    def __init__(self, size: int) -> None:
        self.memory = mmap.mmap(-1, size)
        self.ours, self.theirs = socket.socketpair()
        self.copy: Any = None

    def call(self, array: Any) -> Any:
        """Send an array and return what comes back."""
        self._send(self.ours, array)
        return self._receive(self.ours)

    def echo(self) -> None:
        """Send back what arrives, once."""
        self._send(self.theirs, self._receive(self.theirs))

    def close(self) -> None:
        """Close both ends."""
        self.ours.close()
        self.theirs.close()

    def _send(self, wire: socket.socket, array: Any) -> None:
        import numpy as np

        np.frombuffer(self.memory)[:] = array
        wire.send(b"!")

    def _receive(self, wire: socket.socket) -> Any:
        import numpy as np

        wire.recv(1)
        shared = np.frombuffer(self.memory)
        if self.copy is None:
            self.copy = np.empty_like(shared)
        self.copy[:] = shared
        return self.copy


class Posts:
    """Two posts and a socket pair; with `copied`, each end copies what it got, as a bare mapping must."""

    def __init__(self, *, copied: bool = False) -> None:
        self.ours, self.theirs = socket.socketpair()
        there, back = new_file(), new_file()
        self.post, self.other = Post(there, back), Post(os.dup(back), os.dup(there))
        self.copied = copied
        self.copy: Any = None

    def call(self, array: Any) -> Any:
        """Send an array and return what comes back."""
        self.ours.send(self.post.wrap(pack(array)))
        return self._own(self.post.unwrap(self.ours.recv(65536)))

    def echo(self) -> None:
        """Send back what arrives, once."""
        array = self._own(self.other.unwrap(self.theirs.recv(65536)))
        self.theirs.send(self.other.wrap(pack(array)))

    def close(self) -> None:
        """Close both ends."""
        for end in (self.ours, self.theirs, self.post, self.other):
            end.close()

    def _own(self, array: Any) -> Any:
        if not self.copied:
            return array
        if self.copy is None:
            self.copy = array.copy()
        self.copy[:] = array
        return self.copy


class Piped:
    """`multiprocessing.Pipe`: pickled in one piece, written and read."""

    def __init__(self) -> None:
        self.ours: Connection[Any, Any]
        self.theirs: Connection[Any, Any]
        self.ours, self.theirs = Pipe()

    def call(self, array: Any) -> Any:
        """Send an array and return what comes back."""
        self.ours.send(array)
        return self.ours.recv()

    def echo(self) -> None:
        """Send back what arrives, once."""
        self.theirs.send(self.theirs.recv())

    def close(self) -> None:
        """Close both ends."""
        self.ours.close()
        self.theirs.close()


def forked(echo: Callable[[], None]) -> int:
    """Start a process that answers until it is killed."""
    pid = os.fork()
    while not pid:
        echo()
    return pid


def calls(call: Callable[[Any], Any], array: Any, count: int) -> Subject:
    """Make a subject of calls in a row."""

    def block(count: int) -> None:
        for _ in range(count):
            assert len(call(array)) == len(array)

    return per_operation(block, count, perf_counter)


def there_and_back(size: int, count: int, rounds: int) -> None:
    """Print the table of one size."""
    ways: dict[str, Any] = {
        "bare mapping": Bare(size),
        "posts": Posts(),
        "posts, copied": Posts(copied=True),
        "Pipe": Piped(),
    }
    children = [forked(way.echo) for way in ways.values()]
    import numpy as np

    array = np.arange(size // 8, dtype=float)
    assert np.array_equal(ways["posts"].call(array), array)
    subjects = {name: calls(way.call, array, count) for name, way in ways.items()}
    print(f"{size // MIB} MiB there and back")
    print_costs(take_turns(subjects, rounds), most_times={"posts": 1.6})
    for way in ways.values():
        way.close()
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def no_op(count: int, rounds: int) -> None:
    """Print what a call without payload costs, beside a bare pickle."""
    import pickle

    there, back = new_file(), new_file()
    one, other = Post(there, back), Post(os.dup(back), os.dup(there))
    parcel = pack(NOOP)
    body = one.wrap(parcel)

    def repeated(act: Callable[[], object]) -> Subject:
        def block(count: int) -> None:
            for _ in range(count):
                act()

        return per_operation(block, count)

    subjects = {
        "dumps, loads": repeated(lambda: pickle.loads(pickle.dumps(NOOP, 5))),  # noqa: S301
        "pack": repeated(lambda: pack(NOOP)),
        "load": repeated(lambda: load(parcel.stream)),
        "wrap": repeated(lambda: one.wrap(parcel)),
        "unwrap": repeated(lambda: other.unwrap(body)),
    }
    print("no payload")
    print_costs(take_turns(subjects, rounds), most_micros={"pack": 2.5, "wrap": 1.0, "unwrap": 1.5})
    one.close()
    other.close()


def main() -> None:
    quick = is_quick(__doc__)
    print_header("a float64 array to a forked process and back")
    # numpy brings threads, and a process with threads should not fork: one process per size.
    for mib, count, rounds in ((1, 20, 30), (16, 3, 15), (64, 1, 15)):
        pid = os.fork()
        if not pid:
            there_and_back(mib * MIB, 1 if quick else count, 1 if quick else rounds)
            sys.stdout.flush()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    no_op(*((10, 1) if quick else (5000, 20)))


if __name__ == "__main__":
    main()
