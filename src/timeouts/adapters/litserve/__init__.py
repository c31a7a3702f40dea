"""LitServe under limits: `limits.apply(server)`.

Two halves. In front of the API server, requests wait in a queue of ours, and are answered on time. In the back,
in LitServe's worker, predict runs in a process that can be stopped. A deadline travels from one to
the other, so both act at one instant.
"""

from timeouts.adapters.litserve.applied import apply

__all__ = ["apply"]
