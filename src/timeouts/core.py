"""The pure machine: the only place where decisions live. It knows no clock, no thread and no loop.

Every input takes `now` and returns the commands that the shell must obey, in order:

    in    knock · arrive · finish · progress · resume · withdraw · tick · relimit · drain · close
          enlist · dismiss · withhold · recovered, where slots come and go with their workers
    out   Start(jobs) | Reply(job, outcome) | Cancel(jobs) | Late(job, outcome) | Learned(advice);  next_timer()

Laws, each a property test of that name:
1. Time first. Every input expires what is due at `now` before it acts; a deadline equal to `now`
   has passed. Outcomes depend on timestamps, never on when somebody ticked.
2. One reply per job, whatever races.
3. Reply is not release. Expiring a running job answers its caller at once; its slot returns only
   with `finish`, when the work is known to be over.
4. Never over-committed: running + abandoned + free = slots, always.
5. The timer is honest: after any input `next_timer() > now`, and no deadline lies before it.
6. The dead hold no place: an expired or withdrawn waiting job frees its queue place at that instant.
7. Order: among jobs that start, the discipline's order holds; a job whose deadline has passed never
   starts.
8. A job lives under the rules it arrived under: changing them for those who come later, or learning
   more, moves no deadline of those who are here.
9. A stranger's code never stops the core. What fails on a job costs that one; a discipline that fails
   to give somebody up is replaced, and all who wait in it are told.
"""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Callable, Hashable

from timeouts.admission import Admission
from timeouts.commands import Cancel, Commands, Late, Learned, Reply, Start
from timeouts.discipline import FIFO, Discipline, EarliestDeadlineFirst
from timeouts.errors import (
    PolicyFailed,
    QueueFull,
    Rejected,
    ServerClosed,
    ShuttingDown,
    TimeoutsError,
    TooManyAbandoned,
    Withdrawn,
    Work,
)
from timeouts.estimate import Learner
from timeouts.heap import Heap
from timeouts.job import (
    ADMIT,
    CLOSE,
    EXPIRE,
    FINISH,
    NEW,
    REFUSE,
    RUNNING,
    START,
    TRANSITIONS,
    WAITING,
    WITHDRAW,
    Event,
    Job,
)
from timeouts.outcome import Outcome
from timeouts.pace import STEADY, Pace
from timeouts.policy.base import Policy
from timeouts.policy.broken import Broken
from timeouts.stack import Stack


class Core:
    """Decide what happens to jobs, given what has happened and when.

    Instants may come slightly out of order, as they do when several threads read one clock: an
    earlier `now` counts as the latest one seen, except that a job has arrived when it says.

    Args:
        stack: the policies that every job is under.
        slots: how many jobs may hold a worker at once; `math.inf` for no bound.
        capacity: how many jobs may wait; `math.inf` for no bound.
        max_abandoned: how many abandoned jobs may still run before new work is refused.
        discipline: makes the queue.
        stops: whether work can be stopped, rather than only abandoned.
        admission: who is let in, beyond a place in the queue.
    """

    def __init__(
        self,
        stack: Stack,
        *,
        slots: float = math.inf,
        capacity: float = math.inf,
        max_abandoned: float = math.inf,
        discipline: Callable[[], Discipline] = EarliestDeadlineFirst,
        stops: bool = True,
        admission: Admission | None = None,
    ) -> None:
        self.stack = stack
        self.slots = slots
        self.capacity = capacity
        self.max_abandoned = max_abandoned
        self.waiting = 0  # counted here, since a discipline may be a stranger's
        self.running = 0
        self.abandoned = 0
        self.arrived = 0
        self.outcomes: Counter[str] = Counter()
        self.open = True
        self.withheld: TimeoutsError | None = None
        self.learner = Learner(stops=stops)
        self._most_slots = slots  # that there have been; workers that were killed come back
        self._closes = math.inf
        self._pace = Pace()
        self._steady_pace = Pace(STEADY)
        self._door = None if admission is None else admission.door()
        self._discipline = discipline
        self._queue = discipline()
        self._jobs: dict[Hashable, Job] = {}
        self._timers: Heap[Job] = Heap()
        self._now = -math.inf

    @property
    def free(self) -> float:
        """How many slots nobody holds."""
        return self.slots - self.running - self.abandoned

    @property
    def hopeless(self) -> int:
        """How many the admission has taken for hopeless, whether it refused them or not."""
        return 0 if self._door is None else self._door.hopeless

    @property
    def idle(self) -> bool:
        """Whether nobody waits or runs; abandoned work may still be there."""
        return not (self.running or self.waiting)

    def next_timer(self) -> float:
        """Return the earliest deadline of any job; `tick` is worth calling then."""
        return self._timers.first()

    # Inputs. Each begins by letting time pass.

    def knock(self, job: Job, now: float) -> Commands:
        """Refuse a job at the door if it would be refused now; else it has yet to arrive.

        For who has to read a large request before its job arrives, and would read it for nothing.
        """
        out = self._pass_time(now)
        if not (self._has_room() and self.open and not self.withheld):
            self._refuse(job, now, out)
        return out

    def arrive(self, job: Job, now: float) -> Commands:
        """Take in a new job: start it, queue it, or refuse it at the door.

        It may bring a stack of its own, which then stands for the core's.
        """
        if job.key in self._jobs:
            raise ValueError(f"a job with the key {job.key!r} is here already")
        out = self._pass_time(now)
        room = self._has_room()
        if not (room and self.open and not self.withheld) and self._refuse(job, now, out):
            return out
        job.arrived = now
        self.arrived += 1
        self._jobs[job.key] = job
        job.move(ADMIT)
        stack = job.stack
        if stack is None:
            job.stack = stack = self.stack
        job.advice = self.learner.advice
        job.expires, job.blamed = stack.limit(job)
        if room and job.expires > self._now:
            self._judged(0.0)  # it need not wait, and that counts
            self._start(job, out)
        else:
            self._wait(job, out)
        return out

    def finish(
        self,
        key: Hashable,
        outcome: Outcome,
        now: float,
        work: Work = "stopped",
        *,
        vacate: bool = False,
    ) -> Commands:
        """The work of a job is known to be over: free its slot, answer if nobody has yet.

        Args:
            key: names the job.
            outcome: what the handler returned or raised.
            now: the present instant.
            work: how the work ended; told by the error, if the caller was given one before.
            vacate: whether the slot is gone with its worker, until another is enlisted.
        """
        job = self._jobs[key]
        out = self._pass_time(now)
        if vacate:
            self.slots -= 1
        if job.move(FINISH):
            self.running -= 1
            self._answer(job, outcome, "completed" if outcome.error is None else "failed", out)
            self._learn(job, self._now, out, stopped=outcome.error is not None)
        else:
            self.abandoned -= 1
            if work != "killed" and not vacate:  # then it has yet to be replaced
                self.learner.recovered(self._now - job.abandoned)
            if job.error is not None:
                job.error.work = work
            out.append(Late(job, outcome))
        held = self._now - job.started
        self._pace.add(held)
        self._steady_pace.add(held)
        self._forget(job)
        if self.waiting:
            self._grant(out)
        return out

    def progress(self, key: Hashable, now: float) -> Commands:
        """A stream has produced an item. If its job is not RUNNING afterwards, nobody wants it."""
        out = self._pass_time(now)
        job = self._jobs.get(key)
        if job is not None and job.phase is RUNNING:
            job.items += 1
            job.idle_since = math.inf
            self._rearm(job, out)
        return out

    def resume(self, key: Hashable, now: float) -> Commands:
        """The consumer of a stream waits for its next item: the gap between items begins."""
        out = self._pass_time(now)
        job = self._jobs.get(key)
        if job is not None and job.phase is RUNNING and job.items:
            job.idle_since = self._now
            self._rearm(job, out)
        return out

    def withdraw(self, key: Hashable, now: float) -> Commands:
        """The caller has left. A job that is answered already is left as it is."""
        out = self._pass_time(now)
        job = self._jobs.get(key)
        if job is not None and WITHDRAW in TRANSITIONS[job.phase]:
            self._leave(job, WITHDRAW, out)
        return out

    def tick(self, now: float) -> Commands:
        """Let time pass and nothing else."""
        return self._pass_time(now)

    def enlist(self, now: float) -> Commands:
        """A worker has come, and a slot with it."""
        out = self._pass_time(now)
        self.slots += 1
        self._most_slots = max(self._most_slots, self.slots)
        self.withheld = None
        self._grant(out)
        return out

    def dismiss(self, now: float) -> Commands:
        """The worker of a free slot is gone, and the slot with it; nothing if no slot is free."""
        out = self._pass_time(now)
        if self.free >= 1:
            self.slots -= 1
        return out

    def recovered(self, seconds: float, now: float) -> Commands:
        """A worker is back, so many seconds after another had been stopped."""
        out = self._pass_time(now)
        self.learner.recovered(seconds)
        return out

    def withhold(self, error: TimeoutsError, now: float) -> Commands:
        """No worker is there, and none will be soon: say so to all who wait, and who come later.

        The next worker to be enlisted ends it.
        """
        out = self._pass_time(now)
        self.withheld = error
        self._turn_away(lambda: copy.copy(error), out)
        return out

    def relimit(self, stack: Stack, capacity: float, now: float) -> Commands:
        """Put the jobs that arrive from now on under other rules, and let so many of them wait."""
        out = self._pass_time(now)
        self.stack = stack
        self.capacity = capacity
        return out

    def drain(self, now: float, allowed: float = math.inf) -> Commands:
        """Take no new work; what waits and runs goes on, for the seconds that are allowed."""
        out = self._pass_time(now)
        self.open = False
        self._closes = min(self._closes, self._now + allowed)
        return out

    def close(self, now: float) -> Commands:
        """Take no new work and end all there is: refuse what waits, cancel what runs."""
        out = self.drain(now, allowed=0)
        for job in list(self._jobs.values()):
            if CLOSE in TRANSITIONS[job.phase]:
                self._leave(job, CLOSE, out)
        return out

    # Decisions.

    def _pass_time(self, now: float) -> Commands:
        """Expire what is due. No slot becomes free by that, so nothing starts."""
        out: Commands = []
        if now > self._now:  # twice as fast as `max`, on the hot path
            self._now = now
        else:
            now = self._now
        timers = self._timers
        while timers.first() <= now < math.inf:
            self._leave(timers.pop(), EXPIRE, out)
        return out

    def _has_room(self) -> bool:
        abandoned = self.abandoned
        return self.running + abandoned < self.slots and abandoned < self.max_abandoned

    def _refuse(self, job: Job, now: float, out: Commands) -> bool:
        job.arrived = now
        refusal = self._refusal(job)
        if refusal is None:
            return False
        self.arrived += 1
        job.move(REFUSE)
        self._invite_back(job, refusal)
        self._answer_error(job, refusal, out)
        return True

    def _refusal(self, newcomer: Job) -> TimeoutsError | None:
        if not self.open:
            return ShuttingDown("the server is shutting down and takes no new work")
        if self.withheld is not None:
            return copy.copy(self.withheld)
        if self.abandoned >= self.max_abandoned:
            return TooManyAbandoned(
                f"{self.abandoned} abandoned jobs still run; "
                f"max_abandoned={self.max_abandoned} starts no more beside them",
                limit=self.max_abandoned,
            )
        if self.waiting >= self.capacity:
            return self._full_for(newcomer)
        return None

    def _full_for(self, newcomer: Job) -> TimeoutsError | None:
        """Return what a newcomer is told by a full queue, unless somebody would give up his place."""
        if hasattr(self._queue, "loser"):
            newcomer.phase, newcomer.advice = WAITING, self.learner.advice  # as if it waited
            newcomer.expires, _ = (newcomer.stack or self.stack).limit(newcomer)
            try:
                if self._loser(newcomer) is not None:
                    return None
            except Exception as failure:  # noqa: BLE001 - it is a stranger's code
                return _failed(self._queue, failure)
            finally:
                newcomer.phase = NEW
        return self._full(f"{self.waiting} jobs wait already")

    def _full(self, fact: str) -> QueueFull:
        return QueueFull(f"{fact}; capacity={self.capacity} allows no more", limit=self.capacity)

    def _loser(self, newcomer: Job) -> Job | None:
        """Return who should give up his place in a full queue, if its order knows somebody."""
        loser: Job | None = self._queue.loser(newcomer)  # type: ignore[attr-defined]
        if loser is not None and (loser is newcomer or not self._waits(loser)):
            raise LookupError(f"loser gave {loser!r}, who does not wait")
        return loser

    def _waits(self, job: Job) -> bool:
        return job.phase is WAITING and self._jobs.get(job.key) is job

    def _wait(self, job: Job, out: Commands) -> None:
        """Have a job wait, unless it would do so in vain."""
        if job.expires <= self._now:
            self._end(job, EXPIRE, out)
            return
        try:
            refusal = self._hopeless(job) or self._queue_up(job, out)
        except Exception as failure:  # noqa: BLE001 - it is a stranger's code
            refusal = _failed(self._queue, failure)
        if refusal is None:
            self.waiting += 1
            self._arm(job, out)
        else:
            self._turn_down(job, refusal, out)

    def _queue_up(self, job: Job, out: Commands) -> TimeoutsError | None:
        if self.waiting >= self.capacity:
            loser = self._loser(job)
            if loser is None:  # though it has named one at the door
                return self._full(f"{self.waiting} jobs wait already")
            self._queue.remove(loser)
            self.waiting -= 1
            error = self._full("gave up its place for one with a better claim to it")
            self._turn_down(loser, error, out)
        self._queue.push(job)
        return None

    def _hopeless(self, job: Job) -> TimeoutsError | None:
        """Return what a job that has to wait is told if it would not be reached in time."""
        door = self._door
        if door is None or not door.foresees:
            return None
        ahead = int(self._queue.ahead(job))  # type: ignore[attr-defined]  # the options have been checked for that
        # By all slots: how long abandoned work keeps others out is in the mean already.
        wait = self._steady_pace.time_for(ahead, self._most_slots) or 0.0
        try:
            refusal = door.arrives(wait, job.expires - self._now)
        except Exception as failure:  # noqa: BLE001 - it is a stranger's code
            return _failed(door, failure)
        if refusal is not None and refusal.retry_after is not None:
            patience = job.stack.patience  # type: ignore[union-attr]  # as in `_limit`
            refusal.retry_after = min(refusal.retry_after, patience)
        return refusal

    def _judged(self, waited: float) -> TimeoutsError | None:
        """Return what a job whose turn it is is told instead, if it has waited too long."""
        door = self._door
        if door is None:
            return None
        try:
            return door.starts(waited, self._steady_pace.held, self._now)
        except Exception as failure:  # noqa: BLE001 - it is a stranger's code
            return _failed(door, failure)

    def _grant(self, out: Commands) -> None:
        while self.waiting and self._has_room():
            try:
                job = self._next()
            except Exception as failure:  # noqa: BLE001 - it is a stranger's code
                self._give_up_queue(failure, out)
                return
            self.waiting -= 1
            if refusal := self._judged(self._now - job.arrived):
                self._turn_down(job, refusal, out)
            else:
                self._start(job, out)

    def _next(self) -> Job:
        job: Job = self._queue.pop()
        if not self._waits(job):
            raise LookupError(f"pop gave {job!r}, who does not wait")
        return job

    def _remove(self, job: Job, out: Commands) -> None:
        """Take a job that has been answered out of the queue."""
        self.waiting -= 1
        try:
            self._queue.remove(job)
        except Exception as failure:  # noqa: BLE001 - it is a stranger's code
            self._give_up_queue(failure, out)

    def _give_up_queue(self, failure: Exception, out: Commands) -> None:
        """Answer all who wait: their discipline has failed, and nobody can say who is next."""
        broken, self._discipline = self._queue, FIFO
        self._turn_away(lambda: _failed(broken, failure), out)

    def _turn_away(self, error: Callable[[], TimeoutsError], out: Commands) -> None:
        """Answer all who wait, and begin another queue."""
        self._queue = self._discipline()
        self.waiting = 0
        for job in [job for job in self._jobs.values() if job.phase is WAITING]:
            self._turn_down(job, error(), out)

    def _turn_down(self, job: Job, error: TimeoutsError, out: Commands) -> None:
        """Answer a job that will not be started, and is in no queue."""
        error.elapsed = self._now - job.arrived
        job.move(REFUSE)
        self._invite_back(job, error)
        self._answer_error(job, error, out)
        self._forget(job)

    def _start(self, job: Job, out: Commands) -> None:
        job.move(START)
        job.started = self._now
        job.advice = self.learner.advice
        job.expires, job.blamed = self._limit(job)
        if job.expires > self._now:
            self.running += 1
            out.append(Start((job,)))
            self._arm(job, out)
        else:  # a rule leaves it no time at all to run, so its wait has never ended
            job.phase, job.started = WAITING, math.inf
            self._end(job, EXPIRE, out)

    def _limit(self, job: Job) -> tuple[float, Policy]:
        return job.stack.limit(job)  # type: ignore[union-attr]  # it has had one since its arrival

    def _rearm(self, job: Job, out: Commands) -> None:
        job.expires, job.blamed = self._limit(job)
        self._arm(job, out)

    def _arm(self, job: Job, out: Commands) -> None:
        """Set the timer for the deadline of the job's present phase, or end it if that has passed."""
        if job.expires <= self._now:
            self._leave(job, EXPIRE, out)
        elif job.expires < math.inf:
            self._timers.push(job, job.expires)
        else:
            self._timers.remove(job)

    def _leave(self, job: Job, event: Event, out: Commands) -> None:
        """End a job that will give no value, and give up its place if it waits."""
        waits = job.phase is WAITING
        self._end(job, event, out)
        if waits:
            self._remove(job, out)

    def _end(self, job: Job, event: Event, out: Commands) -> None:
        """Answer a job that will give no value, and cancel its work if it has begun."""
        error = self._error(job, event)
        self._invite_back(job, error)
        running = job.phase is RUNNING
        job.move(event)
        self._answer_error(job, error, out)
        if running:
            self._timers.remove(job)
            self.running -= 1
            self.abandoned += 1
            # As of its deadline, whenever that was noticed.
            at = max(job.started, min(job.expires, self._now)) if event is EXPIRE else self._now
            job.abandoned = at
            out.append(Cancel((job,)))
            self._learn(job, at, out, stopped=True)
        else:
            self._forget(job)

    def _learn(self, job: Job, at: float, out: Commands, *, stopped: bool) -> None:
        if self.learner.add(at - job.started, at, stopped=stopped):
            out.append(Learned(self.learner.advice))

    def _error(self, job: Job, event: Event) -> TimeoutsError:
        if event is EXPIRE and job.blamed is not None:
            try:
                return _checked(job.blamed.expired(job, self._now))
            except Exception as failure:  # noqa: BLE001 - it is a stranger's code
                return Broken(job.blamed, failure).expired(job, self._now)
        started = job.phase is RUNNING
        work: Work = "still running" if started else "never started"
        elapsed = self._now - job.arrived
        if event is WITHDRAW:
            message = f"the caller left after {elapsed:.3g} s"
            return Withdrawn(message, elapsed=elapsed, started=started, work=work)
        if started:
            message = "the server was closed while the job ran"
            return ServerClosed(message, elapsed=elapsed, started=started, work=work)
        return ShuttingDown("the server was closed while the job waited", elapsed=elapsed)

    def _invite_back(self, job: Job, error: TimeoutsError) -> None:
        """Say when a retry is worth it: when the server is gone, or its queue has been worked off."""
        if isinstance(error, ServerClosed | ShuttingDown):
            left = max(0.0, self._closes - self._now)
            error.retry_after = None if left == math.inf else left
        elif isinstance(error, Rejected) and error.retry_after is None:
            error.retry_after = self._time_to_start(job.stack or self.stack)

    def _time_to_start(self, stack: Stack) -> float | None:
        """Return how long a job that came now would wait: to be started, or at the most to expire."""
        served = self._pace.time_for(self.waiting + 1, self.slots - self.abandoned)
        if served is None:  # nobody has ended yet: the first who expires makes room
            served = self.next_timer() - self._now
        wait = max(0.0, min(served, stack.patience))
        return None if wait == math.inf else wait

    def _answer_error(self, job: Job, error: TimeoutsError, out: Commands) -> None:
        job.error = error
        self._answer(job, Outcome(error=error), error.name, out)

    def _answer(self, job: Job, outcome: Outcome, name: str, out: Commands) -> None:
        self.outcomes[name] += 1
        out.append(Reply(job, outcome))

    def _forget(self, job: Job) -> None:
        self._timers.remove(job)
        del self._jobs[job.key]


def _failed(stranger: object, failure: Exception) -> TimeoutsError:
    name = type(stranger).__name__
    failed = PolicyFailed(f"{name} failed: {type(failure).__name__}: {failure}")
    failed.__cause__ = failure
    return failed


def _checked(error: object) -> TimeoutsError:
    if not isinstance(error, TimeoutsError):
        raise TypeError(f"expired gave no TimeoutsError, but {error!r}")
    return error
