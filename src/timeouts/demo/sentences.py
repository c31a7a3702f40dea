"""What was seen of each interval, in sentences: every number in them was measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from timeouts.demo.figures import Blind, Figures, Group, Spread
from timeouts.policy import Interval
from timeouts.stack import Stack


def sentences(figures: Figures, limits: Stack, slots: int) -> Iterator[tuple[str, str]]:
    """Explain each interval, with a heading each."""
    for interval, (heading, explain) in _STORIES.items():
        names = {type(p).__name__ for p in limits.policies if p.interval is interval}
        told = [group for group in figures.groups if group.verdict in names]
        yield heading, explain(figures, told, slots)
    if figures.blind is not None:
        yield "Told on time", _on_time(figures.blind, figures.stuck, slots)
    yield "Goodput", _goodput(figures)


def _waiting(figures: Figures, told: Sequence[Group], _: int) -> str:
    seen = _seen("had waited for a worker", figures.wait)
    if not told:
        return f"{seen} None waited too long."
    return (
        f"{seen} {_count(told)} reached the limit and were told {_worst_late(told)} after it. "
        "Their work never started, so sending them again is safe."
    )


def _running(figures: Figures, told: Sequence[Group], _: int) -> str:
    seen = _seen("ran for", figures.service)
    if not told:
        return f"{seen} None ran too long."
    so_far = f"{seen} {_count(told)} reached the limit and were told {_worst_late(told)} after it."
    return f"{so_far} {_abandoned(figures) if figures.dead is None else _killed(figures)}"


def _abandoned(figures: Figures) -> str:
    held = sum(group.held for group in figures.groups)
    ends = figures.ends
    until = "" if ends is None else f" (the last came back {ends.worst:.1f} s after its arrival)"
    return (
        "But nothing can stop a thread: all abandoned work together held workers for another "
        f"{held:.1f} s{until}. Processes can be stopped: see --workers process."
    )


def _killed(figures: Figures) -> str:
    assert figures.dead is not None  # noqa: S101 - the caller has looked
    said = (
        "Whatever it was doing, work that expired was killed: nothing was left of it a median of "
        f"{_ms(figures.dead.median)}, at most {_ms(figures.dead.worst)} later."
    )
    if figures.next is None:
        return said
    return (
        f"{said} Where requests waited, the next of them was running a median of "
        f"{_ms(figures.next.median)}, at most {_ms(figures.next.worst)} after the timeout was told: "
        "the slot was back."
    )


def _both(figures: Figures, told: Sequence[Group], _: int) -> str:
    seen = _seen("took", figures.sojourn)
    if not told:
        return f"{seen} None reached the limit on the whole."
    return (
        f"{seen} {_count(told)} kept within each of the two limits and yet reached the limit on "
        f"the whole; they were told {_worst_late(told)} after it."
    )


def _on_time(blind: Blind, stuck: float, slots: int) -> str:
    all_of_them = {1: "the worker was", 2: "both workers were"}.get(
        slots, f"all {slots} workers were"
    )
    return (
        f"For {stuck:.1f} s {all_of_them} stuck with work that nobody waited for any more. "
        f"{many(blind.count, 'caller')} reached the limit on waiting just then and were told at most "
        f"{_ms(blind.late.worst)} late. A server that looks at that limit only when a worker comes "
        f"free would have told them {blind.later.median:.1f} s later (median), "
        f"{blind.later.worst:.1f} s at worst; and never, had the work hung for good."
    )


def _goodput(figures: Figures) -> str:
    said = (
        f"{figures.answered} of {figures.sent} requests were answered within their deadlines: "
        f"{figures.goodput:.1f} a second. "
    )
    if figures.answered:
        share = figures.correct / figures.answered
        said += f"{figures.correct} of those ({share:.1%}) were read correctly. "
    return said + f"The sender was at most {_ms(figures.lag)} behind its schedule."


_STORIES = {
    Interval.WAITING: ("Waiting", _waiting),
    Interval.SERVICE: ("Running", _running),
    Interval.SOJOURN: ("Both together", _both),
}


def many(count: int, noun: str) -> str:
    """Say how many, in good English."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _seen(what: str, spread: Spread | None) -> str:
    if spread is None:
        return "No request was answered."
    return (
        f"Answered requests {what} a median of {spread.median:.2f} s, at most {spread.worst:.2f} s."
    )


def _worst_late(told: Sequence[Group]) -> str:
    return f"at most {_ms(max(group.late.worst for group in told if group.late))}"


def _count(told: Sequence[Group]) -> str:
    return str(sum(group.count for group in told))


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
