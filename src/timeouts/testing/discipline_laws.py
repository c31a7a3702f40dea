"""The laws of `timeouts.discipline`, for anybody's discipline.

Each message begins with the law that is broken:

- begins empty: the factory makes a new, empty queue every time, and queues share nothing.
- counts right: `len` is what was pushed less what has left, and an empty queue is falsy.
- leaves once: what is pushed leaves once, by `pop` or by `remove`, and nothing else ever does.
- only reads: nothing is written on the jobs.
- keeps order: `pop` gives the job of the smallest rank, and equal ones as they came. Only checked
  when `rank` says what the order is.

And of what a core asks a discipline that can tell, before somebody comes:

- foresees: `ahead` is how many are popped before the newcomer if nobody else comes. Only if `rank` says what the
  order is must it be exact; without, it is never more.
- gives way: `loser` is somebody who waits, or None.
- only asks: asking changes nothing; a queue that is never asked pops the same jobs.

That removing costs no scan is not timed here.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from timeouts.job import WAITING, Job
from timeouts.testing.discipline_trial import POP, PUSH, REMOVE, Factory, Move, Rank, Trial
from timeouts.testing.examples import for_all
from timeouts.testing.extra import strategies as st
from timeouts.testing.strategies import jobs

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_CROWD = 4


def _interleavings() -> list[list[Move]]:
    """Give sequences of moves, the same ones on every run, short ones first.

    No strategy draws these: the first that fails is short already, and for Hypothesis to reduce a
    drawn one, job by job, takes a hundred times longer.
    """
    dice = random.Random(2)  # noqa: S311
    moves = [(what, whom) for what in (PUSH, PUSH, POP, REMOVE) for whom in range(_CROWD)]
    return [dice.choices(moves, k=length) for length in range(1, 17) for _ in range(4)]


_INTERLEAVINGS = _interleavings()


def check_discipline(
    factory: Factory,
    *,
    rank: Rank | None = None,
    lives: SearchStrategy[Job] | None = None,
    examples: int = 20,
) -> None:
    """Hold a discipline to the laws that the built-in ones obey.

    Args:
        factory: makes the queue, without arguments: the class, as a rule.
        rank: what the discipline orders by, smallest first, equal ones as they came; `lambda job: 0`
            for first in, first out. Without it no order is checked.
        lives: the waiting jobs to queue; default any.
        examples: how many crowds of jobs to try; each goes through the same 64 interleavings.

    Cannot do: run inside a test that is itself under `@given`; Hypothesis refuses to nest. Tell an order that draws lots from
    one that asking has changed.

    Raises:
        AssertionError: a law is broken; the message names it, the discipline and who waited.
    """
    one = jobs(WAITING) if lives is None else lives
    crowd = st.lists(one, min_size=_CROWD, max_size=_CROWD, unique_by=lambda job: job.key)
    for_all(crowd, examples, lambda case: _check(factory, rank, case), reduce=False)


def _check(factory: Factory, rank: Rank | None, crowd: list[Job]) -> None:
    for moves in _INTERLEAVINGS:
        _try(factory, rank, crowd, moves)


def _try(factory: Factory, rank: Rank | None, crowd: list[Job], moves: list[Move]) -> None:
    bystander = factory()
    trial = Trial(factory(), rank, crowd)
    trial.play(moves)
    if len(bystander):
        raise AssertionError(
            f"begins empty: a second {trial.name} holds {len(bystander)} jobs that were pushed on "
            "the first; queues share nothing"
        )
    trial.end()
    if trial.tells:
        asked = Trial(factory(), rank, crowd, asking=True)
        asked.play(moves)
        asked.end()
        asked.check_served_as(trial)
