"""Have every sample measured in a process of its own, and see that nothing of it stays.

A peer that hangs is killed, by its handle and with its process group, when its time is up. What has
left the group is found by the mark that each process of a sample inherits in its environment.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from time import monotonic, sleep
from typing import IO, Any
from uuid import uuid4

from versus_peers.rows import Effort

HERE = Path(__file__).resolve().parents[1]
MARK = "VERSUS_PEERS_SAMPLE"
TO_END = 15.0  # seconds from the figures to the end of the process
BOUNDS = {  # seconds, for what is quickly done elsewhere
    "happy": 30.0,
    "flight": 60.0,
    "told": 90.0,
    "recovery": 60.0,
    "half": 30.0,
    "array": 60.0,
    "kills": 60.0,
}

Outcome = dict[str, Any]


def bound(row: str, effort: Effort) -> float:
    """Return the seconds after which a sample counts as hung."""
    own = BOUNDS[row]
    if row == "half":
        own += effort.half_seconds
    if row == "kills":
        own += effort.kills_seconds + (effort.kills * 0.12 if effort.all_kills else 0)
    return own


def take(row: str, peer: str, effort: Effort) -> Outcome:
    """Return a sample as data, or `{"failed": why}`."""
    mark = f"{MARK}={uuid4().hex}"
    name, _, value = mark.partition("=")
    command = [sys.executable, "-m", "versus_peers.sample", row, peer, json.dumps(vars(effort))]
    environment = {**os.environ, name: value, "PYTHONPATH": str(HERE)}
    with TemporaryFile() as out, TemporaryFile() as err:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=environment,
            start_new_session=True,
        )
        ended = _wait(process, out, bound(row, effort))
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # not yet reaped, or of a group that lives
        process.wait()
        sleep(0.1)  # until what was killed with it has ended
        left = _end_strays(mark)
        outcome = _outcome(out)
        if outcome is None:
            return {"failed": _last_words(err) if ended else "hung"}
    notes = [outcome["notes"].get("note", "")]
    notes += [] if ended else ["did not end"]
    notes += [f"left {left} processes"] if left else []
    return {**outcome, "notes": {**outcome["notes"], "note": "; ".join(filter(None, notes))}}


def _wait(process: subprocess.Popen[bytes], out: IO[bytes], seconds: float) -> bool:
    """Wait for the process to end; return whether it did, in time.

    It is not reaped, so that its number stays its own.
    """
    end, told = monotonic() + seconds, False
    while monotonic() < end:
        if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return True
        if not told and _outcome(out) is not None:
            told, end = True, monotonic() + TO_END
        sleep(0.1)
    return False


def _outcome(out: IO[bytes]) -> Outcome | None:
    lines = os.pread(out.fileno(), 1 << 24, 0).decode(errors="replace").splitlines()
    for line in reversed(lines):
        if line.startswith('{"figures"'):
            with suppress(json.JSONDecodeError):  # not yet whole
                outcome: Outcome = json.loads(line)
                return outcome
    return None


def _last_words(err: IO[bytes]) -> str:
    lines = os.pread(err.fileno(), 1 << 24, 0).decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "no figures")[:200]


def _end_strays(mark: str) -> int:
    """Kill the processes that carry the mark; return how many there were."""
    found: set[int] = set()
    for _ in range(5):
        strays = list(_marked(mark))
        if not strays:
            break
        for pid in strays:
            found.add(pid)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        sleep(0.1)
    return len(found)


def _marked(mark: str) -> Iterator[int]:
    needle = b"\0" + mark.encode() + b"\0"
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it has ended, or is none of ours
            if needle in b"\0" + environ.read_bytes():
                yield int(environ.parent.name)
