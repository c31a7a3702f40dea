"""The transition table, row by row, and what the core does with inputs that no row knows."""

import math

import pytest

from timeouts.commands import Cancel, Late, Reply, Start
from timeouts.core import Core
from timeouts.job import TRANSITIONS, Event, Job, Phase
from timeouts.outcome import Outcome
from timeouts.policy import ExecutionTimeout, QueueTimeout
from timeouts.stack import Stack

ROWS = {
    ("new", "admit"): ("waiting", False),
    ("new", "refuse"): ("done", True),
    ("waiting", "start"): ("running", False),
    ("waiting", "refuse"): ("done", True),
    ("waiting", "expire"): ("done", True),
    ("waiting", "withdraw"): ("done", True),
    ("waiting", "close"): ("done", True),
    ("running", "finish"): ("done", True),
    ("running", "expire"): ("abandoned", True),
    ("running", "withdraw"): ("abandoned", True),
    ("running", "close"): ("abandoned", True),
    ("abandoned", "finish"): ("done", False),
}


def job_in(phase: Phase) -> Job:
    job = Job("a")
    job.phase = phase
    return job


@pytest.mark.parametrize("event", Event)
@pytest.mark.parametrize("phase", Phase)
def test_every_phase_and_every_event(phase: Phase, event: Event) -> None:
    """A known event leads where the table says; an unknown one is a KeyError and moves nothing."""
    job = job_in(phase)
    if (phase.value, event.value) in ROWS:
        to, replies = ROWS[phase.value, event.value]
        assert job.move(event) is replies
        assert job.phase is Phase(to)
    else:
        with pytest.raises(KeyError):
            job.move(event)
        assert job.phase is phase


def test_the_table_covers_every_phase_and_ends_in_done() -> None:
    """Each phase has its rows, and nothing happens to a job that is done."""
    assert set(TRANSITIONS) == set(Phase)
    assert TRANSITIONS[Phase.DONE] == {}
    assert sum(map(len, TRANSITIONS.values())) == len(ROWS)


def test_each_way_through_the_table_replies_exactly_once() -> None:
    """Law 2, by reading the table: no path from new to done answers twice or never."""

    def answers(phase: Phase) -> set[int]:
        rows = TRANSITIONS[phase].values()
        return {r.replies + rest for r in rows for rest in answers(r.to)} or {0}

    assert answers(Phase.NEW) == {1}


def test_a_new_job_knows_nothing_yet() -> None:
    """Instants that have not come are infinite, so that arithmetic on them needs no branch."""
    job = Job("k")
    assert (job.key, job.phase, job.items, job.priority) == ("k", Phase.NEW, 0, 0.0)
    instants = job.deadline, job.arrived, job.started, job.idle_since, job.expires
    assert instants == (math.inf,) * 5
    assert (job.blamed, job.error) == (None, None)
    assert repr(job) == "<Job 'k' new>"


def test_finish_of_a_job_nobody_knows_is_a_key_error() -> None:
    """A worker that reports twice, or for a stranger, is wrong, and is told so."""
    core = Core(Stack(), slots=1)
    core.arrive(Job("a"), 0)
    core.finish("a", Outcome(1), 1)
    for stranger in ("a", "b"):
        with pytest.raises(KeyError):
            core.finish(stranger, Outcome(1), 2)


def test_finish_of_a_waiting_job_is_a_key_error_and_changes_nothing() -> None:
    """Work that has not begun cannot be over."""
    core = Core(Stack(), slots=1)
    core.arrive(Job("a"), 0)
    waiting = Job("b")
    core.arrive(waiting, 0)
    with pytest.raises(KeyError):
        core.finish("b", Outcome(1), 1)
    assert (waiting.phase, core.waiting, core.running) == (Phase.WAITING, 1, 1)


def test_inputs_about_jobs_that_are_gone_are_no_errors() -> None:
    """A consumer or a caller may always come too late."""
    core = Core(Stack())
    assert core.progress("gone", 0) == core.resume("gone", 0) == core.withdraw("gone", 0) == []


def test_a_life_on_time() -> None:
    """Arrive, start, finish: one start, one answer."""
    core, job, outcome = Core(Stack(ExecutionTimeout(5))), Job("a"), Outcome("y")
    assert core.arrive(job, 0) == [Start((job,))]
    assert core.finish("a", outcome, 4) == [Reply(job, outcome)]
    assert core.outcomes == {"completed": 1}


def test_a_life_cut_short() -> None:
    """Expiry answers and cancels; the end of the work is late and frees the slot."""
    core, job, outcome = Core(Stack(ExecutionTimeout(5)), slots=1), Job("a"), Outcome("y")
    core.arrive(job, 0)
    reply, cancel = core.tick(5)
    assert isinstance(reply, Reply)
    assert (reply.job, reply.outcome.error, cancel) == (job, job.error, Cancel((job,)))
    assert (core.running, core.abandoned, core.free, core.idle) == (0, 1, 0, True)
    assert core.finish("a", outcome, 9) == [Late(job, outcome)]
    assert (core.abandoned, core.free, job.phase) == (0, 1, Phase.DONE)
    assert core.outcomes == {"execution_timeout": 1}


def test_finish_at_the_very_deadline_is_too_late() -> None:
    """A deadline equal to now has passed, also for the work that ends at it."""
    core, job, outcome = Core(Stack(ExecutionTimeout(5))), Job("a"), Outcome("y")
    core.arrive(job, 0)
    commands = core.finish("a", outcome, 5)
    assert [type(command) for command in commands] == [Reply, Cancel, Late]
    assert job.error is not None
    assert job.error.name == "execution_timeout"


def test_a_waiting_job_expires_and_its_place_is_free() -> None:
    """It is answered, nothing is cancelled, and the next arrival takes its place."""
    core = Core(Stack(QueueTimeout(5)), slots=1, capacity=1)
    core.arrive(Job("a"), 0)
    core.arrive(Job("b"), 0)
    assert core.next_timer() == 5
    (reply,) = core.arrive(Job("c"), 5)
    assert isinstance(reply, Reply)
    assert reply.job.key == "b"
    assert (core.waiting, core.next_timer()) == (1, 10)


def test_an_error_that_the_shell_has_let_go_of_is_not_missed() -> None:
    """A shell may clear `job.error` to break a cycle; the late end is still told."""
    core, job, outcome = Core(Stack(ExecutionTimeout(5))), Job("a"), Outcome("y")
    core.arrive(job, 0)
    core.tick(5)
    job.error = None
    assert core.finish("a", outcome, 9) == [Late(job, outcome)]
