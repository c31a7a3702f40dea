"""Where an actor serves its calls: one at a time, each answered whatever comes of it.

Laws:
- Every question gets one answer, whatever the handler does that leaves the process alive.
- A stream is produced item by item, each when it is asked for; what is said to a stream that has ended
  concerns nobody.
- Time comes as durations: another machine has another clock.
"""

from __future__ import annotations

import contextlib
import math
import traceback
from collections.abc import Callable
from typing import Any, TypeAlias

from timeouts import soft
from timeouts.current import SERVING
from timeouts.handler import handler_of
from timeouts.job import DONE
from timeouts.soft import SoftTimeout
from timeouts.workers.process import answers, around
from timeouts.workers.process.charter import Charter, bare
from timeouts.workers.process.child.worker import Served, _set_up, _soft_error
from timeouts.workers.process.parcel import Unsendable
from timeouts.workers.ray import guest
from timeouts.workers.ray.guest import ray
from timeouts.workers.ray.letters import Letter, seal, unseal

VALUE, ERROR, ITEM, NOTHING = b"v", b"e", b"i", b"-"
Answer: TypeAlias = tuple[bytes, Letter]
_Step: TypeAlias = Callable[[], tuple[bytes, Any]]


class Desk:
    """Serves the calls of one actor."""

    def __init__(self) -> None:
        self._told: Any = None
        self._is_stream = False
        self._key = 0
        self._items: Any = None
        self._served: Any = None
        self._leave: Callable[[], None] | None = None

    def set_up(self, number: int, charter: Letter) -> str | None:
        """Get ready to serve; return what went wrong."""
        try:
            with guest.settling_in():
                handler, setup, limits = unseal(charter)
            self._told = Charter(bare(handler), setup, None, limits)
            self._is_stream = handler_of(self._told.handler).is_stream
            if setup is not None:
                _set_up(setup, number)
        except BaseException:  # noqa: BLE001 - whatever it is, the server is told
            return traceback.format_exc()[-32768:]
        return None

    def serve(  # noqa: PLR0917 - what is told of a call
        self,
        key: int,
        left: float,
        age: float,
        learned: float,
        limits: Letter | None,
        entered: bytes | None,
        request: Letter,
    ) -> Answer:
        """Run the handler, to its end or to a stream's first item.

        Args:
            key: which call it is.
            left: seconds left of the caller's budget.
            age: seconds since the call came.
            learned: seconds after which it is best stopped, as far as that is known.
            limits: those that it is under, if they are not those of the call before.
            entered: a pickled context manager to enter around the handler.
            request: function, args and kwargs.
        """
        self._key = key
        if limits is not None:
            self._told = self._told._replace(limits=unseal(limits))
        self._served = Served(self._told, left, age, learned)
        self._leave = None if entered is None else around.enter(entered)
        return self._step(lambda: self._begin(request))

    def proceed(self, key: int) -> Answer:
        """Produce the next item of a stream."""
        if not self._is_on(key):
            return NOTHING, b""
        self._served.go_on()
        return self._step(self._next)

    def leave(self, key: int) -> Answer:
        """Close a stream: nobody wants more of it."""
        return self._step(self._close) if self._is_on(key) else (NOTHING, b"")

    def _is_on(self, key: int) -> bool:
        return self._items is not None and self._key == key

    def _begin(self, request: Letter) -> tuple[bytes, Any]:
        function, args, kwargs = unseal(request)
        function = self._told.handler if function is None else bare(function)
        made = function(*args, **kwargs)
        if not self._is_stream:
            return VALUE, made
        self._items = made
        return self._next()

    def _next(self) -> tuple[bytes, Any]:
        try:
            return ITEM, next(self._items)
        except StopIteration as end:
            return VALUE, end.value

    def _close(self) -> tuple[bytes, Any]:
        self._items.close()
        return VALUE, None

    def _step(self, run: _Step) -> Answer:
        """Go on with the present call; say what came of it, whatever that is."""
        token = SERVING.set(self._served)
        kind = ERROR
        try:
            try:
                kind, value = self._limited(run)
                return kind, seal(value)
            except Unsendable as why:
                kind = ERROR
                return kind, _failure(why, f"the result of the handler cannot be sent back: {why}")
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the caller's
            kind = ERROR
            return kind, _failure(error, None)
        finally:
            if kind is not ITEM:
                self._end()
            SERVING.reset(token)

    def _limited(self, run: _Step) -> tuple[bytes, Any]:
        """Run under the soft limit, if there is one."""
        limits, served = self._told.limits, self._served
        if all(getattr(policy, "soft", math.inf) == math.inf for policy in limits.policies):
            return run()
        instant, policy = limits.soft_limit(served.job)
        try:
            return soft.within(instant - served.clock.now(), run)
        except SoftTimeout as error:
            raise _soft_error(served, policy) from error

    def _end(self) -> None:
        """Leave nothing of the call."""
        items, self._items = self._items, None
        with contextlib.suppress(BaseException):
            if items is not None:  # an item could not be sent; else it has ended by itself
                items.close()
        self._served.phase = DONE  # for what outlives the call and still looks at it
        if self._leave is not None:
            self._leave()
            self._leave = None


def _failure(error: BaseException, message: str | None) -> Letter:
    """Write an error so that it can be told even if it cannot be sent, or not be rebuilt."""
    text = "".join(traceback.format_exception(error))
    name = f"{type(error).__module__}.{type(error).__qualname__}"
    said = message or f"{name}: {answers.message(error)}"
    whole = None
    if message is None:
        with contextlib.suppress(Exception):
            whole = ray.cloudpickle.dumps(error)
    return seal((whole, said, text))
