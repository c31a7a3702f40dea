"""A predict that runs another program: on expiry that program is gone too, even from a session of its own."""

import os
import subprocess
import tempfile
import time
from pathlib import Path

from timeouts import ExecutionTimeout, ExecutionTimeoutError, Server


def transcode(pids: str) -> int:
    """Stand in for a predict that calls ffmpeg twice, and hangs with it."""
    first = subprocess.Popen(["sleep", "60"])
    second = subprocess.Popen(["sleep", "60"], start_new_session=True)  # has left our process group
    Path(pids).write_text(f"{first.pid} {second.pid} .", encoding="ascii")
    return first.wait()


def alive(pid: int) -> bool:
    """Tell whether there is such a process; signal 0 only asks."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def main() -> None:
    with (
        tempfile.NamedTemporaryFile() as pids,
        Server(transcode, ExecutionTimeout(1), slots=1, workers="process") as server,
    ):
        call = server.submit(pids.name)
        while not (said := Path(pids.name).read_text(encoding="ascii")).endswith("."):
            time.sleep(0.001)
        started = [int(pid) for pid in said.split()[:2]]
        print("while it runs:", [alive(pid) for pid in started])
        error = call.exception()
        assert isinstance(error, ExecutionTimeoutError)
        print("told:", error)
        while error.work == "still running":  # the slot is free when nothing is left of it
            time.sleep(0.001)
        print(f"the work is {error.work}:", [alive(pid) for pid in started])


if __name__ == "__main__":
    main()

# prints:
#   while it runs: [True, True]
#   told: ran for 1... s; ExecutionTimeout allows 1 s
#   the work is killed: [False, False]
