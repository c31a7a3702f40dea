"""One process that serves: uvicorn, and what signals do to it.

Laws:
- SIGTERM and SIGINT drain: what waits and runs may end within the drain limit, what comes meanwhile, and
  what is left then, gets 503 with a `Retry-After`. The second one stops at once.
- SIGHUP reads limits again, and drops no job.
- No child process outlives the server.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial

import uvicorn

from timeouts.adapters.asgi.client import ASGIApp
from timeouts.observe.observer import logger
from timeouts.serve.connection import Connection
from timeouts.serve.gateway import Gateway

GRACE = 5  # seconds for answers that are being written when the drain is over
BACKLOG = 2048
KEEP_ALIVE = (
    75  # seconds: longer than nginx's 60, because who closes first should be the proxy in front
)


class Runner(uvicorn.Server):
    """Serves a gateway until it is told to stop.

    Args:
        app: the application around the gateway.
        gateway: what is drained and closed.
        reload: what SIGHUP calls.
        access_log: whether each request is logged.
    """

    def __init__(
        self, app: ASGIApp, gateway: Gateway, reload: Callable[[], None], *, access_log: bool
    ) -> None:
        options = gateway.plan.options
        super().__init__(
            uvicorn.Config(
                app,
                host=options["host"].value,
                port=options["port"].value,
                http=partial(  # type: ignore[arg-type]  # any maker of protocols will do
                    Connection,
                    request_timeout=options["body_timeout"].value,
                    write_timeout=options["write_timeout"].value,
                ),
                ws="none",
                log_config=None,
                access_log=access_log,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=GRACE,
            )
        )
        self._gateway = gateway
        self._reload = reload
        self._draining: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say where."""
        try:
            await super().startup(sockets)
        except SystemExit:  # uvicorn has logged why, but not where
            logger.error("cannot serve at %s port %s", self.config.host, self.config.port)
            raise
        for server in self.servers:
            for listening in server.sockets:
                host, port = listening.getsockname()[:2]
                where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
                for path in self._gateway.servers:
                    logger.info("serving http://%s%s", where, path)
        self._readying = asyncio.create_task(self._gateway.ready())
        gc.collect()
        gc.freeze()  # a full round over all that was imported takes some 18 ms, and answers are late by it

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what is left; after a second signal, too, or the application would end by a traceback."""
        await super().shutdown(sockets)
        if self.force_exit:
            await self.lifespan.shutdown()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Take signals on the event loop, where draining is a task like any other."""
        loop = asyncio.get_running_loop()
        acts = {signal.SIGTERM: self.stop, signal.SIGINT: self.stop, signal.SIGHUP: self._reload}
        for number, act in acts.items():
            loop.add_signal_handler(number, act)
        try:
            yield
        finally:
            for number in acts:
                loop.remove_signal_handler(number)

    def stop(self) -> None:
        """Drain; the second time, stop at once."""
        if self._draining is None:
            logger.info("draining; a second signal stops at once")
            self._draining = asyncio.create_task(self._drain())
            return
        self._gateway.close()
        self.should_exit = self.force_exit = True

    async def _drain(self) -> None:
        await self._gateway.drain()
        self.should_exit = True
