"""Finding an event loop, or running one in a thread for callers that have none."""

from __future__ import annotations

import asyncio
import threading
import weakref


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that runs in this thread, if one does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class LoopThread:
    """Run an event loop in a daemon thread until it is closed or nobody refers to it any more."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=_run, args=(self.loop,), name=name, daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no more threads
            self.loop.close()
            raise
        self._stop = weakref.finalize(self, self.loop.call_soon_threadsafe, self.loop.stop)
        self._stop.atexit = False

    def close(self) -> None:
        """Stop the loop once its remaining tasks are done."""
        if self._stop.detach():
            self.loop.call_soon_threadsafe(_stop_when_done, self.loop)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def _stop_when_done(loop: asyncio.AbstractEventLoop) -> None:
    rest = asyncio.all_tasks(loop)
    if not rest:
        loop.stop()
    for task in rest:
        task.add_done_callback(lambda _: _stop_when_done(loop))
        break
