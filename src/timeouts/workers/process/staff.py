"""The life of the workers: hired, watched over, stopped, buried and replaced, on one thread's loop.

Laws:
- A worker that is gone is replaced. Its successor may be born while it is being stopped, but sets nothing up, and
  so takes no memory to speak of, before the other is gone and has given its own back.
- Starting has a limit of its own. After a failure the next attempt waits, longer each time; while
  nobody is left to serve, callers are told why instead of being kept waiting.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
import signal
import socket
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from timeouts.call import Call
from timeouts.errors import StartupFailed, StartupTimeoutError, Withdrawn
from timeouts.observe.observer import logger
from timeouts.workers.loop_thread import LoopThread
from timeouts.workers.process import arena, birth, native
from timeouts.workers.process.birth import Birth
from timeouts.workers.process.channel import Worker
from timeouts.workers.process.charter import Charter
from timeouts.workers.process.dumps import Dump, Ear, LastWords
from timeouts.workers.process.frames import READY, UNFIT
from timeouts.workers.process.nursery import Nursery
from timeouts.workers.process.post import Post

if TYPE_CHECKING:
    from timeouts.workers.process.pool import ProcessPool

FIRST_DELAY = 0.1
LONGEST_DELAY = 30.0
PATIENCE = 2.0  # seconds for each pool at the interpreter's exit
REST = 1.0  # seconds between a burial and the end of the channel; its number is not reused before
LETTING_GO = 0.05  # seconds for the callers' loops to take their readers off, at the end
NO_HURRY = 0.01  # seconds in which one from the reserve has answered; a birth at the same time would hold it up
RETIREMENT = 1.0  # seconds in which a worker that is let go must end by itself


class Staff:
    """Keeps a pool staffed."""

    def __init__(self, pool: ProcessPool, charter: Charter) -> None:
        kind = pool.kind
        self._end = threading.Event()
        self._limits = charter.limits
        self._pool = pool
        self._kind = kind
        self._birth = Birth(
            kind.start_method,
            charter.write(),
            kind.max_jobs,
            kind.max_memory,
            kind.preload is not None,
            birth.code(),
        )
        self._places = range(pool.slots + kind.spares)
        self._workers: dict[int, Worker | None] = {}
        self._leaving: set[Worker] = set()  # those whose successors are being born
        self._gone: dict[int, float] = {}  # since when the worker of a place is
        self._failures = 0
        self._resting: set[Worker] = set()
        self._closing = False
        self._blind = False  # whether deaths are told by the template alone
        self._nursery: Nursery | None = None
        self._living: set[Nursery] = set()  # also those that are being ended
        self._opening: asyncio.Task[Nursery] | None = None
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
        """Whether no process is left."""
        return self._end.is_set()

    def wait(self, seconds: float) -> None:
        """Wait for the end."""
        self._end.wait(seconds)

    def forget(self) -> None:
        """Leave everything to the parent of this process."""
        _STAFFS.discard(self)
        for nursery in tuple(self._living):
            nursery.forget()
        for worker in self._born():
            worker.sock.close()

    def let_go(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take a loop's readers off, in its own thread: it may be blocked until all descriptors are closed."""
        for worker in self._born():
            if listener := worker.listeners.get(loop):
                listener.go()

    # On the loop.

    def watch(self, worker: Worker) -> None:
        """Listen to a worker for callers who do not wait for it themselves."""
        if worker.watching and not worker.watched and not worker.gone:
            worker.watched = True
            self._thread.loop.add_reader(worker.fd, self._hear, worker)

    def stop(self, worker: Worker, culprit: Call | None = None, since: float = 0.0) -> None:
        """Stop a worker, whatever it takes; because of a call, if that was decided at an instant."""
        if not worker.stopping and not worker.gone:
            worker.stopping = True
            self._unwatch(worker)
            self._do(self._stop(worker, culprit, since))

    def retire(self, worker: Worker) -> None:
        """Let a worker go that is between jobs."""
        if not worker.stopping and not worker.gone:
            worker.stopping = True
            self._do(self._retire(worker))

    def say_farewell(self, worker: Worker, call: Call) -> None:
        """Ask a stream's generator to close; stop its worker if it does not."""
        if worker.call is call and not worker.stopping:
            self._do(self._say_farewell(worker, call))

    def _born(self) -> list[Worker]:
        everybody = [*self._workers.values(), *self._leaving]  # at once: other threads ask, too
        return [worker for worker in everybody if worker is not None]

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._thread.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.error("the care of worker processes failed", exc_info=error)

    # Hiring.

    def _fill(self) -> None:
        if self._closing:
            return
        for place in self._places:
            if place not in self._workers:
                self._workers[place] = None
                self._do(self._employ(place))

    async def _employ(self, place: int, before: Worker | None = None) -> None:
        try:
            worker = await self._hire(place, before)
        except StartupFailed as why:
            if self._closing:
                return
            self._failures += 1
            delay = delay_after(self._failures, len(self._places))
            logger.error(
                "no worker for %s; the next attempt is in %.3g s: %s",
                self._pool.handler.name,
                delay,
                why,
            )
            why.retry_after = delay
            if not self._pool.working:
                self._pool.fail(why)
            await asyncio.sleep(delay)
            del self._workers[place]
            self._fill()
        else:
            self._failures = 0
            self._pool.admit(worker)
            if place in self._gone:
                self._pool.shell.respawned(place, worker.pid, self._gone.pop(place))

    async def _hire(self, place: int, before: Worker | None) -> Worker:
        limit = self._kind.startup_timeout
        within = None if limit == float("inf") else limit
        try:
            worker = None
            if before is not None:
                async with asyncio.timeout(within):
                    worker = await self._bear_early(place)
                await asyncio.shield(before.left)
            async with asyncio.timeout(within):
                if worker is None:
                    worker = await self._bear(await self._nursery_ready(), place)
                worker.begin()
                await self._ready(worker)
        except TimeoutError:
            await self._give_up(place)
            raise StartupTimeoutError(
                f"the worker was not ready in time; startup_timeout allows {limit:g} s", limit=limit
            ) from None
        except OSError as why:  # no more descriptors, or no memory
            raise StartupFailed(f"no worker could be made: {why}") from why
        worker.stopping = False
        if worker.died.done():  # since it said that it was ready
            self._on_loss(worker)
        return worker

    async def _bear_early(self, place: int) -> Worker | None:
        """Have a successor born beside who is being stopped; None if there is no room for both."""
        try:
            return await self._bear(await self._nursery_ready(), place)
        except (StartupFailed, OSError):
            return None

    async def _give_up(self, place: int) -> None:
        late = self._workers[place]
        if late is None:
            self._end_nursery()
        else:
            await self._bury(late)
            self._workers[place] = None

    async def _nursery_ready(self) -> Nursery:
        if self._opening is None:
            self._opening = self._thread.loop.create_task(self._open_nursery())
            self._opening.add_done_callback(_retrieve)  # whoever awaited it may have left
        return await asyncio.shield(self._opening)

    async def _open_nursery(self) -> Nursery:
        if self._closing:
            raise StartupFailed("the server was closed")
        try:
            self._nursery = nursery = Nursery(self._birth, self._on_death, self._on_template_end)
        except OSError as why:
            self._opening = None
            raise StartupFailed(f"no process could be made: {why}") from why
        self._living.add(nursery)
        try:
            await nursery.ready()
        except StartupFailed:
            if self._nursery is nursery:
                self._end_nursery()
            raise
        return nursery

    def _end_nursery(self) -> None:
        """Have keeper, template and all workers killed; the next hire begins from the beginning."""
        nursery, self._nursery, self._opening = self._nursery, None, None
        if nursery is not None:
            nursery.close()
            self._do(self._bury_all(nursery))

    async def _bury_all(self, nursery: Nursery) -> None:
        await nursery.ended()
        self._living.discard(nursery)
        for worker in [worker for worker in self._born() if worker.nursery is nursery]:
            if self._blind and not worker.died.done():  # the template is not there to tell
                worker.died.set_result(None)
            if not worker.stopping:
                worker.stopping = True
                await self._lose(worker)

    async def _bear(self, nursery: Nursery, place: int) -> Worker:
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
            words, dump = _heard(LastWords(), ours, theirs), _heard(Dump(), ours, theirs)
            sock, other = socket.socketpair()
            ours.enter_context(sock)
            theirs.enter_context(other)
            outgoing, incoming = _two_files(theirs)
            post = Post(*_copies(outgoing, incoming))
            worker = Worker(place, sock, post, nursery, words, dump, self._limits)
            ours.pop_all()
            ours.callback(sock.close)
            ours.callback(worker.close)
            worker.pid = await nursery.spawn(
                place, [other.fileno(), words.given, dump.given, incoming, outgoing]
            )
            ours.pop_all()
        worker.stopping = True  # until it is ready, whoever hires it sees to its end
        self._workers[place] = worker
        self._watch_over(worker)
        return worker

    async def _ready(self, worker: Worker) -> None:
        loop = self._thread.loop
        spoken = asyncio.Event()
        loop.add_reader(worker.fd, spoken.set)
        try:
            await spoken.wait()
        finally:
            loop.remove_reader(worker.fd)
        try:
            frames = worker.receive_now()
        except EOFError:
            frames = []
        if frames and frames[0].kind == READY:
            return
        unfit = bool(frames) and frames[0].kind == UNFIT
        worker.hang_up()
        await self._bury(worker)
        self._workers[worker.number] = None
        why = frames[0].body.decode(errors="replace") if unfit else f"it died: {worker.cause}"
        raise StartupFailed(
            f"setup failed in a worker: {why}" if unfit else f"a worker failed to start: {why}"
        )

    def _watch_over(self, worker: Worker) -> None:
        pidfd = native.watch_process(worker.pid)
        if pidfd is None:
            self._blind = True
            worker.nursery.have_deaths_told()
        else:
            self._thread.loop.add_reader(pidfd, self._on_pidfd, worker, pidfd)

    def _on_pidfd(self, worker: Worker, pidfd: int) -> None:
        self._thread.loop.remove_reader(pidfd)
        os.close(pidfd)
        self._has_died(worker)

    def _on_death(self, pid: int) -> None:
        for worker in self._born():
            if worker.pid == pid and not worker.buried:
                self._has_died(worker)

    def _has_died(self, worker: Worker) -> None:
        if not worker.died.done():
            worker.died.set_result(None)
            self._on_loss(worker)

    def _on_loss(self, worker: Worker) -> None:
        if not worker.stopping and not self._closing:
            worker.stopping = True
            self._do(self._lose(worker))

    def _on_template_end(self) -> None:
        if not self._closing:
            logger.error("the template process of %s has died", self._pool.handler.name)
            self._end_nursery()

    # Letting go.

    async def _stop(self, worker: Worker, culprit: Call | None, since: float) -> None:
        call = worker.call
        await self._kind.ladder.climb(worker, worker.dumped)
        self._see_to_successor(worker)
        await self._bury(worker)
        if culprit is not None:
            self._pool.shell.killed(culprit, worker.pid, worker.cause, since)
        self._replace(worker)
        if call is not None:  # written later: the successor is waiting
            self._thread.loop.call_soon(_report, worker, call)

    async def _lose(self, worker: Worker) -> None:
        await self._bury(worker, by_itself=True)
        logger.warning("%r was lost: %s", worker, worker.cause)
        self._replace(worker)

    async def _retire(self, worker: Worker) -> None:
        worker.hang_up()
        await asyncio.wait([worker.died], timeout=RETIREMENT)
        if not worker.died.done():
            await self._kind.ladder.climb(worker, worker.dumped)
        await self._bury(worker)
        self._replace(worker)

    async def _say_farewell(self, worker: Worker, call: Call) -> None:
        worker.farewell = asyncio.Event()
        self.watch(worker)
        worker.ask_to_stop(call)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._kind.stream_grace):
                while worker.call is call:
                    await worker.farewell.wait()
        worker.farewell = None
        self._pool.condemn(call)

    async def _bury(self, worker: Worker, *, by_itself: bool = False) -> None:
        """See a worker and all that it leaves behind into the grave; kill what is not dead yet."""
        worker.kill()
        worker.buried = True
        code = await worker.nursery.bury(worker.pid)
        self._lay_to_rest(worker, _cause(code, hint=by_itself))

    def _lay_to_rest(self, worker: Worker, cause: str) -> None:
        self._unwatch(worker)
        worker.lay_to_rest(cause)
        self._pool.settle(worker)
        self._resting.add(worker)
        self._thread.loop.call_later(REST, lambda: self._do(self._close_channel(worker)))

    async def _close_channel(self, worker: Worker) -> None:
        """Give a descriptor back once no caller listens to it, or can be on the point of doing so."""
        for listener in list(worker.listeners.values()):
            await listener.gone()
        self._resting.discard(worker)
        worker.sock.close()

    async def _close_channels(self) -> None:
        with contextlib.suppress(TimeoutError):  # a loop that its owner blocks lets go of nothing
            async with asyncio.timeout(LETTING_GO):
                for worker in tuple(self._resting):
                    await self._close_channel(worker)
        for worker in self._resting:
            worker.sock.close()

    def _see_to_successor(self, worker: Worker) -> None:
        in_place = self._workers.get(worker.number) is worker
        # Where there is a reserve its turn is now, and a birth would only hold it up.
        if in_place and not self._pool.roster.spares and not self._closing:
            self._leaving.add(worker)
            self._workers[worker.number] = None
            self._do(self._employ(worker.number, worker))

    def _replace(self, worker: Worker) -> None:
        if worker in self._leaving:
            self._leaving.discard(worker)
        elif self._workers.get(worker.number) is worker:
            del self._workers[worker.number]
            if self._pool.roster.complete:
                self._thread.loop.call_later(NO_HURRY, self._fill)
            else:
                self._fill()
        else:
            return
        self._gone[worker.number] = self._pool.shell.clock.now()

    def _unwatch(self, worker: Worker) -> None:
        if worker.watched:
            worker.watched = False
            self._thread.loop.remove_reader(worker.fd)

    def _hear(self, worker: Worker) -> None:
        if not worker.watching:  # a caller listens now; not everything need be heard twice
            self._unwatch(worker)
            return
        try:
            frames = worker.receive_now()
        except EOFError:
            self._unwatch(worker)
            return
        self._pool.hear(worker, frames)

    # The end.

    def _close(self) -> None:
        if not self._closing:
            self._closing = True
            self._do(self._shut_down())

    async def _shut_down(self) -> None:
        me = asyncio.current_task()
        for nursery in tuple(self._living):
            nursery.close()
            await nursery.ended()
        for worker in self._born():
            if not worker.died.done():
                worker.died.set_result(None)
        rest = {task for task in self._tasks if task is not me}
        if rest:
            await asyncio.wait(rest, timeout=0.05)
        for task in self._tasks - {me}:
            task.cancel()
        for worker in self._born():
            if not worker.gone:
                worker.buried = True
                self._lay_to_rest(worker, "the server was closed")
        await self._close_channels()
        self._end.set()
        self._pool.shell.wake_watchers()
        self._thread.close()


def _report(worker: Worker, call: Call) -> None:
    stacks = worker.dumped.text()
    logger.log(
        # A caller who has left (a Ctrl-C, say) has seen no failure, and need not read of one.
        logging.INFO if isinstance(call.error, Withdrawn) else logging.WARNING,
        "%r was stopped while it ran %r: %s%s",
        worker,
        call,
        worker.cause,
        f"; its stacks were:\n{stacks}" if stacks else "",
    )


def delay_after(failures: int, places: int) -> float:
    """Return the seconds until the next attempt: twice as many each time all places have failed."""
    doublings = min((failures - 1) // places, 16)  # far beyond the cap, and still a number
    return min(LONGEST_DELAY, FIRST_DELAY * 2.0**doublings)


def _retrieve(task: asyncio.Task[Nursery]) -> None:
    if not task.cancelled():
        task.exception()


AnEar = TypeVar("AnEar", bound=Ear)


def _heard(ear: AnEar, ours: contextlib.ExitStack, theirs: contextlib.ExitStack) -> AnEar:
    ours.callback(ear.close)
    theirs.callback(os.close, ear.given)
    return ear


def _two_files(theirs: contextlib.ExitStack) -> list[int]:
    fds: list[int] = []
    for _ in range(2):
        fds.append(arena.new_file())
        theirs.callback(os.close, fds[-1])
    return fds


def _copies(*fds: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        copies: list[int] = []
        for fd in fds:
            copies.append(os.dup(fd))
            stack.callback(os.close, copies[-1])
        stack.pop_all()
    return copies


def _cause(code: int | None, *, hint: bool) -> str:
    if code is None:
        return "its template process was lost"
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    why = " (from outside, or by the kernel for want of memory)" if name == "SIGKILL" else ""
    return f"killed by {name}{why if hint else ''}"


_STAFFS: weakref.WeakSet[Staff] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """End what nobody has closed while its thread can still do so; the keeper would end it, too."""
    staffs = list(_STAFFS)
    for staff in staffs:
        staff.close()
    for staff in staffs:
        staff.wait(PATIENCE)
