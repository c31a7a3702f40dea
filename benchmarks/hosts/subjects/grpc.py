"""A gRPC server: alone, with the client's own deadline and the model behind a lock; under limits, with the interceptor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from math import inf
from tempfile import TemporaryFile
from time import monotonic
from typing import Any
from uuid import uuid4

from hosts import work
from hosts.host import Answer, Caller, Host, Setting
from hosts.web import BENCHMARKS, TO_START, Start, free_port
from versus_litserve.processes import MARK, end_all

METHOD = "/hosts.Model/Predict"
THREADS = 20


class Stub:
    """Asks a server on this machine, over one channel; no call outlasts `deadline`."""

    def __init__(self, channel: Any, deadline: float) -> None:
        self._predict = channel.unary_unary(METHOD)
        self._deadline = deadline

    def ask(self, do: str, mark: str = "", patience: float = 30.0) -> Answer:
        """Call the method."""
        import grpc

        request = json.dumps({"do": do, "mark": mark}).encode()
        try:
            self._predict(request, timeout=min(patience, self._deadline), wait_for_ready=True)
        except grpc.RpcError as failed:
            error: Any = failed  # an RPC that fails is a call too
            code, told = error.code(), dict(error.trailing_metadata() or ())
            if code is grpc.StatusCode.DEADLINE_EXCEEDED and not told and patience < self._deadline:
                return Answer("")
            return Answer(code.name, monotonic())
        return Answer("OK", monotonic())


def _start(variant: str, deadline_of: Callable[[Setting], float]) -> Start:
    @contextmanager
    def start(setting: Setting) -> Iterator[Caller]:
        import grpc

        mark, port = uuid4().hex, free_port()
        command = [sys.executable, "-m", "hosts.subjects.grpc", variant, str(port)]
        with TemporaryFile() as log:
            process = subprocess.Popen(  # noqa: S603 - our own command
                [*command, *setting.words()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, MARK: mark, "PYTHONPATH": str(BENCHMARKS)},
                start_new_session=True,
            )
            try:
                with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                    end = monotonic() + TO_START
                    while Stub(channel, inf).ask("quick", patience=5.0).word != "OK":
                        if process.poll() is not None or monotonic() > end:
                            words = os.pread(log.fileno(), 1 << 20, 0).decode(errors="replace")
                            raise RuntimeError(f"{command} does not come up: {words[-2000:]}")
                    yield Stub(channel, deadline_of(setting))
            finally:
                end_all(mark)
                process.wait()

    return start


HOST = Host(
    name="grpc",
    title="`grpc.server` with the client's deadline",
    packages=("grpcio",),
    page="how-to/grpc.md",
    alone=_start("alone", lambda setting: min(setting.queue, setting.execution)),
    limited=_start("limited", lambda _: inf),
    ok="OK",
    note="Alone, the client sets the shorter of the two limits as its deadline, which bounds the whole call; the method takes a "
    "lock, since the model serves one call at a time. Under limits, the method calls the model through `guard`, in a "
    "worker process.",
)


def serve(variant: str, port: int, setting: Setting) -> None:
    """Serve one of the variants."""
    import grpc

    from timeouts import guard
    from timeouts.adapters.grpc import TimeoutInterceptor

    lock = threading.Lock()

    def alone(request: bytes, _: Any) -> bytes:
        with lock:
            return work.predict(**json.loads(request)).encode()

    if variant == "alone":
        predict = alone
        interceptors: list[grpc.ServerInterceptor] = []
    else:
        guarded = guard(slots=1, workers="process")(work.predict)
        interceptors = [TimeoutInterceptor(setting.limits(), slots=1, capacity=THREADS - 1)]

        def predict(request: bytes, _: Any) -> bytes:
            return guarded(**json.loads(request)).encode()

    server = grpc.server(ThreadPoolExecutor(THREADS), interceptors=interceptors)
    methods: dict[str, Any] = {"Predict": grpc.unary_unary_rpc_method_handler(predict)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("hosts.Model", methods),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), Setting.read(sys.argv[3:]))
