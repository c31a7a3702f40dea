"""What cannot cross between processes is told to its one caller, as a clear error; the server lives on."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes.house import House, Script, pid_of_worker
from tests.shells.recorder import GUARD
from timeouts import (
    ExecutionTimeout,
    GatewayTimeoutError,
    PayloadError,
    ProcessWorkers,
    Server,
    WorkerLost,
)
from timeouts.testing import hostile
from timeouts.testing.hostile import Witness

pytestmark = pytest.mark.realtime

Call = tuple[Callable[..., Any], tuple[Any, ...]]


class Fuse(BaseException):
    """No Exception."""


class Stiff(Exception):
    """Refuses every assignment, that of its cause as well."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


def fails_stiffly() -> None:
    raise Stiff


REFUSED: dict[str, tuple[Call, str]] = {
    # name: the call, and what its caller is told
    "unpicklable": (
        (hostile.gives_unpicklable, ()),
        "result .* cannot be sent back: a _thread.lock",
    ),
    "nested": ((hostile.gives_nested, ()), "result .* cannot be sent back: .*recursion"),
    "fails on sending": (
        (hostile.fails_on_sending, (ValueError("sticky"),)),
        "result .* cannot be sent back: .*sticky",
    ),
    "explodes": (
        (hostile.gives_explosive, (ValueError("bang"),)),
        "result .* cannot be loaded: ValueError: bang",
    ),
    "exits on loading": (
        (hostile.gives_explosive, (SystemExit(3),)),
        "result .* cannot be loaded: SystemExit: 3",
    ),
    "unspeakable on loading": (
        (hostile.gives_explosive, (hostile.Unspeakable(),)),
        r"result .* cannot be loaded: Unspeakable: \(its message cannot be read\)",
    ),
    "bursts on loading": (
        (hostile.gives_explosive, (Fuse("burst"),)),
        "result .* cannot be loaded: Fuse: burst",
    ),
    "an unpicklable error": (
        (hostile.fails_unpicklably, ()),
        "Unpicklable: it holds a lock$",
    ),
    "unrebuildable": (
        (hostile.fails_unrebuildably, ()),
        r"Unrebuildable: it failed, because it is hostile \(which cannot be rebuilt here: TypeError",
    ),
}
RAISED: dict[str, tuple[Call, type[BaseException]]] = {
    # name: the call, and what the handler raises through all that to its caller
    "overflows": ((hostile.overflows, ()), RecursionError),
    "unspeakable": ((hostile.fails_unspeakably, ()), hostile.Unspeakable),
    "stiff": ((fails_stiffly, ()), Stiff),
    "exits": ((hostile.raises, (SystemExit(3),)), SystemExit),
    "interrupts": ((hostile.raises, (KeyboardInterrupt(),)), KeyboardInterrupt),
    "closes": ((hostile.raises, (GeneratorExit(),)), GeneratorExit),
    "cancels": ((hostile.raises, (asyncio.CancelledError(),)), asyncio.CancelledError),
    "exits on sending": ((hostile.fails_on_sending, (SystemExit(4),)), SystemExit),
}


@pytest.fixture
def house(houses: Callable[..., House]) -> Iterator[House]:
    """A server whose workers are the same ones after each case."""
    house = houses(start_method="fork")
    before = house.pids()
    yield house
    house.settle()
    assert house.pids() == before
    assert house.server.call(pid_of_worker) in before


@pytest.mark.parametrize(("call", "told"), REFUSED.values(), ids=list(REFUSED))
def test_what_cannot_come_back_is_told(house: House, call: Call, told: str) -> None:
    """To who blocks, and to who holds a future; its worker goes on with the next call."""
    handler, args = call

    def ask_twice() -> None:
        with pytest.raises(PayloadError, match=told) as caught:
            house.server.call(handler, *args)
        assert (caught.value.started, caught.value.work) == (True, "stopped")
        with pytest.raises(PayloadError, match=told):
            house.server.submit(handler, *args).result(GUARD)

    assert house.counted(ask_twice) == {"failed": 2}


@pytest.mark.parametrize(("call", "kind"), RAISED.values(), ids=list(RAISED))
def test_what_is_raised_comes_back(house: House, call: Call, kind: type[BaseException]) -> None:
    """As itself, with the traceback of the worker as its cause; the worker goes on."""
    handler, args = call
    with pytest.raises(kind) as caught:
        house.server.call(handler, *args)
    assert type(caught.value) is kind
    assert "Traceback" in str(caught.value.__cause__)
    assert isinstance(house.server.submit(handler, *args).exception(GUARD), kind)


def test_an_interrupt_in_the_middle_of_loading_is_none_of_ours(house: House) -> None:
    """It is the user's Ctrl-C as far as anybody can tell; his call has ended with it."""
    with pytest.raises(KeyboardInterrupt):
        house.server.call(hostile.gives_explosive, KeyboardInterrupt())


@pytest.mark.parametrize("error", [ValueError("bang"), Fuse("burst")], ids=["error", "no error"])
def test_a_coroutine_is_told(house: House, error: BaseException) -> None:
    """And its loop lives on."""

    async def main() -> None:
        with pytest.raises(PayloadError, match="cannot be loaded"):
            await house.server.acall(hostile.gives_explosive, error)
        with pytest.raises(PayloadError, match="cannot be rebuilt"):
            await house.server.acall(hostile.fails_unrebuildably)
        assert await house.server.acall(pid_of_worker) in house.pids()

    asyncio.run(main())


@pytest.mark.parametrize(
    "argument",
    [threading.Lock(), lambda: None, open],
    ids=["lock", "lambda", "found"],
)
def test_what_cannot_be_sent_never_leaves(house: House, argument: object) -> None:
    """The refusal comes at once, in the user's words, and counts for nothing; what can be found is sent."""
    arrived = house.server.stats().arrived
    if argument is open:
        assert house.server.call(repr, argument) == repr(open)
        return
    for ask in (house.server.call, house.server.submit):
        with pytest.raises(PayloadError, match="arguments of run cannot be sent") as caught:
            ask(repr, [1, {"deep": argument}])
        assert not caught.value.started
    assert house.server.stats().arrived == arrived


@pytest.mark.parametrize(
    ("error", "said"),
    [(ValueError("bang"), "ValueError: bang"), (SystemExit(3), "SystemExit: 3")],
)
def test_an_argument_that_explodes_is_its_callers(
    house: House, error: BaseException, said: str
) -> None:
    """It is loaded in the worker, which says so: the handler has raised nothing."""
    with pytest.raises(PayloadError, match=f"arguments .* cannot be loaded there: {said}"):
        house.server.call(repr, hostile.gives_explosive(error))


def test_megabytes_on_standard_error_hold_nobody_up() -> None:
    """Nor does a server whose own standard error nobody reads."""
    with Script(SHOUTING) as script:
        assert script.line() == "served"


SHOUTING = """
from timeouts import Server
from timeouts.testing import hostile

with Server(hostile.run, slots=2, workers="process") as server:
    futures = [server.submit(hostile.shouts, 4) for _ in range(4)]
    assert all(future.result(20) > 2 ** 21 for future in futures)
    print("served", flush=True)
"""


def test_items_of_a_stream_are_told_alike() -> None:
    """One that cannot be sent or loaded ends its stream, and nothing else."""
    with Server(items, slots=1, workers=ProcessWorkers()) as server:
        for bad, told in (
            (hostile.gives_unpicklable, "cannot be sent back: a _thread.lock"),
            (gives_bang, "an item .* cannot be loaded: ValueError: bang"),
            (gives_exit, "an item .* cannot be loaded: SystemExit: 3"),
        ):
            stream = server.call(bad)
            assert next(stream) == 1
            with pytest.raises(PayloadError, match=told):
                next(stream)
        assert list(server.call(int)) == [1, 0, 3]


def items(make: Callable[[], Any]) -> Iterator[Any]:
    yield 1
    yield make()
    yield 3


def gives_bang() -> Any:
    return hostile.gives_explosive(ValueError("bang"))


def gives_exit() -> Any:
    return hostile.gives_explosive(SystemExit(3))


def test_killed_in_mid_transfer(houses: Callable[..., House], witness: Witness) -> None:
    """While 64 MB wait for the rest of their value: the next 64 MB come whole, from another worker."""
    house = houses(ExecutionTimeout(0.5), start_method="fork", slots=1)
    future = house.server.submit(hostile.hangs_on_sending, witness.path)
    (worker,) = witness.wait(1)
    assert future.exception(GUARD) is not None
    house.settle()
    assert worker.pid not in house.pids()
    with pytest.raises((WorkerLost, GatewayTimeoutError)):
        house.server.call(hostile.kills_itself, budget=GUARD)
    assert house.server.submit(hostile.sends, 8).result(GUARD) == bytes(8 << 20)
    house.settle()


def test_kills_in_mid_transfer_leak_no_memory(
    houses: Callable[..., House], witness: Witness
) -> None:
    """Half of 64 MB has been sent, by C code that holds the GIL: its shared memory goes with the worker."""
    house = houses(start_method="fork", slots=1)

    def kill_one() -> None:
        witness.forget()
        future = house.server.submit(hostile.hangs_while_sending, witness.path)
        witness.wait(1)
        assert future.cancel()
        house.settle()

    kill_one()
    before = shared_memory()
    for _ in range(5):
        kill_one()
    assert shared_memory() == before


def shared_memory() -> tuple[int, int]:
    """Return how many descriptors and mappings of it this process has."""
    links = []
    for file in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # that of the look itself
            links.append(str(file.readlink()))
    maps = Path("/proc/self/maps").read_text().count("/memfd:timeouts")
    return sum("/memfd:timeouts" in link for link in links), maps


def test_tensors_go_there_and_back(houses: Callable[..., House]) -> None:
    """Small and large, writable when they come, of every kind that numpy has no name for."""
    torch = pytest.importorskip("torch")
    server = houses(start_method="fork").server
    for dtype in (torch.float32, torch.bfloat16, torch.float8_e5m2, torch.int64, torch.bool):
        for shape in ((), (0, 3), (7,), (300, 400)):
            tensor = torch.ones(shape, dtype=dtype)
            (came,) = server.call(list, [tensor])
            assert (came.dtype, came.shape) == (dtype, tensor.shape)
            assert torch.equal(came.float(), tensor.float())
            came.zero_()
    weight = torch.nn.Parameter(torch.ones(100_000))
    assert type(server.call(next, iter([weight]))) is torch.nn.Parameter
