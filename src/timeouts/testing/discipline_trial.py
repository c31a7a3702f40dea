"""One queue, held to the laws of `discipline_laws` while jobs come and go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from timeouts.discipline import Discipline
from timeouts.job import Job
from timeouts.testing.examples import state, untouched, written

Factory = Callable[[], Discipline]
Rank = Callable[[Job], Any]
Move = tuple[str, int]

PUSH, POP, REMOVE = "push", "pop", "remove"
AHEAD, LOSER = "ahead", "loser"


class Trial:
    """A queue beside a plain list of what should be in it, in the order in which it came."""

    def __init__(
        self, queue: Discipline, rank: Rank | None, crowd: list[Job], *, asking: bool = False
    ) -> None:
        self.name = type(queue).__name__
        self.tells = [question for question in (AHEAD, LOSER) if hasattr(queue, question)]
        self._asking = asking
        self._served: list[Job] = []
        self._queue = queue
        self._rank = rank
        self._crowd = [(job, state(job)) for job in crowd]
        self._held: list[Job] = []
        self._counts("begins empty", "made")

    def play(self, moves: list[Move]) -> None:
        """Push, pop and remove."""
        for what, whom in moves:
            self._make(what, whom)

    def end(self) -> None:
        """Where it can tell who is ahead, let one more come; then pop until nobody should be left."""
        newcomers = self._outside()[:1] if AHEAD in self.tells else []
        crowd, served = self._shown(), len(self._served)
        told = [self._push(newcomer) for newcomer in newcomers]
        while self._held:
            self._pop()
        if self._asking and newcomers:
            before = self._served.index(newcomers[0], served) - served
            self._check_foresight(told[0], before, crowd)

    def check_served_as(self, quiet: Trial) -> None:
        """Raise if a queue that was not asked has served others."""
        for asked, unasked in zip(self._served, quiet._served, strict=True):
            if asked is not unasked:
                raise AssertionError(
                    f"only asks: {self.name}.pop gave {written(asked)} after {' and '.join(self.tells)} had been "
                    f"asked, and {written(unasked)} where they had not"
                )

    def _make(self, what: str, whom: int) -> None:
        """Push somebody who is not there (perhaps again), or pop or remove somebody who is."""
        held, outside = self._held, self._outside()
        if what == PUSH and outside:
            self._push(outside[whom % len(outside)])
        elif what == POP and held:
            self._pop()
        elif what == REMOVE and held:
            self._remove(held[whom % len(held)])

    def _outside(self) -> list[Job]:
        return [job for job, _ in self._crowd if not self._holds(job)]

    def _holds(self, job: object) -> bool:
        return any(job is one for one in self._held)

    def _push(self, job: Job) -> int | None:
        """Push; return how many were said to be ahead, if that was asked."""
        told = self._ask(job) if self._asking else None
        self._call("push", job)
        self._held.append(job)
        self._counts("counts right", f"push({written(job)})")
        return told

    def _ask(self, newcomer: Job) -> int | None:
        """Ask what a core asks before it lets somebody in."""
        answers = dict[str, Any]()
        for question in self.tells:
            answers[question] = self._call(question, newcomer)
            self._counts("only asks", f"{question}({written(newcomer)})")
        loser = answers.get(LOSER)
        if loser is not None and not self._holds(loser):
            raise AssertionError(
                f"gives way: {self.name}.loser({written(newcomer)}) gave {_shown(loser)}, which does not wait; "
                f"waiting: {self._shown()}"
            )
        return answers.get(AHEAD)

    def _check_foresight(self, told: object, before: int, crowd: str) -> None:
        exact = self._rank is not None
        if isinstance(told, int) and (told == before if exact else 0 <= told <= before):
            return
        raise AssertionError(
            f"foresees: {self.name}.ahead should be {'' if exact else 'at most '}{before} of the one who came "
            f"last; it is {told!r}; waiting, as they came: {crowd}"
        )

    def _remove(self, job: Job) -> None:
        self._call("remove", job)
        self._let_go(job)
        self._counts("counts right", f"remove({written(job)})")

    def _pop(self) -> None:
        popped = self._call("pop")
        if not self._holds(popped):
            raise AssertionError(
                f"leaves once: {self.name}.pop gave {_shown(popped)}, which is not waiting any more; "
                f"waiting: {self._shown()}"
            )
        self._check_order(popped)
        self._let_go(popped)
        self._served.append(popped)
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
            law = {AHEAD: "foresees", LOSER: "gives way"}.get(method, "leaves once")
            raise AssertionError(
                f"{law}: {self.name}.{method}({args}) raised {error!r}; waiting: {self._shown()}"
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


def _shown(answer: object) -> str:
    return written(answer) if isinstance(answer, Job) else repr(answer)
