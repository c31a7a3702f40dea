"""What is sent to an executor: the function of a job, with the job that it serves.

Law: where it is pickled it is the function and nothing of ours, so that a worker elsewhere needs neither
the job nor this library.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from threading import get_ident
from typing import Any

from timeouts.call import Call
from timeouts.current import SERVING, checkpoint


class Carried:
    """The function of a job; called in this process, it runs in the context of the job's caller.

    There `remaining` and `checkpoint` speak of the job.
    """

    __slots__ = ("_call",)

    def __init__(self, call: Call) -> None:
        self._call = call

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Run the function, unless its caller has been answered already."""
        call = self._call
        try:
            return call.take_context().run(_serve, call, args, kwargs)
        finally:
            del self, call  # an error's traceback keeps this frame, and the call keeps the error

    def __reduce__(self) -> tuple[Any, ...]:
        """Become what is called elsewhere."""
        return functools.partial, (self._call.function,)

    def __repr__(self) -> str:
        """Show the function: executors name a call by it."""
        return repr(self._call.function)


def _serve(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    SERVING.set(call)
    call.thread = get_ident()
    try:
        checkpoint()
        return call.function(*args, **kwargs)
    finally:
        del call
