"""`guard`: what it leaves as it was, and what it adds."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import pickle
import sys
import threading
import weakref
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import FIRST_COMPLETED, wait
from typing import Any

import pytest

from tests.shells.recorder import GUARD
from timeouts import (
    ExecutionTimeout,
    GatewayTimeout,
    GatewayTimeoutError,
    QueueTimeout,
    QueueTimeoutError,
    Server,
    ShuttingDown,
    Stack,
    TimeoutsError,
    guard,
)
from timeouts.testing import Hang, ManualClock, run_virtual

LIMIT = ExecutionTimeout(60)


def plain(a: int, /, b: int = 2, *rest: int, key: str = "k", **more: Any) -> tuple[Any, ...]:
    """Say what came."""
    return a, b, rest, key, more


async def coroutine(a: int, b: int = 2) -> tuple[int, int]:
    """Say what came, later."""
    return a, b


def generator(a: int, b: int = 2) -> Generator[int, None, str]:
    """Say what came, one by one."""
    yield a
    yield b
    return "end"


async def async_generator(a: int, b: int = 2) -> AsyncGenerator[int, None]:
    """Say what came, one by one, later."""
    yield a
    yield b


FUNCTIONS: list[Callable[..., Any]] = [plain, coroutine, generator, async_generator]
QUESTIONS = [
    inspect.signature,
    inspect.getdoc,
    inspect.isfunction,
    inspect.isroutine,
    inspect.iscoroutinefunction,
    inspect.isgeneratorfunction,
    inspect.isasyncgenfunction,
    inspect.getsource,
    callable,
    asyncio.iscoroutinefunction,
    lambda f: (f.__name__, f.__qualname__, f.__module__, f.__annotations__, f.__defaults__),
]


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_answer_about_it_stays_the_same(
    function: Callable[..., Any], question: Callable[[Any], Any]
) -> None:
    """Signature, docstring, names, and what kind of function it is."""
    assert question(guard(LIMIT)(function)) == question(function)


def test_plain_functions_are_called_as_before() -> None:
    """All kinds of arguments, and a name such as `budget` is just an argument."""
    guarded: Any = guard(LIMIT)(plain)
    assert guarded(1, 5, 6, key="x", budget=7) == (1, 5, (6,), "x", {"budget": 7})
    assert asyncio.run(guarded.acall(1)) == plain(1)
    assert guarded.submit(1, priority=3).result(GUARD) == plain(1, priority=3)
    guarded.close()


def test_coroutine_functions_are_called_as_before() -> None:
    """Calling gives a coroutine; a future works without a loop."""
    guarded: Any = guard(LIMIT)(coroutine)

    async def main() -> None:
        call = guarded(1, b=3)
        assert inspect.iscoroutine(call)
        assert await call == (1, 3)
        assert await guarded.acall(1) == (1, 2)

    asyncio.run(main())
    assert guarded.submit(4).result(GUARD) == (4, 2)
    guarded.close()


def test_generators_are_called_as_before() -> None:
    """Calling gives a generator, with its return value at the end."""
    guarded: Any = guard(LIMIT)(generator)

    def delegate() -> Generator[int, None, Any]:
        return (yield from guarded(1))

    assert inspect.isgenerator(guarded(1))
    items = delegate()
    assert (next(items), next(items)) == (1, 2)
    with pytest.raises(StopIteration) as end:
        next(items)
    assert end.value.value == "end"

    async def main() -> list[int]:
        return [item async for item in guarded.acall(3)]

    assert asyncio.run(main()) == [3, 2]
    guarded.close()


def test_async_generators_are_called_as_before() -> None:
    """Calling gives an async generator."""
    guarded: Any = guard(LIMIT)(async_generator)

    async def main() -> None:
        assert inspect.isasyncgen(guarded(1))
        assert [item async for item in guarded(1)] == [1, 2]
        assert [item async for item in guarded.acall(1)] == [1, 2]

    asyncio.run(main())
    guarded.close()


class Model:
    """Methods of every kind."""

    def __init__(self, factor: int) -> None:
        self.factor = factor

    @guard(LIMIT)
    def predict(self, x: int) -> int:
        """Multiply."""
        return self.factor * x

    @LIMIT
    async def apredict(self, x: int) -> int:
        """Multiply, later."""
        return self.factor * x

    @guard(LIMIT)
    def stream(self, x: int) -> Generator[int, None, None]:
        """Multiply one by one."""
        yield from (self.factor * i for i in range(x))

    @guard(LIMIT)
    @classmethod
    def of_class(cls, x: int) -> tuple[type, int]:
        """Say which class."""
        return cls, x

    @classmethod
    @guard(LIMIT)
    def of_class_inside(cls, x: int) -> tuple[type, int]:
        """Say which class."""
        return cls, x

    @guard(LIMIT)
    @staticmethod
    def static(x: int) -> int:
        """Say what came."""
        return x

    @staticmethod
    @guard(LIMIT)
    def static_inside(x: int) -> int:
        """Say what came."""
        return x


class Child(Model):
    """Inherits its methods."""


METHODS: list[tuple[str, Any]] = [
    ("predict", 6),
    ("of_class", (Child, 3)),
    ("of_class_inside", (Child, 3)),
    ("static", 3),
    ("static_inside", 3),
]


@pytest.mark.parametrize(("name", "result"), METHODS)
def test_methods_are_bound_as_before(name: str, result: Any) -> None:
    """By the instance, and unbound or by the class where Python would."""
    model: Any = Child(2)
    method = getattr(model, name)
    assert method(3) == result
    # From 3.13 on a classmethod hands out a plain method, whose attributes know no class.
    if name != "of_class_inside" or sys.version_info < (3, 13):
        assert method.submit(3).result(GUARD) == result
        assert asyncio.run(method.acall(3)) == result
    if name == "predict":
        assert Model.predict(model, 3) == 6
    else:
        assert getattr(Child, name)(3) == result


def test_async_methods_and_streams_are_bound_as_before() -> None:
    """Each call belongs to its own instance."""
    two, three = Model(2), Model(3)

    async def main() -> list[int]:
        return list(await asyncio.gather(two.apredict(1), three.apredict(1)))

    assert asyncio.run(main()) == [2, 3]
    assert list(two.stream(3)) == [0, 2, 4]
    assert list(inspect.signature(two.predict).parameters) == ["x"]
    assert two.predict.__doc__ == "Multiply."


def test_all_instances_share_one_server() -> None:
    """One queue and one set of slots per method."""
    assert Model(1).predict.server is Model(2).predict.server is Model.predict.server
    assert Model.predict.server is not Model.static.server


def test_a_guard_does_not_keep_instances_alive() -> None:
    """After a call, and after making bound methods."""
    model = Model(2)
    model.predict(1)
    model.predict(1)
    gone = weakref.ref(model)
    del model
    Model(3).predict(1)  # the worker's thread lets go of a call once it has told its caller
    gc.collect()
    assert gone() is None


class PlainCallable:
    """An object that is called."""

    def __call__(self, x: int) -> int:
        """Double."""
        return 2 * x


class AsyncCallable:
    """An object whose call is a coroutine function."""

    async def __call__(self, x: int) -> int:
        """Double."""
        return 2 * x


def test_callable_objects_and_partials() -> None:
    """Seen through to what they call."""
    for function in (PlainCallable(), functools.partial(plain, 1, key="x"), len):
        guarded: Any = guard(LIMIT)(function)
        argument: Any = "abc" if function is len else 3
        assert guarded(argument) == function(argument)
        assert guarded.server.stop_mode == "abandon"
        guarded.close()
    for async_function in (AsyncCallable(), functools.partial(coroutine, 1)):
        guarded = guard(LIMIT)(async_function)
        assert guarded.server.stop_mode == "cancel"
        assert asyncio.run(guarded(3)) == asyncio.run(async_function(3))
        guarded.close()


def test_decorating_starts_nothing() -> None:
    """No thread before the first call, one after it."""
    before = set(threading.enumerate())

    @GatewayTimeout(30)
    @QueueTimeout(5)
    @guard(slots=2)
    def quiet() -> None: ...

    assert quiet.server.stats().arrived == 0
    assert set(threading.enumerate()) <= before  # those of other tests may still be ending
    quiet()
    assert len(set(threading.enumerate()) - before) == 1
    quiet.close()


def test_stacked_policies_join_one_server() -> None:
    """The upper decorator is the outer rule; options of the guard below stay."""

    @GatewayTimeout(30)
    @QueueTimeout(5)
    @guard(ExecutionTimeout(10), slots=3)
    def stacked() -> str:
        return "served"

    assert stacked.server.limits == GatewayTimeout(30) | QueueTimeout(5) | ExecutionTimeout(10)
    assert stacked.server.stats().slots == 3
    assert stacked() == "served"
    assert stacked.server.stats().arrived == 1
    stacked.close()


def test_a_stack_is_a_decorator() -> None:
    """So is the empty one."""
    limits = GatewayTimeout(30) | QueueTimeout(5)
    assert limits(plain).server.limits == limits
    assert Stack()(plain)(1) == plain(1)


def test_two_guards_nest() -> None:
    """Two queues, two sets of slots; the outer one's waiting counts for the outer one only."""
    clock = ManualClock()
    with Hang("served") as hang:
        inner = guard(QueueTimeout(5), slots=1, clock=clock)(hang.predict)
        outer = guard(GatewayTimeout(60), slots=2, clock=clock)(inner)
        assert outer.server is not inner.server
        first, second = outer.submit(), outer.submit()
        hang.wait_for_entries(1)
        clock.wait_for_waiters(3, finite=True)  # the outer's timer, and two callers of the inner
        clock.advance(5)
        (done,) = wait([first, second], GUARD, return_when=FIRST_COMPLETED).done
        assert isinstance(done.exception(), QueueTimeoutError)
        hang.release()
        (other,) = {first, second} - {done}
        assert other.result(GUARD) == "served"
        outer.close()
        inner.close()


def test_a_closed_guard_refuses() -> None:
    """In every way of calling."""
    guarded: Any = guard(LIMIT)(plain)
    guarded.close()
    with pytest.raises(ShuttingDown):
        guarded(1)
    with pytest.raises(ShuttingDown):
        asyncio.run(guarded.acall(1))
    assert isinstance(guarded.submit(1).exception(GUARD), ShuttingDown)


def test_a_server_and_a_guard_take_the_same_function() -> None:
    """A guarded function is a handler like any other."""
    guarded = guard(LIMIT)(coroutine)
    with Server(guarded) as server:
        assert server.call(1) == (1, 2)
    guarded.close()


def test_a_guarded_method_may_call_itself() -> None:
    """Recursion within the slots."""

    @guard(LIMIT, slots=4)
    def factorial(n: int) -> int:
        return n * factorial(n - 1) if n else 1

    assert factorial(3) == 6
    factorial.close()


@pytest.mark.parametrize("clean", [pickle.loads, None])
def test_errors_can_be_pickled(clean: Any) -> None:
    """With message, fields and the policy that fired."""

    async def main() -> TimeoutsError:
        from timeouts.testing import VirtualLoop

        @guard(GatewayTimeout(5), clock=VirtualLoop.running().clock)
        async def forever() -> None:
            await asyncio.Event().wait()

        with pytest.raises(GatewayTimeoutError) as caught:
            await forever()
        return caught.value

    error = run_virtual(main())
    copy = pickle.loads(pickle.dumps(error)) if clean else error
    assert type(copy) is GatewayTimeoutError
    assert str(copy) == str(error)
    assert (copy.policy, copy.limit, copy.elapsed, copy.started) == (GatewayTimeout(5), 5, 5, True)
