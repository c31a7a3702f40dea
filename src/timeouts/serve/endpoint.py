"""One handler behind HTTP: a request is read, becomes a job, and is answered on time.

Laws:
- A fault of the request (400, 408, 413, 415, 422) is told before a job arrives, and counts as none.
- A client that disconnects withdraws its job at once, whether it waits or runs.
- What a handler raises is logged with its traceback, and its client is told only that it failed.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from timeouts.adapters.asgi.client import BadRequest, Client, ClientGone, Receive, Scope, Send
from timeouts.adapters.asgi.response import BODY, START, Response
from timeouts.adapters.asgi.waiting import outlast
from timeouts.adapters.classes import ServiceClass
from timeouts.adapters.headers import Lookup, MalformedBudget, from_asgi
from timeouts.call import NOTHING, TAKEN, Call
from timeouts.errors import TimeoutsError, Withdrawn
from timeouts.http import events
from timeouts.http.problem import Answer, plain_problem, problem
from timeouts.http.timing import no_job, server_timing
from timeouts.observe.observer import logger
from timeouts.outcome import Outcome
from timeouts.serve import payload
from timeouts.serve.parameters import Invalid
from timeouts.serve.plan import Plan, Served
from timeouts.server import Server

Arguments = tuple[list[Any], dict[str, Any]]
NO_ARGUMENTS: Arguments = [], {}
FAILED = plain_problem(500, "the handler failed; its error is in the server's log")
_STREAM_HEAD = [
    (b"content-type", events.MEDIA_TYPE.encode()),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would collect the events before it passes them on
]


class Endpoint:
    """Serves one route, as an ASGI application."""

    def __init__(self, served: Served, server: Server, plan: Plan) -> None:
        self.parameters = served.parameters
        self.served = served
        self.server = server
        self._function = served.handler.function
        self._answer = self._stream if served.handler.is_stream else self._respond
        self._budgets = plan.budgets
        self._classes = plan.classes
        self.statuses = plan.statuses
        self._body_timeout: float = plan.options["body_timeout"].value
        self._max_body: float = plan.options["max_body"].value

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = Response(send)
        client = Client(scope, receive, self._max_body, self._body_timeout)
        clock = self.server.shell.clock
        seen = clock.now()
        try:
            call = await self._read(scope, client, seen)
        except BadRequest as bad:
            await response.refuse(bad, client, no_job(seen, clock.now()))
        except ClientGone:
            pass
        except Exception:  # noqa: BLE001 - a validator of the user's, or what cannot be sent to a worker
            logger.exception("a request to %s could not be read", self.served.path)
            await response.answer(FAILED, no_job(seen, clock.now()))
        else:
            await self._serve(call, client, response, scope)
        finally:
            client.close()

    async def _read(self, scope: Scope, client: Client, seen: float) -> Call:
        """Make a job of a request; it has yet to arrive, unless it was refused before its body was read."""
        if scope["method"] != "POST":
            refusal = plain_problem(405, f"{scope['path']} takes POST; got {scope['method']}")
            raise BadRequest(refusal._replace(headers=[*refusal.headers, ("Allow", "POST")]))
        lookup = from_asgi(scope["headers"])
        deadline = seen + self._budget(lookup)
        asked = self._classes.read(lookup)
        if client.begin():
            return self._call(self._arguments(scope, client), deadline, asked)
        at_the_door = self._call(NO_ARGUMENTS, deadline, asked)
        if self.server.shell.knock(at_the_door):
            return at_the_door
        if await client.complete(deadline - seen):
            return self._call(self._arguments(scope, client), deadline, asked)
        return self._call(NO_ARGUMENTS, deadline, asked)  # never starts: its budget has ended

    def _call(self, arguments: Arguments, deadline: float, asked: ServiceClass) -> Call:
        call = self.server.callers.awaited(self._function, *arguments, None, *asked)
        call.deadline = min(call.deadline, deadline)
        return call

    def _arguments(self, scope: Scope, client: Client) -> Arguments:
        body = b"".join([message.get("body", b"") for message in client.body])
        try:
            return payload.read(self.parameters, header(scope, b"content-type"), body)
        except payload.UnknownMediaType as unknown:
            raise BadRequest(plain_problem(415, str(unknown))) from None
        except Invalid as wrong:
            raise BadRequest(plain_problem(422, str(wrong), errors=wrong.faults)) from None

    def _budget(self, lookup: Lookup) -> float:
        try:
            budget = self._budgets.read(lookup)
        except MalformedBudget as wrong:
            raise BadRequest(plain_problem(400, str(wrong))) from None
        return math.inf if budget is None else budget

    async def _serve(self, call: Call, client: Client, response: Response, scope: Scope) -> None:
        shell = self.server.shell
        try:
            if call.outcome is None:
                shell.arrive(call)
            call.eager = False
            await outlast(call, client, shell)
            await self._answer(call, response, scope)
        finally:
            if call.outcome is None:
                shell.withdraw(call)

    async def _respond(self, call: Call, response: Response, scope: Scope) -> None:
        outcome = _taken(call)
        error = outcome.error
        if error is None:
            try:
                body = payload.write(outcome.value, header(scope, b"accept"))
            except Exception as why:  # noqa: BLE001 - whatever a result makes of being written
                error = why
            else:
                await response.answer(_whole(body), self._timing(call))
        if error is not None:
            await self._tell(error, call, response)

    async def _stream(self, call: Call, response: Response, _: Scope) -> None:
        """Send items as they come; the head goes out with the first."""
        shell, timing = self.server.shell, partial(self._timing, call)
        response.hold({"type": START, "status": 200, "headers": _STREAM_HEAD})
        while call.item is not NOTHING:
            try:
                item = payload.as_json(call.take_item())
            except Exception as why:  # noqa: BLE001 - as above
                await self._tell(why, call, response)
                return
            part = {"type": BODY, "body": b"data: " + item + b"\n\n", "more_body": True}
            await response.pass_on(part, timing)
            shell.resume(call)
            await shell.wait_async(call)
        error = _taken(call).error
        if error is None:
            await response.pass_on({"type": BODY}, timing)
        else:
            await self._tell(error, call, response)

    async def _tell(self, error: BaseException, call: Call, response: Response) -> None:
        """Tell an error, which may be any that a handler raises: `SystemExit`, too."""
        if isinstance(error, Withdrawn):
            return
        if self.statuses.of(error).http == FAILED.status:
            logger.error("%r failed: %s", call, error, exc_info=error)
        if not isinstance(error, TimeoutsError):
            await self._fail(call, response)
        elif response.started:
            await response.break_off(error, self.statuses)
        else:
            await response.answer(problem(error, self.statuses), self._timing(call))

    async def _fail(self, call: Call, response: Response) -> None:
        if response.started:
            await response.pass_on({"type": BODY, "body": _FAILED_EVENT}, str)
        else:
            await response.answer(FAILED, self._timing(call))

    def _timing(self, call: Call) -> str:
        return server_timing(call.arrived, call.started, call.clock.now())


_FAILED_EVENT = b"event: error\ndata: " + FAILED.body + b"\n\n"


def _taken(call: Call) -> Outcome:
    """Take the outcome of an answered call, without raising it: nobody here could catch a `SystemExit`."""
    outcome, call.outcome = call.outcome, TAKEN
    return TAKEN if outcome is None else outcome


def _whole(body: payload.Body) -> Answer:
    size = str(len(body.content))
    return Answer(200, [("Content-Type", body.media_type), ("Content-Length", size)], body.content)


def header(scope: Scope, name: bytes) -> str:
    """Return a header of a request, or an empty string."""
    for key, value in scope["headers"]:
        if key == name:
            text: str = value.decode("latin-1")
            return text
    return ""
