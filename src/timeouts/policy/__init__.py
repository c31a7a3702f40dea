"""The timeout policies, one file each."""

from timeouts.policy.base import Interval, Policy, policy
from timeouts.policy.budget import BUDGET
from timeouts.policy.execution_timeout import ExecutionTimeout
from timeouts.policy.first_item_timeout import FirstItemTimeout
from timeouts.policy.gateway_timeout import GatewayTimeout
from timeouts.policy.idle_timeout import IdleTimeout
from timeouts.policy.queue_timeout import QueueTimeout

__all__ = [
    "BUDGET",
    "ExecutionTimeout",
    "FirstItemTimeout",
    "GatewayTimeout",
    "IdleTimeout",
    "Interval",
    "Policy",
    "QueueTimeout",
    "policy",
]
