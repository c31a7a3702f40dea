"""An error of ours on its way out of LitServe's worker, through what LitServe itself lets pass.

Laws:
- What LitServe would hide arrives whole: it passes on the status and the detail of an HTTPException,
  and the items of a stream. So an error rides in a detail, or as the last item.
- Where no front half unpacks it, a detail reads as a problem document.
- A bug of the handler's own looks as it does in LitServe alone: a 500, and a traceback in the log.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

from timeouts.adapters.asgi.client import ASGIApp, Receive, Scope, Send
from timeouts.adapters.litserve.guest import HTTPException
from timeouts.errors import TimeoutsError
from timeouts.http.problem import details
from timeouts.statuses import Statuses


class Detail(dict[str, Any]):
    """The detail of an HTTPException; `error` is what it tells."""

    def __init__(self, error: TimeoutsError, statuses: Statuses) -> None:
        super().__init__(details(error, statuses))
        self.error = error


class LastItem(str):
    """The last item of a stream that was broken off; `error` says why."""

    __slots__ = ("error",)

    error: TimeoutsError

    @classmethod
    def of(cls, error: TimeoutsError) -> LastItem:
        """Make one."""
        item = cls()
        item.error = error
        return item


class BrokenOff(Exception):
    """What ends a response that has begun.

    Not the error itself: that is an OSError, which Starlette takes for a client that has left.
    """

    def __init__(self, error: TimeoutsError) -> None:
        super().__init__(str(error))
        self.error = error


def portable(error: TimeoutsError, statuses: Statuses) -> Exception:
    """Return what LitServe's worker is to raise for an error."""
    status = statuses.of(error).http
    return error if status == 500 else HTTPException(status, Detail(error, statuses))


def unpacked(refused: HTTPException) -> Exception:
    """Return the error that an HTTPException carries, or itself."""
    detail: Any = refused.detail
    return detail.error if isinstance(detail, Detail) else refused


async def honest(items: AsyncIterable[Any]) -> AsyncIterator[Any]:
    """Pass on a stream; one whose last item is an error raises it, when LitServe is done with it."""
    error = None
    async for item in items:
        if isinstance(item, LastItem):
            error = item.error
        else:
            yield item
    if error is not None:
        raise BrokenOff(error)


def outspoken(app: ASGIApp) -> ASGIApp:
    """Return an application that raises errors of ours as themselves."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except BrokenOff as end:
            raise end.error from None

    return serve
