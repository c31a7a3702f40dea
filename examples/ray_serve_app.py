"""A Ray Serve deployment under limits: a bounded wait, a hung predict that is killed, and budgets.

`serve run ray_serve_app:app` serves it, with answers by HTTP; here it runs in Ray's local testing mode, without a cluster.
"""

import time
from typing import Any

from ray import serve
from starlette.requests import Request

from timeouts import ExecutionTimeout, ProcessWorkers, QueueTimeout, TimeoutsError, guard
from timeouts.adapters.ray_serve import budgeted, endpoint

model: list[str] = []


def load() -> None:
    model[:] = ["cat", "dog"]


@guard(QueueTimeout(5) | ExecutionTimeout(1), slots=1, workers=ProcessWorkers(setup=load))
def predict(x: int) -> str:
    time.sleep(3600 if x < 0 else 0)
    return model[x]


@serve.deployment(max_ongoing_requests=1100)  # so that they wait in our queue, not in Ray's
class Classifier:
    """Asks the workers of its replica."""

    def __init__(self) -> None:
        predict.server.start()  # the replica is ready when its workers are

    @endpoint
    async def __call__(self, request: Request) -> str:
        """Answer HTTP."""
        return await predict.acall(await request.json())

    @endpoint
    async def classify(self, x: int) -> str:
        """Answer a handle."""
        return await predict.acall(x)


app: Any = Classifier.bind()  # type: ignore[attr-defined]  # mypy ignores class decorators

if __name__ == "__main__":
    handle = serve.run(app, _local_testing_mode=True)
    for x, budget in [(1, 30), (-1, 30), (-1, 0.5), (0, 30)]:
        try:
            print(budgeted(handle, budget).classify.remote(x).result())
        except TimeoutsError as error:
            print(error)

# prints:
#   dog
#   ran for 1... s; ExecutionTimeout allows 1 s
#   was not answered after 0... s; the caller's budget allows 0... s
#   cat
