"""Ray Serve, both ends of a call: budgets out of handles, and into the methods of a deployment.

Laws:
- A budget travels as a duration, in a keyword argument of the call, and may shorten a limit of the
  replica, never lengthen one.
- An error of ours arrives as itself, with its fields, through however many deployments it came.

A guard needs none of this: `@guard` works on and in deployments as anywhere.
"""

from timeouts.adapters.ray_serve.budgeted import (
    BudgetedHandle,
    BudgetedResponse,
    BudgetedStream,
    budgeted,
)
from timeouts.adapters.ray_serve.endpoint import endpoint

__all__ = ["BudgetedHandle", "BudgetedResponse", "BudgetedStream", "budgeted", "endpoint"]
