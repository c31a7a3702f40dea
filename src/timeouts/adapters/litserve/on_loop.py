"""The back half of APIs with `enable_async`: they stay in LitServe's worker, as tasks of its loop.

Law: what awaits is cancelled on expiry.

Cannot do: stop code that blocks the loop. The front half tells its client on time all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from inspect import isasyncgenfunction, isawaitable, iscoroutinefunction
from typing import Any

from timeouts.adapters.litserve.back import Back
from timeouts.adapters.litserve.chain import Context, called
from timeouts.adapters.litserve.guest import HTTPException
from timeouts.adapters.litserve.letter import Letter, opened
from timeouts.adapters.litserve.post import Backstage
from timeouts.adapters.litserve.told import LastItem, portable
from timeouts.errors import TimeoutsError


class LoopBack(Back):
    """For APIs whose `predict` is a coroutine function or an async generator."""

    def setup(self, device: Any) -> None:
        """Have `setup` called here, and put limits around `predict`."""
        api = self.restored()
        api.setup(device)
        self._decode, self._predict = api.decode_request, api.predict
        self._encode, self._format = api.encode_response, api.format_encoded_response
        api.decode_request = self.decode_request
        if api.stream:
            self._server = Backstage(self._produce, self.limits)
            api.predict = self.stream
            api.encode_response = self.encode_stream
            api.format_encoded_response = self.format_encoded_response
        else:
            self._server = Backstage(self._run, self.limits)
            api.predict = self.predict

    async def decode_request(self, request: Any, context: Context) -> Letter:
        """Stand in for `decode_request`: its result goes on in the letter."""
        letter = opened(request)
        return letter._replace(payload=await awaited(self._decode, letter.payload, context))

    async def predict(self, letter: Letter, context: Context) -> Any:
        """Stand in for `predict`."""
        try:
            return await self.server.acall(letter, context)
        except TimeoutsError as error:
            raise portable(error, self.statuses) from error

    async def stream(self, letter: Letter, context: Context) -> AsyncIterator[Any]:
        """Stand in for the `predict` of a stream."""
        try:
            async for item in self.server.acall(letter, context):
                yield item
        except TimeoutsError as error:
            raise portable(error, self.statuses) from error

    async def encode_stream(self, output: Any, context: Context) -> AsyncIterator[Any]:
        """Stand in for the `encode_response` of a stream, and end it so that the front half can tell why."""
        try:
            async for item in await awaited(self._encode, output, context):
                yield item
        except HTTPException as refused:
            yield self.last_item(refused)

    def format_encoded_response(self, item: Any) -> Any:
        """Stand in for `format_encoded_response`."""
        return item if isinstance(item, LastItem) else self._format(item)

    async def _run(self, letter: Letter, context: Context) -> Any:
        return await called(self._predict, letter.payload, context)

    async def _produce(self, letter: Letter, context: Context) -> AsyncIterator[Any]:
        async for item in called(self._predict, letter.payload, context):
            yield item


async def awaited(step: Callable[..., Any], value: Any, context: Context) -> Any:
    """Call a step of whatever kind, as LitServe's loop does: what is no coroutine function runs in a thread."""
    if iscoroutinefunction(step):
        return await called(step, value, context)
    if isasyncgenfunction(step):
        return called(step, value, context)
    made = await asyncio.to_thread(called, step, value, context)
    return await made if isawaitable(made) else made
