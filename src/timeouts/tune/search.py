"""The search: one axis after the other, each over a coarse grid, until nothing changes.

Coordinate descent, from the setting that adapts by itself: reserve `"auto"`, no execution timeout, the usual order.
Along an axis every value of the grid is measured on the training half. The simplest one is taken that is as good as
the best: not worse by more than two standard errors of their difference, stretch by stretch, or by no more than a trifle.
So what adapts by itself comes before what was fitted to this trace, and a difference that chance would make changes nothing. It is
the rule of one standard error of Breiman, Friedman, Olshen and Stone, "Classification and Regression Trees" (1984), and two of them here,
because the best of many is best by chance as well.

Cannot do: find a pair of values that only help together. The axes are nearly independent: a reserve decides who
may start, an order who does, an execution timeout how long one may keep a slot.
"""

from __future__ import annotations

from collections.abc import Sequence

from timeouts.tune.arena import Arena, Measured
from timeouts.tune.blocks import standard_error, together, training
from timeouts.tune.setting import AXES, Setting, along
from timeouts.tune.task import Task

ROUNDS = 3
ERRORS = 2
TRIFLE = 0.005
"""Of the answers in time."""


def search(arena: Arena, start: Setting) -> Setting:
    """Return the setting that the training half speaks for."""
    task, best = arena.task, start
    for _ in range(ROUNDS):
        before = best
        for axis in AXES:
            service, stops = task.trace.service, task.stop != "abandon"
            best = _pick(arena, along(axis, best, service, task.deadline, stops=stops))
        if best == before:
            break
    return best


def _pick(arena: Arena, settings: Sequence[Setting]) -> Setting:
    """Return the first one that is as good as the best."""
    measured = arena.measure(setting.rule(arena.task.deadline) for setting in settings)
    rows = [training(answers(arena.task, one)) for one in measured]
    best = max(rows, key=sum)
    return next(
        setting for setting, row in zip(settings, rows, strict=True) if _is_as_good(row, best)
    )


def _is_as_good(row: Sequence[int], best: Sequence[int]) -> bool:
    lost = [more - less for more, less in zip(best, row, strict=True)]
    return sum(lost) <= max(ERRORS * standard_error(lost), TRIFLE * sum(best))


def answers(task: Task, measured: Measured) -> list[int]:
    """Return how many were answered in time in each stretch, at all loads together."""
    windows = zip(*(seen.answered for seen in measured), strict=True)
    return together([sum(window) for window in windows], task.block)
