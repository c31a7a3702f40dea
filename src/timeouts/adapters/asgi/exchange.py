"""One request in front of an application: it comes in, waits, runs, and is answered on time.

Three parties act, on one loop: this task, which is the server's own and answers; the application, in a
task of ours, which sends by itself while it is wanted; and, if an answer takes longer, a task that
watches for the client's leaving.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from timeouts.adapters.asgi.application import Unwanted
from timeouts.adapters.asgi.client import (
    DISCONNECT,
    BadRequest,
    Client,
    ClientGone,
    Message,
    Receive,
    Scope,
    Send,
)
from timeouts.adapters.asgi.response import BODY, PARTS, START, Response
from timeouts.adapters.asgi.waiting import outlast
from timeouts.adapters.headers import MalformedBudget, from_asgi
from timeouts.call import TAKEN, Call
from timeouts.current import SERVING, remaining
from timeouts.errors import TimeoutsError, Withdrawn
from timeouts.gate import LoopGate
from timeouts.http.problem import plain_problem, problem
from timeouts.http.timing import no_job, server_timing
from timeouts.job import RUNNING
from timeouts.observe.observer import logger
from timeouts.outcome import Outcome
from timeouts.stack import Stack

if TYPE_CHECKING:
    from timeouts.adapters.asgi.middleware import Timeouts


class Exchange(Call):
    """A request as a job."""

    __slots__ = ("_client", "_front", "_response", "afterwards")

    def __init__(
        self, front: Timeouts, stack: Stack, scope: Scope, receive: Receive, send: Send
    ) -> None:
        clock = front.clock
        now = clock.now()
        gate = LoopGate(asyncio.get_running_loop())
        messages = (scope, self.receive, self.send)
        Call.__init__(self, next(front.keys), front.app, messages, {}, gate, clock, math.inf, 0.0)
        self.arrived = now
        self.stack = stack
        if SERVING.get() is None:  # nested ones share a deadline, and would pile up on one stack
            self.eager = True
        else:
            self.deadline = now + remaining()
        self.afterwards: BaseException | None = None
        self._front = front
        self._client = Client(scope, receive, front.max_body, front.body_timeout)
        self._response = Response(send)

    # What the server's task does.

    async def serve(self) -> None:
        """See the request through to its answer."""
        shell = self._front.shell
        try:
            if self._front.reads_headers:
                self._read_headers()
            if self._client.begin() or await self._complete():
                shell.arrive(self)
                self.eager = False
            if self.outcome is None:
                await asyncio.sleep(0)  # many an application is done in its first step
            if self.outcome is None:
                await outlast(self, self._client, shell)
            await self._conclude()
        except ClientGone:
            pass
        except BadRequest as bad:
            timing = no_job(self.arrived, self.clock.now())
            await self._response.refuse(bad, self._client, timing)
        finally:
            self._leave()
            self._client.close()
            if self.task is not None:
                self._front.linger(self.task)

    def _read_headers(self) -> None:
        lookup = from_asgi(self.args[0]["headers"])
        self.priority, self.tenant = self._front.classes.read(lookup)
        try:
            budget = self._front.budgets.read(lookup)
        except MalformedBudget as wrong:
            raise BadRequest(plain_problem(400, str(wrong))) from None
        if budget is not None:
            self.deadline = min(self.deadline, self.arrived + budget)

    async def _complete(self) -> bool:
        """Wait for the rest of the body, unless that would be for nothing; return whether it was not.

        A caller's own budget goes on meanwhile: if it ends first, the job arrives with nothing left.
        """
        if self._front.shell.knock(self):
            return False
        whole = await self._client.complete(self.deadline - self.clock.now())
        self.arrived = self.clock.now() if whole else max(self.deadline, self.clock.now())
        return True

    def _leave(self) -> None:
        if self.outcome is None:
            self._front.shell.withdraw(self)

    async def _conclude(self) -> None:
        """Tell the client, unless the application has done so itself; raise what it has raised."""
        outcome, self.outcome = self.outcome, TAKEN
        error = None if outcome is None else outcome.error
        if isinstance(error, TimeoutsError):
            await self._tell(error)
            return
        if self.task is not None:
            await self._see_out(self.task)
        error, self.afterwards = error or self.afterwards, None
        if error is not None:
            try:
                Outcome(error=error).unwrap()
            finally:
                del error, outcome, self  # its traceback refers to this frame

    async def _see_out(self, task: asyncio.Task[None]) -> None:
        """Wait for what the application does after its response, as its server would."""
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            if self._front.stops:
                task.cancel()
            raise

    async def _tell(self, error: TimeoutsError) -> None:
        if isinstance(error, Withdrawn):
            return
        response, statuses = self._response, self._front.statuses
        if self.task is not None:  # a turn to stop, so that the answer can say whether it has
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await response.quiet()
        if statuses.of(error).http == 500:  # whose cause is not for callers
            logger.error("a request failed: %s", error, exc_info=error)
        if response.started:
            await response.break_off(error, statuses)
        else:
            await response.answer(problem(error, statuses), self._timing())

    def _timing(self) -> str:
        return server_timing(self.arrived, self.started, self.clock.now())

    # What the application does.

    async def receive(self) -> Message:
        """ASGI's: give the body that is here, and then wait for the client to leave."""
        client = self._client
        if client.body:
            return client.body.popleft()
        if self.phase is RUNNING:
            client.watch(self._leave)
            await client.gone()
        return DISCONNECT

    async def send(self, message: Message) -> None:
        """ASGI's: pass on what is still wanted."""
        response, kind = self._response, message["type"]
        if self.phase is not RUNNING:
            await self._send_late(message)
        elif kind == START:
            response.hold(message)
        elif kind not in PARTS:
            await response.pass_by(message)
        elif response.is_last(message):
            self.ended = True
            self._front.shell.finish(self, Outcome())
            if self.error is not None:
                self._refuse()
            else:
                await response.pass_on(message, self._timing)
        elif kind != BODY or message.get("body") or not message.get("more_body", False):
            await self._send_item(message)
        elif not response.held:  # an empty chunk is no item, and brings out no head
            await response.pass_by(message)

    async def _send_item(self, message: Message) -> None:
        shell = self._front.shell
        if not shell.progress(self):
            self._refuse()
            return
        await self._response.pass_on(message, self._timing)
        armed = self.armed
        shell.resume(self)
        if self.expires < armed:
            self.rearm()

    async def _send_late(self, message: Message) -> None:
        if self.error is not None:
            self._refuse()
        else:
            await self._response.pass_by(message)  # after its end; the server will complain

    def _refuse(self) -> None:
        """Stop an application that may be stopped; one that may not is to notice nothing."""
        if self._front.stops:
            raise Unwanted("the client has been answered already, or has left")
