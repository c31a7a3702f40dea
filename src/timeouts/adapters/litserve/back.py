"""The back half, in LitServe's worker: it stands in for a LitAPI, whose own methods run in a process of ours.

Only `setup` is replaced from the beginning, on the instance; the others when the worker has called
it. So whatever LitServe reads off a LitAPI when a server is made (signatures, generators, annotations) is
the user's own.

Laws:
- The model is where it can be stopped: LitServe's worker has none, and outlives every predict.
- Reply is not release: where a front half has told the client on time, LitServe's worker takes its next
  request only when there is a process to run it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

from timeouts.adapters.litserve.chain import Chain, Context, way_of
from timeouts.adapters.litserve.guest import HTTPException
from timeouts.adapters.litserve.letter import Letter, bundled, opened
from timeouts.adapters.litserve.post import Backstage
from timeouts.adapters.litserve.told import LastItem, portable, unpacked
from timeouts.errors import TimeoutsError
from timeouts.gate import Gate
from timeouts.stack import Stack
from timeouts.statuses import STATUSES, Statuses

PASSED_BY = ("decode_request", "batch", "unbatch", "encode_response", "format_encoded_response")
"""What has been done in our process already, or will be."""


class Back:
    """What both kinds of back half share: it is put on a LitAPI, pickled with it, and unfolds in `setup`.

    Attributes:
        limits: what the API is under.
        fronted: whether a front half answers its clients.
        statuses: the table of codes.
    """

    def __init__(self, api: Any, limits: Stack) -> None:
        self.limits = limits
        self.fronted = False
        self.statuses: Statuses = STATUSES
        self._api = api
        self._own = vars(api).get("setup")
        self._server: Backstage | None = None
        api.setup = self.setup

    def setup(self, device: Any) -> None:
        """Stand in for `setup`, which LitServe calls in its worker."""
        raise NotImplementedError

    @property
    def server(self) -> Backstage:
        """What runs the work, once there was a `setup`."""
        assert self._server is not None  # noqa: S101 - LitServe calls nothing else before it
        return self._server

    def restored(self) -> Any:
        """Give the API its own `setup` back."""
        del self._api.setup
        if self._own is not None:
            self._api.setup = self._own
        return self._api

    def last_item(self, refused: HTTPException) -> Any:
        """Return what ends a stream so that the front half can tell why.

        Raises:
            HTTPException: it is the user's own, or nobody is there who would understand an item: LitServe
                then ends the stream as it does, or its spec tells it.
        """
        error = unpacked(refused)
        if self.fronted and self._api.spec is None and isinstance(error, TimeoutsError):
            return LastItem.of(error)
        raise refused


def back_of(api: Any) -> Back | None:
    """Return the back half that was put on a LitAPI."""
    owner = getattr(api.setup, "__self__", None)
    return owner if isinstance(owner, Back) else None


class ProcessBack(Back):
    """For APIs whose methods are plain functions; `workers` are the options of our processes."""

    def __init__(self, api: Any, limits: Stack, **workers: Any) -> None:
        super().__init__(api, limits)
        self.workers = workers

    def setup(self, device: Any) -> None:
        """Start the process in which the chain runs, and have `setup` called there.

        Raises:
            StartupFailed: it failed, or was not done in time.
        """
        api = self.restored()
        chain, way = Chain(api, device), way_of(api)
        workers = chain.workers(**self.workers)
        handler = getattr(chain, way)
        self._server = Backstage(handler, self.limits, slots=1, workers=workers).start()
        api.predict = getattr(self, way)
        for step in PASSED_BY:
            setattr(api, step, _as_it_is)

    def run(self, request: Any, context: Context) -> Any:
        """Stand in for `predict`."""
        with self._telling():
            return self.server.call(opened(request), context)

    def run_batch(self, requests: list[Any], context: list[Context]) -> Any:
        """Stand in for the `predict` of a batch."""
        with self._telling():
            return self.server.call(bundled(requests), context)

    def stream(self, request: Any, context: Context) -> Iterator[Any]:
        """Stand in for the `predict` of a stream."""
        try:
            yield from self._items(opened(request), context)
        except HTTPException as refused:
            yield self.last_item(refused)

    def stream_batch(self, requests: list[Any], context: list[Context]) -> Iterator[list[Any]]:
        """Stand in for the `predict` of a batch of streams."""
        try:
            yield from self._items(bundled(requests), context)
        except HTTPException as refused:
            yield [self.last_item(refused)] * len(requests)

    def _items(self, letter: Letter, context: Any) -> Iterator[Any]:
        with self._telling():
            yield from self.server.call(letter, context)

    @contextmanager
    def _telling(self) -> Generator[None]:
        try:
            yield
        except TimeoutsError as error:
            if self.fronted:
                self._wait_for_a_process()
            raise portable(error, self.statuses) from error

    def _wait_for_a_process(self) -> None:
        """Wait until one is ready, or it is known that none will be."""
        shell, gate = self.server.shell, Gate()
        core = shell.core
        with shell.watching(gate):
            while not shell.read(lambda: core.free or core.withheld):
                gate.wait()


def _as_it_is(value: Any) -> Any:
    return value
