"""Actors on a cluster as workers: a hung predict is killed on whatever machine it runs, and replaced."""

import logging
import time

import ray

from timeouts import ExecutionTimeout, ExecutionTimeoutError, RayWorkers, Server

logging.getLogger("timeouts").setLevel(logging.ERROR)


class Model:
    """What is to be served."""

    def load(self) -> None:
        """Run once in every actor; here the weights would go to the GPU."""
        self.weights = 3

    def predict(self, x: int) -> int:
        """Hang on what is negative."""
        if x < 0:
            time.sleep(3600)  # nobody would ever come back from here
        return x * self.weights


def main() -> None:
    ray.init("local", num_cpus=2, include_dashboard=False)  # on a cluster: ray.init("auto")
    model = Model()
    # options= is Ray's: {"num_gpus": 1}, {"scheduling_strategy": "SPREAD"}, {"runtime_env": ...}
    workers = RayWorkers(setup=model.load, spares=1, options={"num_cpus": 0.5})
    with Server(model.predict, ExecutionTimeout(0.5), slots=1, workers=workers) as server:
        print(server.call(14))
        try:
            server.call(-1)
        except ExecutionTimeoutError as error:
            print(error)
        print(server.call(2), "from a new actor")


if __name__ == "__main__":
    main()

# prints:
# 42
# ran for 0.5... s; ExecutionTimeout allows 0.5 s
# 6 from a new actor
