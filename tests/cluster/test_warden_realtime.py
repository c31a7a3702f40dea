"""The warden: it says that a process has ended when it has, and kills what does not end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from timeouts.workers.process import native
from timeouts.workers.ray.warden import Warden, whereabouts

pytestmark = pytest.mark.realtime

GUARD = 20


@pytest.fixture(params=["pidfd", "pulse"])
def process(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[subprocess.Popen[bytes]]:
    """Start something that sleeps; the kernel tells of its end, or must be asked again and again."""
    if request.param == "pulse":
        monkeypatch.setattr(native, "watch_process", lambda _: None)
    with subprocess.Popen(["sleep", "600"]) as sleeper:
        yield sleeper
        sleeper.kill()


async def watched(warden: Warden, process: subprocess.Popen[bytes]) -> asyncio.Task[None]:
    assert await warden.take(process.pid, whereabouts())
    return asyncio.create_task(warden.watch(process.pid))


async def end(watch: asyncio.Task[None], process: subprocess.Popen[bytes]) -> None:
    """See it end, once it has been buried: by Ray, for an actor."""
    await asyncio.to_thread(process.wait, GUARD)
    await asyncio.wait_for(watch, GUARD)


def test_a_death_is_told_when_it_has_come(process: subprocess.Popen[bytes]) -> None:
    async def scenario() -> None:
        warden = Warden()
        watch = await watched(warden, process)
        await asyncio.sleep(0.05)
        assert not watch.done()
        process.terminate()
        await end(watch, process)
        warden.close()

    asyncio.run(scenario())


def test_what_does_not_end_in_its_grace_is_killed(process: subprocess.Popen[bytes]) -> None:
    """A stopped process, for instance; what has ended by then, or is nobody's, is left alone."""

    async def scenario() -> None:
        warden = Warden()
        watch = await watched(warden, process)
        os.kill(process.pid, signal.SIGSTOP)
        await warden.kill(process.pid, 0.05)
        await end(watch, process)
        await warden.kill(process.pid, 0.05)
        await warden.kill(os.getpid(), 0.0)
        warden.close()

    asyncio.run(scenario())


def test_who_is_let_go_kills_nobody(process: subprocess.Popen[bytes]) -> None:
    """Its pid might be anybody's by then."""

    async def scenario() -> None:
        warden = Warden()
        watch = await watched(warden, process)
        kill = asyncio.create_task(warden.kill(process.pid, 0.05))
        await asyncio.sleep(0)
        warden.close()
        await kill
        assert process.poll() is None
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch

    asyncio.run(scenario())


def test_a_pid_of_elsewhere_is_not_looked_at() -> None:
    """It would be another process here."""
    assert not asyncio.run(Warden().take(os.getpid(), "another machine"))
