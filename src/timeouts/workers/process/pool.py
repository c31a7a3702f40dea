"""A pool of worker processes: who serves which call, and who is told what.

Laws:
- A slot is free only when its worker is idle again, or is dead and buried.
- On the happy path of `call` and `acall` nobody but the caller and the worker is involved.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from typing import TYPE_CHECKING, Any

from timeouts.call import Call
from timeouts.clock import MONOTONIC
from timeouts.errors import (
    PayloadError,
    ServerClosed,
    ShuttingDown,
    StartupFailed,
    Withdrawn,
    Work,
    WorkerLost,
)
from timeouts.gate import Gate, LoopGate
from timeouts.handler import Handler
from timeouts.outcome import Outcome
from timeouts.workers.base import Shell
from timeouts.workers.loop_thread import running_loop
from timeouts.workers.process import answers
from timeouts.workers.process.channel import Worker
from timeouts.workers.process.charter import Charter
from timeouts.workers.process.frames import ITEM, RETIRE, VALUE, Frame
from timeouts.workers.process.gates import WireGate, WireLoopGate
from timeouts.workers.process.parcel import Unsendable, pack
from timeouts.workers.process.post import light
from timeouts.workers.process.staff import Staff
from timeouts.workers.roster import Roster

if TYPE_CHECKING:
    from timeouts.workers.process.kind import ProcessWorkers


class ProcessPool:
    """Gives calls to workers, and takes their answers."""

    def __init__(self, shell: Shell, handler: Handler, slots: int, kind: ProcessWorkers) -> None:
        self.shell = shell
        self.slots = slots
        self.kind = kind
        self.handler = handler
        self._is_stream = handler.is_stream
        self.blocking_gate: Any = Gate
        self.loop_gate: Any = LoopGate
        if shell.clock is MONOTONIC:  # on another clock, nobody can wait for it and for a channel
            self.blocking_gate = functools.partial(WireGate, self)
            self.loop_gate = functools.partial(WireLoopGate, self)
        self.roster: Roster[Worker] = Roster(shell, slots)
        self._staff: Staff | None = None
        self._opening = threading.Lock()
        self._closed = False

    # What callers and the shell ask for.

    def open(self) -> None:
        """Start the workers, if that has not been done; does not wait for them.

        Raises:
            TypeError: the handler or what prepares it cannot be sent to another process.
            RuntimeError: this process is itself only just importing what it is to run.
        """
        with self._opening:
            if self._staff is None and not self._closed:
                kind = self.kind
                charter = Charter(
                    self.handler.function, kind.setup, kind.preload, self.shell.core.stack
                )
                self._staff = Staff(self, charter)

    def pack(self, call: Call) -> None:
        """Write down what a call is to send, in its caller's thread and before it arrives.

        Raises:
            PayloadError: it cannot be pickled.
        """
        if self._staff is None:
            self.open()
        function = None if call.function is self.handler.function else call.function
        try:
            call.request = light(pack((function, call.args, call.kwargs)))
        except Unsendable as why:
            raise PayloadError(
                f"the arguments of {self.handler.name} cannot be sent to a worker process: {why}"
            ) from why.__cause__

    def start(self, call: Call) -> None:
        """Send the call to an idle worker; its caller then listens to that worker."""
        worker = self.roster.take(call)  # `cancel` either finds it, or comes before this
        if worker is None:  # answered before its work began
            self.shell.finish(call, Outcome(error=call.error))
            return
        if self._is_stream:
            call.demand = Demand(worker, call)
        offer = getattr(call.gate, "offer", None)
        worker.watching = offer is None
        try:
            worker.ask(call)
        except OSError:  # it has just died: whoever buries it answers the call
            worker.unasked = True
            self.staff.post(self.staff.stop, worker)
        except Exception as why:  # noqa: BLE001 - no memory for the arguments, say
            worker.asking = False
            if worker.claim():
                lost = PayloadError(f"the arguments could not be sent: {type(why).__name__}: {why}")
                lost.__cause__ = why
                self._release(worker, call, Outcome(error=lost))
            return
        worker.asking = False
        if offer is not None:
            offer(worker)
        elif not worker.watched:
            self.staff.post(self.staff.watch, worker)
        if worker.gone:
            self.staff.post(self.settle, worker)

    def hear(self, worker: Worker, frames: list[Frame]) -> None:
        """Take what a worker has said; in the thread of whoever listens to it."""
        for kind, number, body in frames:
            call = worker.call
            if call is None or call.key != number:
                continue
            if kind == ITEM:
                self._take_item(worker, call, body)
            elif worker.claim():
                outcome = answers.read(worker.post, kind & ~RETIRE == VALUE, body)
                self._release(worker, call, outcome, fit=not kind & RETIRE)
                worker.end_farewell()

    def cancel(self, call: Call) -> None:
        """Stop a call's work; gently, if its stream has no consumer any more, or none that waits."""
        with self.roster.lock:
            worker = self.roster.serving(call)
            gently = (
                worker is not None
                and self._is_stream
                and (worker.between or isinstance(call.error, Withdrawn))
            )
            if worker is not None and gently:
                worker.watching = True
        if gently:
            self.staff.post(self.staff.say_farewell, worker, call)
        else:
            self.condemn(call)

    def condemn(self, call: Call) -> None:
        """Have the worker of a call stopped, if it still serves it."""
        now = self.shell.clock.now()
        with self.roster.lock:
            worker = self.roster.serving(call)
            if worker is None:
                return
            worker.condemned = True
        worker.hang_up()
        self.staff.post(self.staff.stop, worker, call, now)

    def settle_in(self, loop: asyncio.AbstractEventLoop) -> None:
        """Nothing: processes need no loop of the user's."""

    def close(self) -> None:
        """Kill all processes."""
        with self._opening:
            self._closed = True
        if self._staff is not None:
            if loop := running_loop():
                self._staff.let_go(loop)
            self._staff.close()

    def forget(self) -> None:
        """Leave everything to the parent of this process, which is a fork of the server."""
        if self._staff is not None:
            self._staff.forget()

    @property
    def quiet(self) -> bool:
        """Whether no process of this pool is left."""
        return self._staff is None or self._staff.ended

    @property
    def staff(self) -> Staff:
        """The life of the workers; there is one once there are calls."""
        assert self._staff is not None  # noqa: S101 - `pack` comes before everything
        return self._staff

    # What the staff tells, on its own loop.

    def admit(self, worker: Worker) -> None:
        """A worker is ready."""
        self.roster.admit(worker)

    def settle(self, worker: Worker) -> None:
        """A worker is gone: end its call, or take its idle slot out of service. May be repeated."""
        if worker.asking:  # whoever does comes back here, and knows then whether it was asked
            return
        if call := worker.claim():
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
        self,
        worker: Worker,
        call: Call,
        outcome: Outcome,
        work: Work = "stopped",
        *,
        fit: bool = True,
    ) -> None:
        fit, vacate = self.roster.put_back(worker, fit=fit)
        self.shell.finish(call, outcome, work, vacate=vacate)
        if not fit and not worker.gone:
            self.staff.post(self.staff.retire, worker)
        elif fit and worker.gone:
            self.staff.post(self.settle, worker)
        if vacate:
            self.staff.post(self.roster.promote)

    def _take_item(self, worker: Worker, call: Call, body: bytes) -> None:
        item = answers.read(worker.post, True, body, "an item")
        if item.error is not None:
            worker.verdict = item
            self.condemn(call)
            return
        worker.between = True
        self.shell.deliver(call, item.value)

    def _obituary(self, worker: Worker, call: Call) -> Outcome:
        if worker.verdict is not None:
            return worker.verdict
        started = not worker.unasked
        work: Work = "killed" if started else "never started"
        if self._closed and call.error is None:
            closed = ServerClosed if started else ShuttingDown
            return Outcome(error=closed("the server was closed", started=started, work=work))
        lost = WorkerLost(
            f"the worker died while the job ran: {worker.cause}",
            elapsed=self.shell.clock.now() - call.arrived,
            started=started,
            work=work,
        )
        return Outcome(error=lost)


class Demand:
    """Rung when a stream's consumer asks for the next item."""

    __slots__ = ("_call", "_worker")

    def __init__(self, worker: Worker, call: Call) -> None:
        self._worker = worker
        self._call = call

    def ring(self) -> None:
        """Ask the worker."""
        if self._worker.call is self._call and self._worker.between:
            self._worker.ask_on(self._call)


__all__ = ["Demand", "ProcessPool"]
