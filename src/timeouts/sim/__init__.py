"""A simulator of the same core: what limits and disciplines do, before anybody depends on them.

Law: no decision is made here. The core, the policies and the disciplines are those that serve; what is
simulated is the world around them: time, callers and workers.
"""

from timeouts.sim.arrivals import Arrivals, Bursts, Poisson, Regular
from timeouts.sim.clients import Client, Retry
from timeouts.sim.limit import Limit
from timeouts.sim.recorded import Recorded
from timeouts.sim.report import Figures, Report
from timeouts.sim.run import simulate
from timeouts.sim.scenario import Request, Scenario
from timeouts.sim.service import Constant, Exponential, Lognormal, Service
from timeouts.sim.stuck import Stuck
from timeouts.sim.trace import Trace
from timeouts.sim.workers import Kill, Stop

__all__ = [
    "Arrivals",
    "Bursts",
    "Client",
    "Constant",
    "Exponential",
    "Figures",
    "Kill",
    "Limit",
    "Lognormal",
    "Poisson",
    "Recorded",
    "Regular",
    "Report",
    "Request",
    "Retry",
    "Scenario",
    "Service",
    "Stop",
    "Stuck",
    "Trace",
    "simulate",
]
