"""The life of the workers: hired, watched over, killed, buried and replaced, on one thread's loop.

Laws:
- A worker that is gone is replaced, and never before its process has ended.
- Starting has a limit of its own. After a failure the next attempt waits, longer each time; while
  nobody is left to serve, callers are told why instead of being kept waiting.
- When the staff has ended, no actor of its own is left, nor any that was just being made.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import logging
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from timeouts.call import Call
from timeouts.errors import StartupFailed, StartupTimeoutError, Withdrawn
from timeouts.observe.observer import logger
from timeouts.workers.loop_thread import LoopThread
from timeouts.workers.process.staff import PATIENCE, delay_after
from timeouts.workers.ray import guest
from timeouts.workers.ray.guest import NodeAffinitySchedulingStrategy, ray
from timeouts.workers.ray.warden import Warden, whereabouts
from timeouts.workers.ray.worker import Ward, Worker

if TYPE_CHECKING:
    from timeouts.workers.ray.pool import RayPool

EXPLANATION = 1.0  # seconds for Ray to say why a worker died, once it is known to have died
LAST = 10.0  # seconds for all deaths when the server closes; a node may be out of reach


class Staff:
    """Keeps a pool staffed."""

    def __init__(self, pool: RayPool, charter: Any, *, ours: str | None) -> None:
        self._pool = pool
        self._kind = pool.kind
        self._charter = charter
        self._ours = ours  # the session of a Ray that was started for us
        self._session = guest.session()
        self._limits = pool.shell.core.stack
        self._class = pool.kind.actor_class()
        self._places = range(pool.slots + pool.kind.spares)
        self._workers: dict[int, Worker | None] = {}
        self._here = whereabouts()
        self._warden = Warden()
        self._wardens: dict[str, Any] = {}  # on other machines, by the node
        self._gone: dict[int, float] = {}  # since when the worker of a place is
        self._failures = 0
        self._closing = False
        self._end = threading.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = LoopThread(f"{pool.handler.name}-workers")
        _STAFFS.add(self)
        self.post(self._fill)

    # From any thread.

    def post(self, act: Callable[..., Any], *args: Any) -> None:
        """Have something done on the staff's loop."""
        with contextlib.suppress(RuntimeError):  # it has ended
            self._thread.loop.call_soon_threadsafe(act, *args)

    def close(self) -> None:
        """Kill everything, and end the thread."""
        self.post(self._close)

    @property
    def ended(self) -> bool:
        """Whether no actor is left."""
        return self._end.is_set()

    def wait(self, seconds: float) -> None:
        """Wait for the end."""
        self._end.wait(seconds)

    def forget(self) -> None:
        """Leave everything to the parent of this process; what is collected here would call into Ray."""
        _STAFFS.discard(self)
        _INHERITED.append(self)

    # On the loop.

    def stop(self, worker: Worker, culprit: Call | None = None, since: float = 0.0) -> None:
        """Kill a worker; because of a call, if that was decided at an instant."""
        if self._is_first_to_end(worker):
            self._do(self._stop(worker, culprit, since))

    def lose(self, worker: Worker) -> None:
        """See to a worker that Ray says is lost, or cannot be reached."""
        if self._is_first_to_end(worker):
            self._do(self._lose(worker))

    def say_farewell(self, worker: Worker, call: Call) -> None:
        """Ask a stream's generator to close; kill its worker if it does not."""
        if worker.call is call and not worker.stopping:
            self._do(self._say_farewell(worker, call))

    def _is_first_to_end(self, worker: Worker) -> bool:
        first = not (worker.stopping or worker.gone or self._closing)
        worker.stopping = True
        return first

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._thread.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.error("the care of Ray actors failed", exc_info=error)

    # Hiring.

    def _fill(self) -> None:
        if self._closing:
            return
        for place in self._places:
            if place not in self._workers:
                self._workers[place] = None
                self._do(self._employ(place))

    async def _employ(self, place: int) -> None:
        try:
            worker = await self._hire(place)
        except StartupFailed as why:
            if not self._closing:
                await self._wait_out(why)
                del self._workers[place]
                self._fill()
        else:
            self._failures = 0
            self._pool.admit(worker)
            if place in self._gone:
                self._pool.shell.respawned(place, worker.pid, self._gone.pop(place))

    async def _wait_out(self, why: StartupFailed) -> None:
        self._failures += 1
        delay = delay_after(self._failures, len(self._places))
        name = self._pool.handler.name
        logger.error("no worker for %s; the next attempt is in %.3g s: %s", name, delay, why)
        why.retry_after = delay
        if not self._pool.working:
            self._pool.fail(why)
        await asyncio.sleep(delay)

    async def _hire(self, place: int) -> Worker:
        limit = self._kind.startup_timeout
        worker = self._workers[place] = self._make(place)
        try:
            async with asyncio.timeout(None if limit == float("inf") else limit):
                await self._get_ready(worker)
        except Exception as why:  # noqa: BLE001 - whatever Ray raises
            await self._bury(worker)
            self._workers[place] = None
            raise _startup_error(why, worker, limit) from None
        worker.stopping = False
        if worker.died.done():  # since it said that it was ready
            self.lose(worker)
        return worker

    def _make(self, place: int) -> Worker:
        if guest.session() != self._session:  # or Ray would by itself start another one
            raise StartupFailed("Ray has been shut down, or is no longer the one of the beginning")
        try:
            return Worker(place, self._class.remote(), self._limits)
        except Exception as why:
            raise StartupFailed(f"no actor could be made: {type(why).__name__}: {why}") from why

    async def _get_ready(self, worker: Worker) -> None:
        worker.pid, worker.node, where = await worker.actor.greet.remote()
        ready = worker.actor.set_up.remote(worker.number, self._charter)
        ward = self._near if where == self._here else self._far(worker.node)
        try:
            if await ward("take", worker.pid, where):
                worker.ward = ward
                self._do(self._watch(worker))
        except ray.exceptions.RayError:
            self._wardens.pop(worker.node, None)
            raise
        if trouble := await ready:
            raise StartupFailed(f"setup failed in a worker: {trouble}")

    async def _watch(self, worker: Worker) -> None:
        assert worker.ward is not None  # noqa: S101 - for the type checker
        with contextlib.suppress(Exception):  # then the node is lost, or its warden, or all of Ray
            await worker.ward("watch", worker.pid)
        worker.died.set_result(None)
        self.lose(worker)

    def _near(self, act: str, *args: Any) -> Awaitable[Any]:
        return self._thread.loop.create_task(getattr(self._warden, act)(*args))

    def _far(self, node: str) -> Ward:
        if node not in self._wardens:
            here = NodeAffinitySchedulingStrategy(node, soft=False)
            env = self._kind.options.get("runtime_env")
            options = {"num_cpus": 0, "scheduling_strategy": here, "runtime_env": env}
            self._wardens[node] = ray.remote(**options)(Warden).remote()
        return functools.partial(_ask, self._wardens[node])

    # Letting go.

    async def _stop(self, worker: Worker, culprit: Call | None, since: float) -> None:
        call = worker.call
        if culprit is not None:
            worker.cause = "its actor was killed"
        await self._bury(worker)
        self._settle(worker)
        if culprit is not None:
            self._pool.shell.killed(culprit, worker.pid, worker.cause, since)
        if call is not None:
            # A caller who has left (a Ctrl-C, say) has seen no failure, and need not read of one.
            level = logging.INFO if isinstance(call.error, Withdrawn) else logging.WARNING
            logger.log(level, "%r was stopped while it ran %r: %s", worker, call, worker.cause)
        self._replace(worker)

    async def _lose(self, worker: Worker) -> None:
        await self._bury(worker)
        if worker.call is not None:
            await _within(EXPLANATION, worker.explained.wait())
        self._settle(worker)
        logger.warning("%r was lost: %s", worker, worker.cause)
        self._replace(worker)

    async def _say_farewell(self, worker: Worker, call: Call) -> None:
        worker.farewell = asyncio.Event()
        self._pool.send(worker, call, worker.ask_to_leave)
        await _within(self._kind.stream_grace, worker.farewell.wait())
        worker.farewell = None
        self._pool.condemn(call)

    async def _bury(self, worker: Worker) -> None:
        """Kill a worker; return when it is known to be dead."""
        worker.kill()
        if worker.ward is not None:
            await worker.died
        else:  # nobody can see its process, or it has none yet: Ray's word must do
            with contextlib.suppress(Exception):
                guest.insist()
                await worker.actor.greet.remote()

    def _settle(self, worker: Worker) -> None:
        worker.gone = True
        self._pool.settle(worker)

    def _replace(self, worker: Worker) -> None:
        if self._workers.get(worker.number) is worker:
            del self._workers[worker.number]
            self._gone[worker.number] = self._pool.shell.clock.now()
            self._fill()

    # The end.

    def _close(self) -> None:
        if not self._closing:
            self._closing = True
            self._do(self._shut_down())

    async def _shut_down(self) -> None:
        workers = [worker for worker in self._workers.values() if worker is not None]
        await _within(LAST, _all(self._bury(worker) for worker in workers))
        rest = self._tasks - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        for worker in workers:
            if not worker.gone:
                self._settle(worker)
        self._warden.close()
        await _within(LAST, _all(_dismissed(warden) for warden in self._wardens.values()))
        self._charter = None
        if self._ours is not None:
            guest.leave(self._ours)
        self._end.set()
        self._pool.shell.wake_watchers()
        self._thread.close()


def _ask(warden: Any, act: str, *args: Any) -> Any:
    guest.insist()
    return getattr(warden, act).remote(*args)


async def _dismissed(warden: Any) -> None:
    """Return when an actor that is a warden has ended."""
    with contextlib.suppress(
        Exception
    ):  # as it must end, or Ray has been shut down, and it with that
        end = _ask(warden, "stay")
        ray.kill(warden, no_restart=True)
        await end


def _startup_error(why: BaseException, worker: Worker, limit: float) -> StartupFailed:
    if isinstance(why, StartupFailed):
        return why
    if not isinstance(why, TimeoutError):
        return StartupFailed(f"a worker failed to start: {why}")
    what = "the worker was not ready" if worker.pid else "Ray had started no actor"
    return StartupTimeoutError(f"{what} in time; startup_timeout allows {limit:g} s", limit=limit)


async def _within(seconds: float, work: Coroutine[Any, Any, Any]) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await work


async def _all(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    await asyncio.gather(*works, return_exceptions=True)


_STAFFS: weakref.WeakSet[Staff] = weakref.WeakSet()
_INHERITED: list[Staff] = []


@atexit.register
def _close_all() -> None:
    """End what nobody has closed while Ray is still there."""
    staffs = list(_STAFFS)
    for staff in staffs:
        staff.close()
    for staff in staffs:
        staff.wait(PATIENCE)
