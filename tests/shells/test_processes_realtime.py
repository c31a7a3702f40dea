"""What only a whole process can show: its end, its forks, its Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.realtime

LIMIT = 20.0


def start(script: str) -> subprocess.Popen[str]:
    """Run a script in a Python of its own."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
    )


def run(script: str) -> str:
    """Run a script to its end, which must be a good one, and return what it printed."""
    with start(script) as process:
        try:
            out, err = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert (process.returncode, err) == (0, "")
    return out


def test_the_interpreter_does_not_wait_for_a_hung_handler() -> None:
    """Its thread is left behind; so is the loop of async handlers."""
    out = run(
        """
        import threading, asyncio
        from timeouts import ExecutionTimeout, ExecutionTimeoutError, guard

        @guard(ExecutionTimeout(0.05))
        def hang():
            threading.Event().wait()

        @guard(ExecutionTimeout(0.05))
        async def ahang():
            await asyncio.Event().wait()

        try:
            hang()
        except ExecutionTimeoutError as error:
            print(error.work)
        future = ahang.submit()
        print(type(future.exception()).__name__)
        ahang.submit()
        """
    )
    assert out.split("\n")[:2] == ["still running", "ExecutionTimeoutError"]


def test_a_forked_child_begins_anew() -> None:
    """Guards and servers work in the child, though its parent's threads are gone there."""
    out = run(
        """
        import os, threading
        from timeouts import ExecutionTimeout, Server, ShuttingDown, guard

        hung = threading.Event()

        @guard(ExecutionTimeout(30), slots=1)
        def predict(x):
            if x == "hang":
                hung.set()
                threading.Event().wait()
            return x

        @guard(ExecutionTimeout(30))
        async def apredict(x):
            return x

        closed = Server(predict.__wrapped__)
        closed.close()
        predict.submit("hang")
        assert apredict.submit(1).result(20) == 1
        hung.wait()
        child = os.fork()
        if child == 0:
            assert predict.server.stats().free == 1
            assert predict("in the child") == "in the child"
            assert predict.submit(2).result(20) == 2
            assert apredict.submit(3).result(20) == 3
            try:
                closed.call(4)
            except ShuttingDown:
                os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert predict.server.stats().running == 1
        assert apredict.submit(4).result(20) == 4
        print("well")
        """
    )
    assert out == "well\n"


def test_ctrl_c_ends_a_blocked_call() -> None:
    """KeyboardInterrupt comes out of the call, as itself, and the job is withdrawn."""
    with start(
        """
        import signal, threading, time
        from timeouts import GatewayTimeout, guard

        signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever ran us may ignore it

        @guard(GatewayTimeout(60))
        def hang():
            time.sleep(0.3)  # the main thread blocks by now, which is the case to be tried
            print("begun", flush=True)
            threading.Event().wait()

        try:
            hang()
        except KeyboardInterrupt:
            print(dict(hang.server.stats().outcomes))
        """
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        try:
            out, err = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert (process.returncode, out, err) == (0, "{'withdrawn': 1}\n", "")
