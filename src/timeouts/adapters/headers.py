"""Budgets in headers: a duration on the wire, a deadline on arrival, and what is left of it on the way out.

Laws:
- A header is read only if it was opted in by name: whoever may set it may shorten what he gets.
- Never lengthening: a budget is one more limit, of which the core takes the earliest, and what goes
  out is less than what came in, by what was used and the margin.
- A value is either understood or refused with 400; nothing is guessed and nothing ignored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from timeouts.adapters.notations import LONGEST, NOTATIONS, SHORTEST, known
from timeouts.current import SERVING, checkpoint, remaining
from timeouts.deadline import Seconds, seconds, spoken, written
from timeouts.errors import GatewayTimeoutError

Lookup = Callable[[str], str | None]
"""Gives the value of a header by its name in lower case, or None."""

DEFAULT = "x-request-timeout-seconds"
MARGIN = 0.005
_SHOWN = 40


class MalformedBudget(ValueError):
    """A header that should carry a budget says no duration; the answer is 400.

    Args:
        header: its name.
        value: what it says.
    """

    def __init__(self, header: str, value: str) -> None:
        super().__init__(header, value)
        self.header = header
        self.value = value

    def __str__(self) -> str:
        """Say what would be right; of a long value, the beginning."""
        dots = "…" * (len(self.value) > _SHOWN)
        right = NOTATIONS[self.header].right
        return f"{self.header} must be {right}; got {self.value[:_SHOWN]!r}{dots}"


@dataclass(frozen=True, init=False, repr=False)
class Budgets:
    """Read the budget of a request from the headers opted in by name.

    Args:
        names: of `grpc-timeout`, `x-request-timeout-seconds` and `x-envoy-expected-rq-timeout-ms`
            those to read, in any case; none of them reads nothing.
        at_most: seconds; a budget that says more is cut to it. Default one day; None for no such bound.

    Raises:
        ValueError: a name is none of the three, or `at_most` is no duration.
        TypeError: `at_most` is of a type that is no duration.

    Cannot do: know how long the request was on the wire; a budget begins on arrival.
    """

    names: tuple[str, ...]
    at_most: float

    def __init__(self, *names: str, at_most: Seconds = 86400.0) -> None:
        object.__setattr__(self, "names", known(names))
        object.__setattr__(self, "at_most", seconds(at_most, "at_most"))

    def read(self, lookup: Lookup) -> float | None:
        """Return the seconds of the tightest budget present, or None if there is none.

        0.0 says that nothing is left: the job expires as it arrives.

        Args:
            lookup: gives a header's value by its name; see `from_asgi` and `from_wsgi`.

        Raises:
            MalformedBudget: a header is there and says no duration.
        """
        present = ((name, lookup(name)) for name in self.names)
        said = [read(name, text) for name, text in present if text is not None]
        return min(*said, self.at_most) if said else None

    def __repr__(self) -> str:
        """Show what was written."""
        return f"Budgets({', '.join([*map(repr, self.names), f'at_most={written(self.at_most)}'])})"


def read(name: str, text: str) -> float:
    """Return the seconds that one header says, or raise `MalformedBudget`."""
    duration = NOTATIONS[name].read(text)
    if duration is None:
        raise MalformedBudget(name, text)
    return duration


def from_asgi(headers: Iterable[tuple[bytes, bytes]]) -> Lookup:
    """Return a lookup of headers in an ASGI scope.

    The headers are walked once, with the first lookup. One that comes twice is joined by ", ": so a budget
    is malformed, and a level none that is listed.

    Args:
        headers: pairs of a name in lower case and a value, as in `scope["headers"]`.
    """
    found: dict[bytes, list[bytes]] | None = None

    def lookup(name: str) -> str | None:
        nonlocal found
        if found is None:
            found = _collected(headers)
        values = found.get(name.encode())
        return None if values is None else b", ".join(values).decode("latin-1")

    return lookup


def _collected(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        found.setdefault(name, []).append(value)
    return found


def from_wsgi(environ: Mapping[str, Any]) -> Lookup:
    """Return a lookup of headers in a WSGI environ, where servers join one that comes twice.

    Args:
        environ: what the application was called with.
    """

    def lookup(name: str) -> str | None:
        return environ.get("HTTP_" + name.upper().replace("-", "_"))

    return lookup


def outgoing_headers(*names: str, margin: Seconds = MARGIN) -> dict[str, str]:
    """Return the headers that tell the next service what is left of the budget of this job.

    Nothing outside a handler, or where no limit applies.

    Args:
        names: which headers to write; default `x-request-timeout-seconds`.
        margin: seconds held back for the answer to come back and be passed on; default 0.005.

    Raises:
        DeadlineExceeded: a deadline of this job has passed; the class is the policy's own.
        GatewayTimeoutError: less than a millisecond beyond the margin is left: do not call.
        ValueError: a name is unknown, or the margin is no duration.

    Cannot do: tell the callee that you have left; close the connection for that.
    """
    chosen, kept = known(names) or (DEFAULT,), checked_margin(margin)
    left = remaining()
    return {} if left == math.inf else headers_for(left, chosen, kept)


def checked_margin(margin: Seconds) -> float:
    """Return a margin in seconds, which may be zero, and is finite."""
    checked = seconds(margin, "margin", zero=True)
    if math.isinf(checked):
        raise ValueError(f"margin must be a finite number of seconds; got {margin!r}")
    return checked


def headers_for(left: float, names: tuple[str, ...], margin: float) -> dict[str, str]:
    """Return the headers for so many seconds left, or refuse to call with nothing."""
    budget = min(granted(left, margin), LONGEST)
    return {name: NOTATIONS[name].write(budget) for name in names}


def granted(left: float, margin: float) -> float:
    """Return what a callee may use of the seconds left, or refuse as `outgoing_headers` does."""
    if left - margin < SHORTEST:
        checkpoint()
        raise _too_late(left, margin)
    return left - margin


def _too_late(left: float, margin: float) -> GatewayTimeoutError:
    """Return the error of the job that would have called: it has started, and ends with this."""
    call = SERVING.get()
    return GatewayTimeoutError(
        f"has {spoken(left)} s left; an outgoing call needs {written(SHORTEST)} s "
        f"beyond its margin of {written(margin)} s",
        elapsed=0.0 if call is None else call.clock.now() - call.arrived,
        started=True,
        work="stopped",
    )
