"""What LitServe serves, where the processes that it spawns find it by name."""

from __future__ import annotations

from typing import Any

import litserve

from hosts import work


class Api(litserve.LitAPI):  # type: ignore[misc]  # litserve ships no types
    """The model."""

    def predict(self, x: Any) -> str:
        """Do what is asked."""
        return work.predict(**x)
