"""The kernel's own killer, for real: a worker that takes more memory than there is dies, and nobody else notices."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.house import Script

pytestmark = pytest.mark.realtime

MIB = 1 << 20
LIMIT = 400 * MIB

PROGRAM = """
import os, sys
from timeouts import Server, WorkerLost
from timeouts.testing import hostile

def main(cgroup):
    with open(cgroup, "w") as members:
        members.write(str(os.getpid()))
    with Server(hostile.run, slots=2, workers="process") as server:
        before = {future.result() for future in [server.submit(os.getpid) for _ in range(50)]}
        try:
            server.call(hostile.takes_memory, mebibytes=4000)
        except WorkerLost as error:
            print(error, flush=True)
        after = {future.result() for future in [server.submit(os.getpid) for _ in range(50)]}
        assert after & before or len(before) == 1
        assert server.stats().outcomes == {"completed": 100, "failed": 1}
    print("well", flush=True)

if __name__ == "__main__":
    main(sys.argv[1])
"""


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A control group below our own, with little memory; skip where nobody may make one."""
    with contextlib.ExitStack() as undo:
        try:
            folder = _make(undo)
        except OSError as why:
            pytest.skip(f"no control group can be made here: {why}")
        yield folder


def _make(undo: contextlib.ExitStack) -> Path:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        old = "memory" in controllers.split(",")
        if old or (not controllers and _has_memory(Path(f"/sys/fs/cgroup{path}"))):
            root = Path("/sys/fs/cgroup/memory" if old else "/sys/fs/cgroup")
            folder = root / path.strip("/") / f"timeouts-{os.getpid()}"
            folder.mkdir()
            undo.callback(folder.rmdir)
            limit = "memory.limit_in_bytes" if old else "memory.max"
            (folder / limit).write_text(str(LIMIT))
            return folder
    raise OSError("none controls memory")


def _has_memory(folder: Path) -> bool:
    enabled = folder / "cgroup.subtree_control"
    return enabled.exists() and "memory" in enabled.read_text().split()


def test_a_worker_that_the_kernel_kills_is_lost_alone(cgroup: Path, tmp_path: Path) -> None:
    """Its caller is told by which signal, and why that may be; the server and the neighbour live on."""
    arguments = (str(cgroup / "cgroup.procs"),)
    with Script(PROGRAM, tmp_path / "program.py", arguments=arguments) as script:
        code, out, err = script.end()
    assert code == 0, err
    told, *_, well = out.splitlines()
    assert "killed by SIGKILL (from outside, or by the kernel for want of memory)" in told
    assert well == "well"
