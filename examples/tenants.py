"""One tenant floods, the others are served all the same: `FairShare` serves tenants in turn."""

from concurrent.futures import Future
from threading import Event

from timeouts import FIFO, FairShare, GatewayTimeout, QueueFull, Server

LIMITS = GatewayTimeout(30, reserve=0)
ASKED = ["flood"] * 50 + ["alice", "bob"]


def show(discipline: type[FIFO | FairShare]) -> None:
    """Let all of them ask while the only slot is taken, in a queue with room for twenty."""
    release, served = Event(), list[str]()

    def predict(whose: str) -> None:
        """Stand in for a model."""
        release.wait()
        served.append(whose)

    with Server(predict, LIMITS, slots=1, capacity=20, discipline=discipline) as server:
        sent = [(tenant, server.submit(tenant, tenant=tenant)) for tenant in ASKED]
        release.set()
    refused = [tenant for tenant, future in sent if was_refused(future)]
    print(f"{discipline.__name__}: of {len(ASKED)} requests {len(served)} were served")
    print("  served first:", *served[:5])
    print(
        "  refused:", *(f"{refused.count(tenant)} of {tenant}" for tenant in dict.fromkeys(refused))
    )


def was_refused(future: Future[None]) -> bool:
    return isinstance(future.exception(), QueueFull)


show(FIFO)
show(FairShare)

# prints:
#   FIFO: of 52 requests 21 were served
#   served first: flood flood flood flood flood
#   refused: 29 of flood 1 of alice 1 of bob
#   FairShare: of 52 requests 21 were served
#   served first: flood flood alice bob flood
#   refused: 31 of flood
