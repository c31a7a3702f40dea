"""A gRPC service under limits: a hung call is told on time, and a client's own deadline is a limit too."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from timeouts import ExecutionTimeout, QueueTimeout, remaining
from timeouts.adapters.grpc import TimeoutInterceptor

LIMITS = QueueTimeout(0.2) | ExecutionTimeout(0.5)


def predict(request: bytes, context: Any) -> bytes:  # noqa: ARG001 - gRPC passes both
    """Take as many seconds as the request says."""
    print(f"predict({request.decode()}) has {remaining():.1f} s")
    time.sleep(float(request))
    return b"a label"


def show(call: Any, seconds: bytes, **options: float) -> None:
    try:
        print("told:", call(seconds, **options).decode())
    except grpc.RpcError as error:
        told: Any = error.trailing_metadata()
        print(f"told: {error.code().name}, started: {dict(told)['timeouts-started']}")
        print("     ", error.details())


def main() -> None:
    methods: Any = {"Predict": grpc.unary_unary_rpc_method_handler(predict)}
    with TimeoutInterceptor(LIMITS, slots=1, capacity=3) as limits:
        server = grpc.server(ThreadPoolExecutor(1 + 3), interceptors=[limits])
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("demo.Model", methods),)
        )
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            call: Any = channel.unary_unary("/demo.Model/Predict")
            show(call, b"0", timeout=0.3)
            show(call, b"1.5")
            show(call, b"0")  # the thread of the call before cannot be stopped: it holds the slot
        server.stop(grace=1).wait()


if __name__ == "__main__":
    main()

# prints:
#   predict(0) has 0.3 s
#   told: a label
#   predict(1.5) has 0.5 s
#   told: DEADLINE_EXCEEDED, started: true
#   ran for 0.5... s; ExecutionTimeout allows 0.5 s
#   told: UNAVAILABLE, started: false
#   waited 0.2... s in the queue; QueueTimeout allows 0.2 s
