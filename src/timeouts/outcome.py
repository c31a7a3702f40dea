"""What became of a job: a value or an error, held without being raised."""

from __future__ import annotations

from typing import Any


class Outcome:
    """A value or an error; `unwrap` returns the one or raises the other."""

    __slots__ = ("error", "value")

    def __init__(self, value: Any = None, error: BaseException | None = None) -> None:
        self.value = value
        self.error = error

    def unwrap(self) -> Any:
        """Return the value, or raise the error as itself, with its own traceback."""
        if self.error is None:
            return self.value
        try:
            raise self.error
        finally:
            # The raised error refers to this frame, which refers back to it: cut the cycle, so that
            # a failed call leaves nothing for the garbage collector.
            del self

    def __repr__(self) -> str:
        """Show the value or the error."""
        if self.error is None:
            return f"Outcome(value={self.value!r})"
        return f"Outcome(error={self.error!r})"
