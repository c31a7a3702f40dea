"""Two ends in two processes, one of which may be killed at any instant."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from timeouts.workers.process.arena import new_file
from timeouts.workers.process.parcel import pack
from timeouts.workers.process.post import Post

pytestmark = pytest.mark.realtime

MIB = 1024 * 1024
OTHER = """
import socket, sys
from timeouts.workers.process.parcel import pack
from timeouts.workers.process.post import Post

wire = socket.socket(fileno=int(sys.argv[1]))
post = Post(int(sys.argv[2]), int(sys.argv[3]))

def echo():  # whatever it hears, until nobody speaks
    while body := wire.recv(65536):
        value = post.unwrap(body)
        wire.sendall(post.wrap(pack(value)))
        del value

def copying():  # says one thing, then copies for ever
    wire.sendall(post.wrap(pack(memoryview(bytearray(b"before" * 100_000)))))
    large = pack(memoryview(bytes(64 << 20)))
    wire.sendall(b"!")
    while True:
        post.recall(post.wrap(large))

{"echo": echo, "copying": copying}[sys.argv[4]]()
"""


@contextmanager
def other(act: str) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket, Post]]:
    """Start the other end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    there, back = new_file(), new_file()
    command = [sys.executable, "-c", OTHER, *map(str, (theirs.fileno(), back, there)), act]
    process = subprocess.Popen(command, pass_fds=(theirs.fileno(), back, there))
    theirs.close()
    post = Post(there, back)
    try:
        with ours:
            yield process, ours, post
    finally:
        post.close()
        process.kill()
        process.wait()


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def mapped() -> int:
    """Return how many files of posts this process has mapped."""
    if sys.platform != "linux":
        return 0
    return Path("/proc/self/maps").read_text().count("memfd:timeouts")


@pytest.mark.skipif(sys.platform == "darwin", reason="no SOCK_SEQPACKET")
def test_large_values_go_there_and_back() -> None:
    """Many of changing size, and the memory of both ways stays bounded."""
    with other("echo") as (process, wire, post):
        for count in range(200):
            size = (count * 37_987) % (3 * MIB)
            sent = memoryview(bytearray(b"%03d" % count) * (size // 3 + 1))
            wire.sendall(post.wrap(pack(sent)))
            assert post.unwrap(wire.recv(65536)) == sent
        for fd in post._fds:
            assert os.fstat(fd).st_blocks * 512 <= 20 * MIB
        wire.shutdown(socket.SHUT_WR)
        assert process.wait() == 0


@pytest.mark.skipif(sys.platform == "darwin", reason="no SOCK_SEQPACKET")
def test_a_peer_killed_while_it_copies() -> None:
    """What arrived before is whole, and nothing is left of the rest."""
    fds, maps = open_files(), mapped()
    views = []
    for _ in range(3):
        with other("copying") as (process, wire, post):
            views.append(post.unwrap(wire.recv(65536)))
            assert wire.recv(1) == b"!"
            process.send_signal(signal.SIGKILL)
            assert wire.recv(1) == b""
    for view in views:
        view[:6] = b"after "
        assert view == b"after " + b"before" * 99_999
    del view, views
    assert open_files() == fds
    assert mapped() == maps
