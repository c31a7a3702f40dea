"""See what limits would do under overload before anybody depends on them: the same core, in virtual time."""

from timeouts import FIFO, EarliestDeadlineFirst, GatewayTimeout
from timeouts.sim import Client, Exponential, Kill, Poisson, Scenario, Stop, simulate

SLOTS, MEAN = 4, 0.1  # seconds of work
CALLER = [Client(budget=1.0)]  # an answer is worth something for a second
MIXED = [Client(f"{budget} s", budget, at_deadline="tells") for budget in (0.3, 1, 3)]


def show(
    title: str,
    load: float,
    limits: GatewayTimeout,
    *,
    clients: list[Client] = CALLER,
    stop: Stop = "abandon",
    discipline: type[FIFO | EarliestDeadlineFirst] = FIFO,
) -> None:
    """One line; 100 % is the best possible without knowing how long each request takes."""
    asked = Scenario(Poisson(load * SLOTS / MEAN), Exponential(MEAN), clients, duration=120)
    done = simulate(asked, limits, slots=SLOTS, stop=stop, discipline=discipline)
    print(f"{title:33} {done.efficiency:4.0%} of the limit, {done.wasted:3.0%} of work wasted")


exact, kept = GatewayTimeout(1, reserve=0), GatewayTimeout(1)

print("twice the capacity, work that cannot be stopped")
show("  the limit equals the budget", 2, exact)
show("  what the work needs is kept", 2, kept)

print("just below the capacity, workers that are killed at the limit")
show("  the limit equals the budget", 0.95, exact, stop=Kill(recovery=1.0))
show("  what the work needs is kept", 0.95, kept, stop=Kill(recovery=1.0))

print("twice the capacity, callers with budgets of 0.3, 1 and 3 s, who tell them")
edf = EarliestDeadlineFirst
exact, kept = GatewayTimeout(3, reserve=0), GatewayTimeout(3)
show("  earliest deadline first", 2, exact, clients=MIXED, discipline=edf)
show("  latest sensible start first", 2, kept, clients=MIXED, discipline=edf)

# prints:
#   twice the capacity, work that cannot be stopped
#   the limit equals the budget ... 22% of the limit, 94% of work wasted
#   what the work needs is kept ... 98% of the limit, ... 8% of work wasted
#   just below the capacity, workers that are killed at the limit
#   the limit equals the budget ... 30% of the limit, ... 9% of work wasted
#   what the work needs is kept ... 96% of the limit, ... 0% of work wasted
#   twice the capacity, callers with budgets of 0.3, 1 and 3 s, who tell them
#   earliest deadline first ... 22% of the limit, 95% of work wasted
#   latest sensible start first ... 93% of the limit, 19% of work wasted
