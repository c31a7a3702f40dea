"""Timeout policies for model servers: waiting, service and sojourn time, each with a limit of its own."""

from timeouts.admission import Admission, CoDel, PredictedWait
from timeouts.clock import Clock
from timeouts.current import checkpoint, remaining
from timeouts.decorate import guard
from timeouts.discipline import (
    FIFO,
    LIFO,
    AdaptiveLIFO,
    Discipline,
    EarliestDeadlineFirst,
    FairShare,
    Priority,
)
from timeouts.errors import (
    DeadlineExceeded,
    ExecutionTimeoutError,
    FirstItemTimeoutError,
    GatewayTimeoutError,
    IdleTimeoutError,
    PayloadError,
    PolicyFailed,
    QueueFull,
    QueueTimeoutError,
    Rejected,
    ServerClosed,
    ShuttingDown,
    StartupFailed,
    StartupTimeoutError,
    TimeoutsError,
    TooManyAbandoned,
    WaitTooLong,
    Withdrawn,
    WorkerLost,
)
from timeouts.job import Job, Phase
from timeouts.observe import Observer
from timeouts.outcome import Outcome
from timeouts.policy import (
    ExecutionTimeout,
    FirstItemTimeout,
    GatewayTimeout,
    IdleTimeout,
    Interval,
    Policy,
    QueueTimeout,
    policy,
)
from timeouts.server import Server, Stats
from timeouts.soft import SoftTimeout
from timeouts.stack import Stack, UselessPolicyWarning
from timeouts.statuses import STATUSES, Status, Statuses
from timeouts.workers import ProcessWorkers, RayWorkers, TaskWorkers, ThreadWorkers

__all__ = [
    "AdaptiveLIFO",
    "Admission",
    "Clock",
    "CoDel",
    "DeadlineExceeded",
    "Discipline",
    "EarliestDeadlineFirst",
    "ExecutionTimeout",
    "ExecutionTimeoutError",
    "FIFO",
    "FairShare",
    "FirstItemTimeout",
    "FirstItemTimeoutError",
    "GatewayTimeout",
    "GatewayTimeoutError",
    "IdleTimeout",
    "IdleTimeoutError",
    "Interval",
    "Job",
    "LIFO",
    "Observer",
    "Outcome",
    "PayloadError",
    "Phase",
    "Policy",
    "PolicyFailed",
    "PredictedWait",
    "Priority",
    "ProcessWorkers",
    "QueueFull",
    "QueueTimeout",
    "QueueTimeoutError",
    "RayWorkers",
    "Rejected",
    "STATUSES",
    "Server",
    "ServerClosed",
    "ShuttingDown",
    "SoftTimeout",
    "Stack",
    "StartupFailed",
    "StartupTimeoutError",
    "Stats",
    "Status",
    "Statuses",
    "TaskWorkers",
    "ThreadWorkers",
    "TimeoutsError",
    "TooManyAbandoned",
    "UselessPolicyWarning",
    "WaitTooLong",
    "Withdrawn",
    "WorkerLost",
    "checkpoint",
    "guard",
    "policy",
    "remaining",
]
