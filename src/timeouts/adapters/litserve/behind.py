"""Putting the back half on a LitAPI, and refusing one that makes no sense there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from timeouts.adapters.litserve.back import Back, ProcessBack, back_of
from timeouts.adapters.litserve.on_loop import LoopBack
from timeouts.handler import handler_of
from timeouts.options import checked_limits
from timeouts.stack import Stack
from timeouts.workers.base import refuse_soft_limits


def checked_stack(api: Any, limits: object, workers: Mapping[str, Any]) -> Stack:
    """Return the stack that an API can be under.

    Raises:
        TypeError, ValueError: it cannot; the message says why.
    """
    if back_of(api) is not None:
        raise ValueError(f"{named(api)} has limits already: apply them once")
    stack = checked_limits(limits, handler_of(api.predict))
    if api.enable_async:
        refuse_soft_limits(stack, "task")
        if workers["spares"] or workers["preload"]:
            raise ValueError(
                f"spares and preload are for processes, but {named(api)} has enable_async and stays in "
                "LitServe's worker: leave them out, or apply limits to the other APIs by themselves"
            )
    return stack


def put_behind(api: Any, stack: Stack, workers: Mapping[str, Any]) -> Back:
    """Put the back half on an API that has been checked."""
    return LoopBack(api, stack) if api.enable_async else ProcessBack(api, stack, **workers)


def named(api: Any) -> str:
    """Say which API it is."""
    return f"{type(api).__name__} at {api.api_path}"
