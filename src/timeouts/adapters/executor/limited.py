"""An executor in front of an executor: a queue that is ours, and workers that are his.

Laws:
- The future is answered once, and no later than the limits say, whatever the inner executor does.
- What waits, waits here, where it can expire; the inner executor is given no more than it can run.
- `shutdown` never waits for abandoned work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from typing import Any, ParamSpec, TypeVar

from timeouts.adapters.executor.workers import ExecutorPool, ExecutorWorkers
from timeouts.admission import Admission
from timeouts.clock import MONOTONIC, Clock
from timeouts.deadline import Seconds, seconds
from timeouts.discipline import Discipline, EarliestDeadlineFirst
from timeouts.errors import WorkerLost
from timeouts.job import WAITING
from timeouts.observe import Observer
from timeouts.options import checked_stack
from timeouts.policy.base import Composable
from timeouts.server import Server
from timeouts.shell import Shell

P = ParamSpec("P")
T = TypeVar("T")


class LimitedExecutor(Executor):
    """Run what is submitted on another executor, under limits; made by `limits.wrap(executor)`.

    It takes the executor over, as a `TextIOWrapper` does its buffer: shutting it down, or leaving its
    `with` block, shuts the other one down too.

    A future is answered by its limits at the latest: the error is then what `result()` raises. Its
    `cancel()` works until it is answered, also while the function runs, and therefore `running()` is
    always False.

    Args:
        executor: any `concurrent.futures.Executor`, or what has a `submit` like it.
        limits: a policy, or policies joined with `|`, outermost first.
        slots: how many calls it is given at once; default: as many as it has workers. With more, some
            would wait in its own queue, which counts as running.
        capacity: how many jobs may wait; default 1,000. The future of one more has `QueueFull`, and so
            `map` over more items needs a larger one, such as `math.inf`.
        discipline: the order of the queue, a class such as `EarliestDeadlineFirst` (default), `Priority` or `FairShare`.
        admission: who is let in beyond a place in the queue, such as `CoDel()`; default whoever finds a place.
        observers: who else looks on; late results are always logged (logger `timeouts`).
        clock: where time comes from; tests pass a manual one.
        drain_timeout: seconds that `shutdown` waits for what waits and runs; default 30; None for no
            limit. Then what waits is refused with `ShuttingDown`, and what runs is abandoned.

    Attributes:
        server: the `Server` behind it, for `stats()`, and for `drain()` and `close()` that leave the inner
            executor alone.

    Raises:
        TypeError, ValueError: an argument makes no sense; the message names it and its value.

    Cannot do: stop a function. One that never returns holds its slot for ever, and where the executor
    joins its workers when the interpreter exits, as the standard ones do, the process does not end
    before it. What still waits when the interpreter exits is not run: shut down first. In another
    process or interpreter `remaining()` knows no limit.
    """

    def __init__(
        self,
        executor: Executor,
        limits: Composable,
        *,
        slots: int | None = None,
        capacity: float = 1000,
        discipline: Callable[[], Discipline] = EarliestDeadlineFirst,
        admission: Admission | None = None,
        observers: Iterable[Observer] = (),
        clock: Clock = MONOTONIC,
        drain_timeout: Seconds = 30.0,
    ) -> None:
        self._executor = _checked(executor)
        self._drain_timeout = seconds(drain_timeout, "drain_timeout")
        self._farewell = ExitStack()
        self.server = ExecutorServer(
            executor.submit,
            checked_stack(limits),
            slots=slots,
            workers=ExecutorWorkers(executor),
            capacity=capacity,
            discipline=discipline,
            admission=admission,
            observers=observers,
            clock=clock,
        )

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have `fn(*args, **kwargs)` run under the limits, and return its future at once.

        Raises:
            RuntimeError: the executor has been shut down.
        """
        if not self.server.shell.core.open:
            raise RuntimeError("cannot schedule new futures after shutdown")
        return self.server.callers.enqueue(fn, args, kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take nothing new, and shut the inner executor down once nothing waits or runs any more.

        Args:
            wait: whether to wait for that, for `drain_timeout` at the most, and until the inner executor
                has let its workers go. Abandoned work is not waited for: if there is any, nor is that.
            cancel_futures: whether to cancel the futures of the jobs that wait.
        """
        shell = self.server.shell
        shell.feed(shell.core.drain)
        if cancel_futures:
            _cancel_waiting(shell)
        if wait:
            self.server.drain(self._drain_timeout)
            self.server.close()
            self._shut_down()
        else:
            farewell = Farewell(self.server)
            self._farewell.enter_context(shell.watching(farewell))
            farewell.ring()

    def _shut_down(self) -> None:
        if not self.server.left_behind:
            self._executor.shutdown(wait=not self.server.stats().abandoned)

    def __repr__(self) -> str:
        """Show the executor and the limits."""
        return f"<LimitedExecutor of {self._executor!r} under {self.server.limits!r}>"


class ExecutorServer(Server):
    """The server behind it: the arguments of what is submitted may have any name."""

    reserved = ()

    @property
    def pool(self) -> ExecutorPool:
        """The workers; others after a fork."""
        return self._shell.pool  # type: ignore[return-value]  # those that `ExecutorWorkers` opens

    @property
    def left_behind(self) -> bool:
        """Whether the executor's workers are those of the process that this one was forked from."""
        return self._shell.core.withheld is not None

    def _reopen(self) -> None:
        """After a fork begin anew, if the executor can: it can if it had not begun before."""
        left_behind = self.pool.used or self.left_behind
        super()._reopen()
        if left_behind:
            self._shell.withhold(
                WorkerLost(
                    "the executor's workers stayed in the process that was forked: "
                    "make another executor after the fork"
                )
            )


class Farewell:
    """The bell that is rung after whatever happens: when nothing waits or runs, all can go."""

    def __init__(self, server: ExecutorServer) -> None:
        self._server = server
        self._said = False

    def ring(self) -> None:
        """Close the server and let the inner executor go, if nothing waits or runs."""
        shell = self._server.shell
        if self._said or not shell.read(lambda: shell.core.idle):
            return
        self._said = True  # closing rings again
        self._server.close()
        if not self._server.left_behind:
            self._server.pool.let_go()


def _cancel_waiting(shell: Shell) -> None:
    """Cancel the futures of those who wait, the last first, so that none takes another's slot."""
    jobs: Any = shell.core._jobs  # noqa: SLF001 - nobody but a queue that is given up asks who waits
    for call in shell.read(lambda: list(reversed(jobs.values()))):
        if call.phase is WAITING:
            call.future.cancel()


def _checked(executor: Any) -> Executor:
    if isinstance(executor, type):
        raise TypeError(f"wrap takes an instance, {executor.__name__}(), not the class")
    if not hasattr(executor, "submit"):
        raise TypeError(f"wrap takes an executor, such as a ThreadPoolExecutor; got {executor!r}")
    return executor  # type: ignore[no-any-return]
