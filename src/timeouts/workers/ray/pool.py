"""A pool of Ray actors: who serves which call, and who is told what.

Laws:
- A slot is free only when its worker is idle again, or its process has ended.
- Ray's own thread, on which it tells that an answer is there, only passes that on. Answers are loaded,
  and callers told, on the pool's thread: one for the pool, none for a job.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from timeouts.call import Call
from timeouts.errors import (
    PayloadError,
    ServerClosed,
    StartupFailed,
    Withdrawn,
    Work,
    WorkerLost,
)
from timeouts.gate import Gate, LoopGate
from timeouts.handler import Handler
from timeouts.outcome import Outcome
from timeouts.workers.base import Shell
from timeouts.workers.process import answers
from timeouts.workers.process.parcel import Unsendable
from timeouts.workers.ray import guest
from timeouts.workers.ray.actor import read
from timeouts.workers.ray.desk import ITEM, NOTHING, VALUE
from timeouts.workers.ray.guest import ray
from timeouts.workers.ray.letters import Letter, posted, seal, unseal
from timeouts.workers.ray.staff import Staff
from timeouts.workers.ray.worker import Worker
from timeouts.workers.roster import Roster

if TYPE_CHECKING:
    from timeouts.workers.ray.kind import RayWorkers

_POST: Any = SimpleNamespace(unwrap=unseal)


class RayPool:
    """Gives calls to actors, and takes their answers."""

    blocking_gate: type[Gate] = Gate
    loop_gate: type[LoopGate] = LoopGate

    def __init__(self, shell: Shell, handler: Handler, slots: int, kind: RayWorkers) -> None:
        self.shell = shell
        self.slots = slots
        self.kind = kind
        self.handler = handler
        self.roster: Roster[Worker] = Roster(shell, slots)
        self._staff: Staff | None = None
        self._opening = threading.Lock()
        self._closed = False

    # What callers and the shell ask for.

    def open(self) -> None:
        """Start the workers, if that has not been done; does not wait for them.

        Raises:
            ConnectionError: there is no cluster at the address.
            TypeError: the handler or what prepares it cannot be sent to an actor.
        """
        with self._opening:
            if self._staff is None and not self._closed:
                written = self._charter()
                ours = guest.join(self.kind.address)
                try:
                    self._staff = Staff(self, posted(written), ours=ours)
                except BaseException:
                    if ours is not None:
                        guest.leave(ours)
                    raise

    def _charter(self) -> Letter:
        try:
            return seal((self.handler.function, self.kind.setup, self.shell.core.stack))
        except Unsendable as why:
            raise TypeError(
                f"{self.handler.name} cannot be sent to a Ray actor: {why}"
            ) from why.__cause__

    def pack(self, call: Call) -> None:
        """Write down what a call is to send, in its caller's thread and before it arrives.

        Raises:
            PayloadError: it cannot be pickled, or the object store has no room for it.
        """
        if self._staff is None:
            self.open()
        function = None if call.function is self.handler.function else call.function
        try:
            call.request = posted(seal((function, call.args, call.kwargs)))
        except (Unsendable, ray.exceptions.RayError) as why:
            raise PayloadError(
                f"the arguments of {self.handler.name} cannot be sent to a Ray actor: {why}"
            ) from (why.__cause__ or why)

    def start(self, call: Call) -> None:
        """Send the call to an idle worker."""
        worker = self.roster.take(call)
        if worker is None:  # answered before its work began
            self.shell.finish(call, Outcome(error=call.error))
            return
        if self.handler.is_stream:
            call.demand = Demand(self, worker, call)
        self.send(worker, call, worker.ask)
        if worker.gone:
            self.staff.post(self.settle, worker)

    def send(self, worker: Worker, call: Call, ask: Callable[[Call], Any]) -> None:
        """Ask a worker something about its call, and have the answer heard."""
        try:
            guest.insist()
            answer = ask(call).future()
        except Exception as why:  # noqa: BLE001 - whatever Ray raises
            worker.cause = f"{type(why).__name__}: {why}"
            self.staff.post(self.staff.stop, worker)
        else:
            answer.add_done_callback(functools.partial(self._on_answer, worker, call))

    def cancel(self, call: Call) -> None:
        """Stop a call's work; gently, if its stream has no consumer any more, or none that waits."""
        with self.roster.lock:
            worker = self.roster.serving(call)
            gently = (
                worker is not None
                and self.handler.is_stream
                and (worker.between or isinstance(call.error, Withdrawn))
            )
        if gently:
            self.staff.post(self.staff.say_farewell, worker, call)
        else:
            self.condemn(call)

    def condemn(self, call: Call) -> None:
        """Have the worker of a call killed, if it still serves it."""
        now = self.shell.clock.now()
        with self.roster.lock:
            worker = self.roster.serving(call)
            if worker is None:
                return
            worker.condemned = True
        self.staff.post(self.staff.stop, worker, call, now)

    def settle_in(self, loop: asyncio.AbstractEventLoop) -> None:
        """Nothing: actors need no loop of the user's."""

    def close(self) -> None:
        """Kill all actors."""
        with self._opening:
            self._closed = True
        if self._staff is not None:
            self._staff.close()

    def forget(self) -> None:
        """Leave everything to the parent of this process, which is a fork of the server."""
        if self._staff is not None:
            self._staff.forget()

    @property
    def quiet(self) -> bool:
        """Whether no actor of this pool is left."""
        return self._staff is None or self._staff.ended

    @property
    def staff(self) -> Staff:
        """The life of the workers; there is one once there are calls."""
        assert self._staff is not None  # noqa: S101 - `pack` comes before everything
        return self._staff

    # What Ray tells.

    def _on_answer(self, worker: Worker, call: Call, answer: Future[Any]) -> None:
        self.staff.post(self._hear, worker, call, answer)

    def _hear(self, worker: Worker, call: Call, answer: Future[Any]) -> None:
        error = answer.exception()
        if worker.call is not call:
            return
        if error is None:
            self._take(worker, call, *read(answer.result()))
        elif isinstance(error, ray.exceptions.RayTaskError):
            self._end(worker, call, Outcome(error=_undelivered(error)))
        else:
            if not worker.condemned:
                worker.cause = str(error)
            worker.explained.set()
            self.staff.lose(worker)

    def _take(self, worker: Worker, call: Call, kind: bytes, letter: Any) -> None:
        if kind == ITEM:
            item = answers.read(_POST, True, letter, "an item")
            if item.error is None:
                worker.between = True
                self.shell.deliver(call, item.value)
            else:
                worker.verdict = item
                self.condemn(call)
        elif kind != NOTHING:
            self._end(worker, call, answers.read(_POST, kind == VALUE, letter))

    def _end(self, worker: Worker, call: Call, outcome: Outcome) -> None:
        if worker.claim():
            self._release(worker, call, outcome, fit=worker.jobs != self.kind.max_jobs)
            worker.end_farewell()

    # What the staff tells. All of it happens on its loop.

    def admit(self, worker: Worker) -> None:
        """A worker is ready."""
        self.roster.admit(worker)

    def settle(self, worker: Worker) -> None:
        """A worker is gone: end its call, or take its idle slot out of service. May be repeated."""
        with self.roster.lock:
            call = worker.claim()
        if call:
            self._release(worker, call, self._obituary(worker, call), "killed", fit=False)
            return
        self.roster.strike_off(worker)

    def fail(self, why: StartupFailed) -> None:
        """Nobody is ready, and nobody will be soon."""
        self.shell.withhold(why)

    @property
    def working(self) -> bool:
        """Whether any slot is in service."""
        return self.roster.working

    # Decisions about a worker at the end of its call.

    def _release(
        self, worker: Worker, call: Call, outcome: Outcome, work: Work = "stopped", *, fit: bool
    ) -> None:
        fit, vacate = self.roster.put_back(worker, fit=fit)
        call.request = None  # the object store need keep it no longer
        self.shell.finish(call, outcome, work, vacate=vacate)
        if not fit:
            self.staff.stop(worker)
        if vacate:
            self.roster.promote()

    def _obituary(self, worker: Worker, call: Call) -> Outcome:
        if worker.verdict is not None:
            return worker.verdict
        if self._closed and call.error is None:
            closed = ServerClosed("the server was closed", started=True, work="killed")
            return Outcome(error=closed)
        lost = WorkerLost(
            f"the worker was lost while the job ran: {worker.cause}",
            elapsed=self.shell.clock.now() - call.arrived,
            started=True,
            work="killed",
        )
        return Outcome(error=lost)


def _undelivered(error: BaseException) -> PayloadError:
    """Return the error for what Ray could not bring: there, or back."""
    told = PayloadError(
        f"Ray could not carry the arguments or the result: {error}", started=True, work="stopped"
    )
    told.__cause__ = error
    return told


class Demand:
    """Rung when a stream's consumer asks for the next item."""

    __slots__ = ("_call", "_pool", "_worker")

    def __init__(self, pool: RayPool, worker: Worker, call: Call) -> None:
        self._pool = pool
        self._worker = worker
        self._call = call

    def ring(self) -> None:
        """Ask the worker."""
        if self._worker.call is self._call and self._worker.between:
            self._pool.send(self._worker, self._call, self._worker.ask_on)
