"""A script whose guards are in `__main__`, which is another module in a replica; run with Ray's address."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import ray
from ray import serve

from timeouts import ExecutionTimeout, ExecutionTimeoutError, ProcessWorkers, guard
from timeouts.adapters.ray_serve import budgeted, endpoint

SMALL = {"ray_actor_options": {"num_cpus": 0.1}, "max_ongoing_requests": 10}
loaded: dict[str, int] = {}


def load() -> None:
    """Load what the handler finds in this module."""
    loaded["factor"] = 3


@guard(ExecutionTimeout(1), slots=1, workers=ProcessWorkers(setup=load))
def scale(x: float) -> float:
    """Run in a worker process of the replica."""
    time.sleep(x)
    return loaded["factor"] * x


@serve.deployment(**SMALL)
class Model:
    """Calls the function, and has a guarded method of its own."""

    def __init__(self) -> None:
        self.offset = 10
        scale.server.start()

    async def scaled(self, x: float) -> Any:
        """Call it."""
        return await scale.acall(x)

    @endpoint
    @guard(ExecutionTimeout(20), slots=1, workers="process")
    def shifted(self, x: float) -> float:
        """Run in a worker process, too."""
        return self.offset + x


def main() -> None:
    """Deploy, call, and print what came of it."""
    ray.init(address=sys.argv[1], namespace="serve", log_to_driver=False, logging_level="ERROR")
    model: Any = serve.run(Model.bind(), name="script")  # type: ignore[attr-defined]
    came: dict[str, Any] = {"scaled": model.scaled.remote(0.0).result()}
    try:
        model.scaled.remote(600.0).result()
    except ExecutionTimeoutError as error:
        came["error"] = error.cause.limit  # type: ignore[attr-defined]  # Ray's wrapper around it
    came["afterwards"] = model.scaled.remote(0.5).result()
    came["shifted"] = budgeted(model, 30).shifted.remote(1.0).result()
    serve.delete("script")
    ray.shutdown()
    sys.stdout.write(json.dumps(came))


if __name__ == "__main__":
    main()
