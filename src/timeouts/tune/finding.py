"""What was found: a setting, what it gains over the rule as it is, and how sure that is.

Law: every figure here is of the half of the trace that nothing was chosen by.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from timeouts.tune.arena import Arena, Measured
from timeouts.tune.blocks import Interval, held_out, interval, together, training
from timeouts.tune.rule import Rule
from timeouts.tune.search import answers, search
from timeouts.tune.setting import LEARNED, Setting
from timeouts.tune.task import Task

WORTH = 0.005
"""From such a share of the requests on a gain is worth a change."""
ENOUGH = 0.99
"""The smallest number of slots is chosen that brings such a share of what the largest brings. If all requests but so
few are answered in time, more slots are no question."""


class Row(NamedTuple):
    """The rule as it is beside the tuned one, at one load. All but `slots` and `load` are per second.

    Attributes:
        load: how many times as fast the requests came.
        slots: how many could run at once.
        came: requests.
        before: answers in time under the rule as it is.
        after: the same under the tuned one.
        limit: the best that is possible without knowing how long each request takes.
    """

    load: float
    slots: int
    came: float
    before: float
    after: float
    limit: float


class Finding(NamedTuple):
    """What was found.

    Attributes:
        task: what was asked.
        before: the rule as it is.
        setting: what was chosen.
        rows: the two at each load.
        slots: the two with other numbers of slots; empty where these are no question.
        gain: the share of the requests that are answered in time now, and were not before.
        sure: its 95 % interval.
        learned: the gain with a reserve that is learned; None if the one that was chosen is.
        requests: how many it was judged by.
        blocks: in how many stretches they came.
    """

    task: Task
    before: Rule
    setting: Setting
    rows: tuple[Row, ...]
    slots: tuple[Row, ...]
    gain: float
    sure: Interval
    learned: float | None
    requests: int
    blocks: int

    @property
    def after(self) -> Rule:
        """The rule that the setting makes."""
        return self.setting.rule(self.task.deadline)

    @property
    def gains(self) -> bool:
        """Whether it is worth a change: surely better, and by more than a trifle."""
        return self.sure.low > 0 and self.gain >= WORTH


def find(arena: Arena) -> Finding:
    """Search, choose the number of slots, and judge."""
    task = arena.task
    setting = search(arena, Setting(task.slots[0]))
    if len(task.slots) > 1:
        setting = search(arena, _with_enough_slots(arena, setting))
    learned = replace(setting, reserve=LEARNED)
    before, after = task.baseline(setting.slots), setting.rule(task.deadline)
    old, new, auto = arena.measure([before, after, learned.rule(task.deadline)])
    more, more_learned = (_more(task, old, one) for one in (new, auto))
    requests = sum(held_out(together(old[0].came, task.block)))
    low, high = interval(more, task.seed)
    share = 1 / (requests * len(task.loads))
    rows = tuple(_rows(task, setting.slots, old, new))
    return Finding(
        task,
        before,
        setting,
        rows,
        tuple(_other_slots(arena, setting, rows)),
        sum(more) * share,
        Interval(low * share, high * share),
        None if learned == setting else sum(more_learned) * share,
        requests,
        len(more),
    )


def _with_enough_slots(arena: Arena, setting: Setting) -> Setting:
    """Return the setting with the smallest number of slots that brings nearly all."""
    settings = [replace(setting, slots=slots) for slots in arena.task.slots]
    measured = arena.measure(one.rule(arena.task.deadline) for one in settings)
    totals = [sum(training(answers(arena.task, one))) for one in measured]
    return next(
        one for one, total in zip(settings, totals, strict=True) if total >= ENOUGH * max(totals)
    )


def _more(task: Task, old: Measured, new: Measured) -> list[int]:
    """Return how many more are answered in time in each stretch that is held out."""
    pairs = zip(*(held_out(answers(task, one)) for one in (old, new)), strict=True)
    return [after - before for before, after in pairs]


def _rows(task: Task, slots: int, old: Measured, new: Measured) -> Iterator[Row]:
    for load, before, after in zip(task.loads, old, new, strict=True):
        seconds = before.duration / 2  # every other stretch
        came, answered, tuned = (
            sum(held_out(together(windows, task.block))) / seconds
            for windows in (before.came, before.answered, after.answered)
        )
        yield Row(load, slots, came, answered, tuned, after.limit)


def _other_slots(arena: Arena, setting: Setting, rows: tuple[Row, ...]) -> Iterator[Row]:
    """Yield what the numbers to choose from would bring; where there is one, what more of them would."""
    task, slots = arena.task, setting.slots
    numbers = task.slots
    if len(numbers) == 1:
        if all(row.after >= ENOUGH * row.came for row in rows):
            return
        numbers = tuple(sorted({slots, slots + 1, math.ceil(1.5 * slots), 2 * slots}))
    settings = [replace(setting, slots=number) for number in numbers]
    old = arena.measure(map(task.baseline, numbers))
    new = arena.measure(one.rule(task.deadline) for one in settings)
    for number, before, after in zip(numbers, old, new, strict=True):
        yield from _rows(task, number, before, after)
