"""What runs in the worker process of ours: everything that LitServe's loop does with one request or batch.

The whole chain is here, and not predict alone, because decode_request, batch and encode_response
use what setup has made (a tokenizer, a device). The request crosses once, and its answer once.

Law: each step is called as LitServe's own loop calls it: with `context` if it has a parameter of that name.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import lru_cache
from inspect import signature
from multiprocessing import util
from typing import Any

from timeouts.adapters.litserve.guest import HTTPException, litserve
from timeouts.adapters.litserve.letter import Letter
from timeouts.workers import ProcessWorkers

Context = dict[str, Any]


def way_of(api: Any) -> str:
    """Return by which of the four ways below LitServe's worker answers the requests of a LitAPI.

    Raises:
        TypeError: it has a loop that is none of LitServe's own, and nobody knows what that does.
    """
    loops = litserve.loops
    ways = {
        loops.SingleLoop: "run",
        loops.BatchedLoop: "run_batch",
        loops.StreamingLoop: "stream",
        loops.BatchedStreamingLoop: "stream_batch",
    }
    kind = type(api.loop)
    if kind not in ways:
        known = ", ".join(loop.__name__ for loop in ways)
        raise TypeError(
            f"{type(api).__name__} has the loop {kind.__name__}, inside which nothing can be bounded; "
            f"loop must be left out, or one of {known}"
        )
    return ways[kind]


class Chain:
    """The steps of one LitAPI; pickled to the process in which they run.

    Args:
        api: the LitAPI, as its user made it.
        device: what LitServe gives to its setup.
    """

    def __init__(self, api: Any, device: Any) -> None:
        self._api = api
        self._device = device

    def workers(self, *, preload: bool, **options: Any) -> ProcessWorkers:
        """Return the worker processes in which the chain runs."""
        if preload:
            return ProcessWorkers(preload=self.set_up, setup=self.part_ways, **options)
        return ProcessWorkers(setup=self.set_up, **options)

    def set_up(self) -> None:
        """Do as LitServe's worker does before its first request."""
        self._api.setup(self._device)
        self._api.device = self._device

    def part_ways(self) -> None:
        """After a fork: open connections to LitServe's queues anew, or processes would share them."""
        util._run_after_forkers()  # type: ignore[attr-defined]  # noqa: SLF001 - as multiprocessing's own children do

    def run(self, letter: Letter, context: Context) -> Any:
        """Answer one request."""
        api = self._api
        with portable_refusals():
            x = called(api.decode_request, letter.payload, context)
            y = called(api.predict, x, context)
            return called(api.encode_response, y, context)

    def run_batch(self, letter: Letter, contexts: list[Context]) -> list[Any]:
        """Answer several requests at once."""
        api = self._api
        with portable_refusals():
            y = called(api.predict, self._batch(letter.payload, contexts), contexts)
            outputs = called(api.unbatch, y, contexts)
            if len(outputs) != len(contexts):
                raise ValueError(
                    f"predict and unbatch gave {len(outputs)} outputs for a batch of {len(contexts)}"
                )
            pairs = zip(outputs, contexts, strict=True)
            return [called(api.encode_response, output, context) for output, context in pairs]

    def stream(self, letter: Letter, context: Context) -> Iterator[Any]:
        """Answer one request item by item."""
        api = self._api
        with portable_refusals():
            x = called(api.decode_request, letter.payload, context)
            y = called(api.predict, x, context)
            for item in called(api.encode_response, y, context):
                yield api.format_encoded_response(item)

    def stream_batch(self, letter: Letter, contexts: list[Context]) -> Iterator[list[Any]]:
        """Answer several requests item by item, one for each at a time."""
        api = self._api
        with portable_refusals():
            y = called(api.predict, self._batch(letter.payload, contexts), contexts)
            unbatched = called(api.unbatch, y, contexts)
            for items in called(api.encode_response, unbatched, contexts):
                yield [api.format_encoded_response(item) for item in items]

    def _batch(self, payloads: list[Any], contexts: list[Context]) -> Any:
        api, pairs = self._api, zip(payloads, contexts, strict=True)
        inputs = [called(api.decode_request, payload, context) for payload, context in pairs]
        return called(api.batch, inputs, contexts)


def called(step: Callable[..., Any], value: Any, context: Context | list[Context]) -> Any:
    """Call a step, with the context if it asks for it."""
    asks = takes_context(getattr(step, "__func__", step))
    return step(value, context=context) if asks else step(value)


@lru_cache
def takes_context(step: Callable[..., Any]) -> bool:
    """Tell whether a function asks for the context; to look costs more than many a call."""
    return "context" in signature(step).parameters


@contextmanager
def portable_refusals() -> Generator[None]:
    """Let an HTTPException of the user's cross: it is pickled by its positional arguments alone."""
    try:
        yield
    except HTTPException as refused:
        raise HTTPException(refused.status_code, refused.detail) from refused
