"""One hostile handler that no server is needed to try, but a process of its own."""

from __future__ import annotations

import os
import select
import signal
import time
from pathlib import Path

import pytest

from timeouts.testing.hostile import Witness, hangs_while_sending
from timeouts.workers.process import arena
from timeouts.workers.process.parcel import pack
from timeouts.workers.process.post import Post

pytestmark = pytest.mark.realtime

MIB = 1 << 20


def test_one_that_hangs_while_it_sends_has_sent_the_first_half(tmp_path: Path) -> None:
    """And not the second: it can be met in the middle, for as long as one likes."""
    files = arena.new_file(), arena.new_file()
    with Witness(tmp_path / "seen") as seen:
        child = os.fork()
        if child == 0:
            Post(*files).wrap(pack(hangs_while_sending(seen.path, mebibytes=64)))
            os._exit(0)
        watched = os.pidfd_open(child)
        try:
            seen.wait(1)
            limit = time.monotonic() + 20
            while os.fstat(files[0]).st_blocks * 512 < 32 * MIB:
                assert time.monotonic() < limit
            ended, _, _ = select.select([watched], [], [], 0.5)
            assert not ended
            assert os.fstat(files[0]).st_blocks * 512 < 36 * MIB
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            for descriptor in (watched, *files):
                os.close(descriptor)
