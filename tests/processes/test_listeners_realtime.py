"""Event loops that listen to workers: they stay from call to call, and leave nothing behind in the loop."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.processes.house import House, pid_of_worker
from tests.shells.recorder import GUARD
from timeouts.workers.process import staff

pytestmark = pytest.mark.realtime


@pytest.fixture
def house() -> Iterator[House]:
    house = House(slots=1)
    house.settle()
    yield house
    house.settle()
    house.close()


def worker_of(house: House) -> Any:
    """Return the one worker."""
    pool: Any = house.server._shell.pool
    (worker,) = pool.staff._workers.values()
    return worker


def watched(loop: Any) -> set[int]:
    """Return the descriptors that a loop of asyncio's own watches."""
    return set(loop._selector.get_map())


def test_a_reader_stays_from_call_to_call(house: House) -> None:
    worker = worker_of(house)

    async def main() -> None:
        loop: Any = asyncio.get_running_loop()
        added, add_reader = list[int](), loop.add_reader

        def counted(fd: int, *rest: Any) -> None:
            added.append(fd)
            add_reader(fd, *rest)

        loop.add_reader = counted
        for _ in range(20):
            assert await house.server.acall(pid_of_worker) == worker.pid
        assert added == [worker.fd]

    asyncio.run(main())


def test_a_reader_goes_when_another_party_is_spoken_to(house: House) -> None:
    """If it is woken for that, it reads nothing; it comes back with its next call."""
    worker = worker_of(house)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(20):
            assert await house.server.acall(pid_of_worker) == worker.pid
            assert worker.fd in watched(loop)
            called = asyncio.to_thread(house.server.call, pid_of_worker)
            assert await called == worker.pid
            future = house.server.submit(pid_of_worker)
            assert await asyncio.wrap_future(future) == worker.pid
        assert await house.server.acall(pid_of_worker) == worker.pid
        worker.listeners[loop]._hear()  # as if woken
        assert worker.fd not in watched(loop)

    asyncio.run(main())


def test_loops_and_threads_share_a_worker(house: House) -> None:
    """Each hears the answers to its own calls, whoever was heard before."""
    failures: list[BaseException] = []

    def threads_own(number: int) -> None:
        for count in range(60):
            said = number * 1000 + count
            assert house.server.call(echo, said) == said

    async def loops_own(number: int) -> None:
        for count in range(60):
            said = number * 1000 + count
            assert await house.server.acall(echo, said) == said

    def party(number: int) -> None:
        try:
            if number % 2:
                asyncio.run(loops_own(number))
            else:
                threads_own(number)
        except BaseException as failure:
            failures.append(failure)

    parties = [threading.Thread(target=party, args=(number,)) for number in range(4)]
    for one in parties:
        one.start()
    for one in parties:
        one.join(GUARD)
        assert not one.is_alive()
    assert not failures


def echo(said: int) -> int:
    return said


def test_loops_that_are_closed_are_forgotten(house: House) -> None:
    for _ in range(5):
        assert asyncio.run(house.server.acall(echo, 1)) == 1
    assert len(worker_of(house).listeners) == 1


def test_a_loop_lets_go_before_the_number_is_somebody_elses(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else asyncio would take the next descriptor of that number for one that it watches already."""
    monkeypatch.setattr(staff, "REST", 0.0)
    worker = worker_of(house)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        await house.server.acall(echo, 1)
        assert worker.fd in watched(loop)
        os.kill(worker.pid, 9)
        # Blocked until another worker is there: by then the channel is closed, if nobody waits for this loop.
        assert house.server._wait_until(lambda: worker_of(house) is not worker, GUARD)
        house.settle()
        assert worker.sock.fileno() == worker.fd
        while worker.sock.fileno() >= 0:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)
        assert worker.fd not in watched(loop)

    asyncio.run(main())


def test_a_closed_server_leaves_nothing_in_the_loop() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        before = watched(loop)
        for _ in range(3):
            house = House()
            async with house.server as server:
                await asyncio.gather(*[server.acall(echo, n) for n in range(4)])
            left = watched(loop) - before
            assert not left
            one, other = socket.socketpair()  # of the same numbers, most likely
            with one, other:
                one.setblocking(False)
                other.send(b"x")
                assert await loop.sock_recv(one, 1) == b"x"

    asyncio.run(main())


def test_a_server_that_blocks_the_loop_at_its_end_leaves_nothing_in_it() -> None:
    """The loop cannot be told while it is blocked, and goes on in the same breath."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        before = watched(loop)
        for _ in range(3):
            with House().server as server:
                await asyncio.gather(*[server.acall(echo, n) for n in range(4)])
            assert not watched(loop) - before

    asyncio.run(main())
