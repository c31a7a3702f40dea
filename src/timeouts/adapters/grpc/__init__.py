"""gRPC, both ways: limits in front of a server's methods, budgets along with a client's calls.

Laws:
- The deadline of the client becomes the budget of the call: it may shorten a limit, never lengthen one.
- An expiry is a status of the table (`timeouts.statuses`), never a clean end, on a stream neither.
- A handler's own errors are gRPC's own business, as if nothing stood between the two.
"""

from timeouts.adapters.grpc.aio_client import aio_budget_interceptors
from timeouts.adapters.grpc.aio_server import AioTimeoutInterceptor
from timeouts.adapters.grpc.client import BudgetInterceptor
from timeouts.adapters.grpc.server import TimeoutInterceptor

__all__ = [
    "AioTimeoutInterceptor",
    "BudgetInterceptor",
    "TimeoutInterceptor",
    "aio_budget_interceptors",
]
