"""The laws of `timeouts.discipline`, for anybody's discipline.

Each message begins with the law that is broken:

- begins empty: the factory makes a new, empty queue every time, and queues share nothing.
- counts right: `len` is what was pushed less what has left, and an empty queue is falsy.
- leaves once: what is pushed leaves once, by `pop` or by `remove`, and nothing else ever does.
- only reads: nothing is written on the jobs.
- keeps order: `pop` gives the job of the smallest rank, and equal ones as they came. Only checked
  when `rank` says what the order is.

That removing costs no scan is not timed here.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from timeouts.discipline import Discipline
from timeouts.job import WAITING, Job
from timeouts.testing.examples import for_all, state, untouched, written
from timeouts.testing.extra import strategies as st
from timeouts.testing.strategies import jobs

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Factory = Callable[[], Discipline]
Rank = Callable[[Job], Any]
_Move = tuple[str, int]


_CROWD = 4
_PUSH, _POP, _REMOVE = "push", "pop", "remove"


def _interleavings() -> list[list[_Move]]:
    """Give sequences of moves, the same ones on every run, short ones first.

    No strategy draws these: the first that fails is short already, and for Hypothesis to reduce a
    drawn one, job by job, takes a hundred times longer.
    """
    dice = random.Random(2)  # noqa: S311
    moves = [(what, whom) for what in (_PUSH, _PUSH, _POP, _REMOVE) for whom in range(_CROWD)]
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

    Cannot do: run inside a test that is itself under `@given`; Hypothesis refuses to nest.

    Raises:
        AssertionError: a law is broken; the message names it, the discipline and who waited.
    """
    one = jobs(WAITING) if lives is None else lives
    crowd = st.lists(one, min_size=_CROWD, max_size=_CROWD, unique_by=lambda job: job.key)
    for_all(crowd, examples, lambda case: _check(factory, rank, case), reduce=False)


def _check(factory: Factory, rank: Rank | None, crowd: list[Job]) -> None:
    for moves in _INTERLEAVINGS:
        _try(factory, rank, crowd, moves)


def _try(factory: Factory, rank: Rank | None, crowd: list[Job], moves: list[_Move]) -> None:
    bystander = factory()
    trial = _Trial(factory(), rank, crowd)
    for what, whom in moves:
        trial.make(what, whom)
    if len(bystander):
        raise AssertionError(
            f"begins empty: a second {trial.name} holds {len(bystander)} jobs that were pushed on "
            "the first; queues share nothing"
        )
    trial.drain()


class _Trial:
    """A queue beside a plain list of what should be in it, in the order in which it came."""

    def __init__(self, queue: Discipline, rank: Rank | None, crowd: list[Job]) -> None:
        self.name = type(queue).__name__
        self._queue = queue
        self._rank = rank
        self._crowd = [(job, state(job)) for job in crowd]
        self._held: list[Job] = []
        self._counts("begins empty", "made")

    def make(self, what: str, whom: int) -> None:
        """Push somebody who is not there (perhaps again), or pop or remove somebody who is."""
        held, outside = self._held, [job for job, _ in self._crowd if not self._holds(job)]
        if what == _PUSH and outside:
            self._push(outside[whom % len(outside)])
        elif what == _POP and held:
            self._pop()
        elif what == _REMOVE and held:
            self._remove(held[whom % len(held)])

    def drain(self) -> None:
        """Pop until nobody should be left."""
        while self._held:
            self._pop()

    def _holds(self, job: object) -> bool:
        return any(job is one for one in self._held)

    def _push(self, job: Job) -> None:
        self._call("push", job)
        self._held.append(job)
        self._counts("counts right", f"push({written(job)})")

    def _remove(self, job: Job) -> None:
        self._call("remove", job)
        self._let_go(job)
        self._counts("counts right", f"remove({written(job)})")

    def _pop(self) -> None:
        popped = self._call("pop")
        if not self._holds(popped):
            shown = written(popped) if isinstance(popped, Job) else repr(popped)
            raise AssertionError(
                f"leaves once: {self.name}.pop gave {shown}, which is not waiting any more; "
                f"waiting: {self._shown()}"
            )
        self._check_order(popped)
        self._let_go(popped)
        self._counts("counts right", "pop()")

    def _check_order(self, popped: Job) -> None:
        if self._rank is None:
            return
        first = min(self._held, key=self._rank)  # of equal ones min() takes the first
        if popped is not first:
            raise AssertionError(
                f"keeps order: {self.name}.pop should give {written(first)}, of rank "
                f"{self._rank(first)!r}; it gave {written(popped)}, of rank {self._rank(popped)!r}; "
                f"waiting, as they came: {self._shown()}"
            )

    def _call(self, method: str, *jobs: Job) -> Any:
        try:
            answer = getattr(self._queue, method)(*jobs)
        except Exception as error:
            args = ", ".join(map(written, jobs))
            raise AssertionError(
                f"leaves once: {self.name}.{method}({args}) raised {error!r}; "
                f"waiting: {self._shown()}"
            ) from error
        for job, was in self._crowd:
            untouched(was, job, "only reads", f"{self.name}.{method}")
        return answer

    def _let_go(self, job: Job) -> None:
        self._held = [one for one in self._held if one is not job]

    def _counts(self, law: str, after: str) -> None:
        count, should = len(self._queue), len(self._held)
        if count != should or bool(self._queue) != bool(should):
            raise AssertionError(
                f"{law}: after {after} len({self.name}) should be {should}, and its truth "
                f"{bool(should)}; they are {count} and {bool(self._queue)}"
            )

    def _shown(self) -> str:
        return "; ".join(map(written, self._held)) or "nobody"
