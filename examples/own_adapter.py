"""An adapter of your own: limits in front of a server that speaks lines of JSON over a socket."""

import asyncio
import json
import time
from asyncio import FIRST_COMPLETED, StreamReader, StreamWriter, create_task
from contextlib import closing, suppress

from timeouts import STATUSES, ExecutionTimeout, QueueTimeout, Server


async def answer(server: Server, line: bytes) -> bytes:
    """Make a request a job, and its outcome a line in the host's own words."""
    try:
        asked = json.loads(line)
        told = {"result": await server.acall(asked["seconds"], budget=asked.get("budget"))}
    except Exception as error:  # noqa: BLE001 - the handler's own as well: the table says INTERNAL
        told = {"code": STATUSES.of(error).grpc, "detail": str(error)}
    return json.dumps(told).encode() + b"\n"


async def serve(server: Server, reader: StreamReader, writer: StreamWriter) -> None:
    """See one connection through: a line in, a line out, or a client who leaves before."""
    with closing(writer):
        job = create_task(answer(server, await reader.readline()))
        leaving = create_task(reader.read())  # ends when the client has closed the connection
        try:
            await asyncio.wait([job, leaving], return_when=FIRST_COMPLETED)
            writer.write(job.result() if job.done() else b"")
        finally:
            job.cancel()  # withdraws it, if it has no answer yet
            leaving.cancel()


def predict(seconds: float) -> str:
    time.sleep(seconds)
    return "a label"


async def main() -> None:
    async with Server(
        predict, QueueTimeout(5) | ExecutionTimeout(1), slots=1, workers="process"
    ) as server:
        host = await asyncio.start_server(lambda *ends: serve(server, *ends), "127.0.0.1", 0)
        for line, patience in (("0", 9), ("60", 9), ('60, "budget": 0.2', 9), ("60", 0.5)):
            reader, writer = await asyncio.open_connection(*host.sockets[0].getsockname())
            with closing(writer), suppress(TimeoutError):
                writer.write(f'{{"seconds": {line}}}\n'.encode())
                print("told", await asyncio.wait_for(reader.readline(), patience))
        host.close()  # nobody new comes in; then what is here may end
        print("drained:", await server.adrain(10), dict(server.stats().outcomes))


if __name__ == "__main__":
    asyncio.run(main())

# prints:
#   told b'{"result": "a label"}\n'
#   told b'{"code": "DEADLINE_EXCEEDED", "detail": "ran for 1... s; ExecutionTimeout allows 1 s"}\n'
#   drained: True {'completed': 1, 'execution_timeout': 1, 'gateway_timeout': 1, 'withdrawn': 1}
