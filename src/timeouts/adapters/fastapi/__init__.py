"""FastAPI: limits on an application, and on the routes that depend on them.

A dependency runs inside the route. It could end neither a thread nor its own wait for one, and would
give the slot back while the work goes on. So `Depends(limited)` only declares: which limits a route has
is read from its dependencies, as FastAPI knows them, and they are put in front of the whole application
for the requests that go to that route.

Laws:
- A limit that is declared and not enforced is an error at the first request, and never no limit.
- Of several that a route depends on, the one nearest to the function counts, and it counts alone.
"""

from timeouts.adapters.fastapi.applied import apply, install
from timeouts.adapters.fastapi.limited import Limited

__all__ = ["Limited", "apply", "install"]
