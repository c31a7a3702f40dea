"""The ways a caller waits for a job: blocked, suspended, over a future, or item by item.

Laws:
- However a caller leaves, his job is withdrawn: an interrupt, a cancelled task, a closed generator or a
  cancelled future is the caller's own doing and never reported as a timeout.
- With a job whose caller has left goes what its handler blocks for: nobody wants that either. (A handler
  that awaits is cancelled, and so leaves by itself.)
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import AsyncGenerator, Callable, Generator, Hashable
from concurrent.futures import Future
from threading import get_ident
from typing import Any, TypeVar

from timeouts.call import NOTHING, Call, Submission, is_unwanted
from timeouts.current import SERVING, checkpoint, remaining
from timeouts.deadline import Seconds, seconds
from timeouts.gate import Gate, LoopGate
from timeouts.handler import Handler, Shape
from timeouts.options import checked_priority, checked_tenant
from timeouts.shell import Shell
from timeouts.workers.loop_thread import running_loop

AnyCall = TypeVar("AnyCall", bound=Call)


class Callers:
    """Brings calls to a shell and waits for them.

    An invocation is the function to run (one guard serves many bound methods), its args and kwargs,
    and, left out by guards, the call's own budget, priority and tenant.
    """

    def __init__(self, shell: Shell, handler: Handler) -> None:
        self._shell = shell
        self._handler = handler
        self._is_async = handler.is_async
        self._keys = itertools.count(1)
        self._gate = shell.pool.blocking_gate
        self._loop_gate = shell.pool.loop_gate
        self._pack = shell.pool.pack
        self.blocking = self.iterate if handler.is_stream else self.run
        self.awaiting = self.aiterate if handler.is_stream else self.arun
        self.native = {
            Shape.PLAIN: self.run,
            Shape.GENERATOR: self.iterate,
            Shape.COROUTINE: self.arun,
            Shape.ASYNC_GENERATOR: self.aiterate,
        }[handler.shape]

    def run(self, *invocation: Any) -> Any:
        """Block until the result is there."""
        serving = SERVING.get()
        if self._is_async:
            self._refuse_own_loop()
        elif serving is not None and self._within(serving, invocation):
            checkpoint()
            return invocation[0](*invocation[1], **invocation[2])
        call = self.make(Call, self._gate(), serving, *invocation)
        shell = self._shell
        try:
            shell.arrive(call)
            if serving is not None:
                self._nest(call, serving)
            shell.wait(call)
            return call.result()
        except BaseException:
            self.leave(call)
            raise
        finally:
            if isinstance(serving, Call):
                serving.unnest(call)
            del call, serving  # they may refer to the error, whose traceback refers to this frame

    def awaited(self, *invocation: Any) -> Call:
        """Make a call that a coroutine of the running loop will see through; it has yet to arrive."""
        gate, serving = self._loop_gate(asyncio.get_running_loop()), SERVING.get()
        call = self.make(Call, gate, serving, *invocation)
        call.eager = serving is None  # nested ones would pile up on one stack
        return call

    async def arun(self, *invocation: Any) -> Any:
        """Suspend until the result is there."""
        call = self.awaited(*invocation)
        shell = self._shell
        try:
            shell.arrive(call)
            call.eager = False
            await shell.wait_async(call)
            return call.result()
        except BaseException:
            self.leave(call)
            raise
        finally:
            del call

    def iterate(self, *invocation: Any) -> Generator[Any, None, Any]:
        """Yield the items as they are asked for; the job arrives with the first request."""
        serving = SERVING.get()
        if self._is_async:
            self._refuse_own_loop()
        elif serving is not None and self._within(serving, invocation):
            checkpoint()
            return (yield from invocation[0](*invocation[1], **invocation[2]))
        call = self.make(Call, self._gate(), serving, *invocation)
        call.timed = True
        shell = self._shell
        try:
            shell.arrive(call)
            if serving is not None:
                self._nest(call, serving)
            while True:
                shell.wait(call)
                if call.item is NOTHING:
                    return call.result()
                yield call.take_item()
                shell.resume(call)
        finally:
            self.leave(call)
            if isinstance(serving, Call):
                serving.unnest(call)
            del call, serving

    async def aiterate(self, *invocation: Any) -> AsyncGenerator[Any, None]:
        """Yield the items as they are asked for; the job arrives with the first request."""
        call = self.awaited(*invocation)
        call.eager = False
        call.timed = True
        shell = self._shell
        try:
            shell.arrive(call)
            while True:
                await shell.wait_async(call)
                if call.item is NOTHING:
                    call.result()
                    return
                yield call.take_item()
                shell.resume(call)
        finally:
            self.leave(call)
            del call

    def enqueue(self, *invocation: Any) -> Future[Any]:
        """Return a future; cancelling it withdraws the job."""
        if self._handler.is_stream:
            raise TypeError(
                f"{self._handler.name} gives a stream, which has no single result: "
                "iterate over call() or acall()"
            )
        call = self.make(Submission, None, SERVING.get(), *invocation)
        call.timed = True
        self._shell.arrive(call)
        return call.future

    def make(  # noqa: PLR0917 - positional, because keywords cost time on the hot path
        self,
        kind: type[AnyCall],
        gate: Gate | LoopGate | None,
        serving: Call | None,
        function: Callable[..., Any],
        args: Any,
        kwargs: Any,
        budget: Seconds = None,
        priority: float = 0.0,
        tenant: Hashable = None,
    ) -> AnyCall:
        """Make a call that has yet to arrive.

        Adapters, which see to the waiting themselves, may then give it a stack of its own and an earlier
        arrival. `kind` is the class of the call, `gate` the doorbell of its caller (None for a future),
        `serving` the call inside which it is made, and the rest an invocation.
        """
        clock = self._shell.clock
        now = clock.now()
        # A nested call shares the tightest deadline of the one around it.
        allowed = math.inf if serving is None else remaining()
        if budget is not None:
            allowed = min(allowed, seconds(budget, "budget"))
        if type(priority) is not float or math.isnan(priority):
            priority = checked_priority(priority)
        if tenant is not None:
            tenant = checked_tenant(tenant)
        deadline = now + allowed
        call = kind(
            next(self._keys), function, args, kwargs, gate, clock, deadline, priority, tenant
        )
        call.arrived = now
        call.callers = self
        if self._pack is not None:
            self._pack(call)
        return call

    def _within(self, serving: Call, invocation: tuple[Any, ...]) -> bool:
        """Tell whether a handler calls itself, without a budget, priority or tenant of its own.

        It then runs on in the slot that it holds, under the limits of the job that it is, or ends
        there if no time is left: waiting for another slot, level by level, it would wait for itself.
        """
        if serving.thread != get_ident() or any(invocation[3:]):
            return False
        if serving.callers is None:  # in a worker process, which knows its handler only
            return bool(serving.function == invocation[0])
        return serving.callers is self

    def _nest(self, call: Call, serving: Call) -> None:
        """Let a call go with the job whose handler blocks for it, also if that has just gone."""
        if isinstance(serving, Call):  # and not what stands for one in a worker process
            serving.nest(call)
            if is_unwanted(serving):
                self.leave(call)

    def leave(self, call: Call) -> None:
        """Withdraw a call, unless it was answered; from any thread."""
        if call.outcome is None:
            self._shell.withdraw(call)

    def _refuse_own_loop(self) -> None:
        """Refuse to block the loop that would have to do the work."""
        home = getattr(self._shell.pool, "home", None)
        if home is not None and running_loop() is home:
            raise RuntimeError(
                f"call() would block the event loop on which {self._handler.name} has to run: "
                "use `await acall()`"
            )
