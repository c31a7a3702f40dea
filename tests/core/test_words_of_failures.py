"""What is said when a discipline of a stranger's fails, and when whoever is refused should come back."""

import math

import pytest

from timeouts.commands import Commands, Reply
from timeouts.core import Core
from timeouts.discipline import FIFO
from timeouts.errors import PolicyFailed, QueueFull
from timeouts.job import Job
from timeouts.outcome import Outcome
from timeouts.policy import ExecutionTimeout, QueueTimeout
from timeouts.stack import Stack

BOOM = ValueError("boom")


class RaisesOnLoser(FIFO):
    def loser(self, newcomer: Job) -> Job | None:
        raise BOOM


class NamesStranger(FIFO):
    def loser(self, newcomer: Job) -> Job | None:
        return Job("nobody")


class RaisesOnRemove(FIFO):
    def remove(self, job: Job) -> None:
        raise BOOM


def told(commands: Commands) -> list[BaseException | None]:
    return [command.outcome.error for command in commands if isinstance(command, Reply)]


@pytest.mark.parametrize(
    ("discipline", "words"),
    [
        (RaisesOnLoser, "RaisesOnLoser failed: ValueError: boom"),
        (
            NamesStranger,
            "NamesStranger failed: LookupError: loser gave <Job 'nobody' new>, who does not wait",
        ),
    ],
)
def test_who_comes_to_a_full_queue_that_fails_is_told_what_failed(
    discipline: type[FIFO], words: str
) -> None:
    core = Core(Stack(), slots=1, capacity=1, discipline=discipline)
    for key in "ab":
        core.arrive(Job(key), 0)
    (error,) = told(core.arrive(Job("c"), 0))
    assert isinstance(error, PolicyFailed)
    assert str(error) == words
    assert isinstance(error.__cause__, ValueError | LookupError)
    assert core.waiting == 1


def test_who_waits_in_a_queue_that_cannot_let_go_is_told_what_failed() -> None:
    core = Core(Stack(), slots=1, discipline=RaisesOnRemove)
    for key in "abc":
        core.arrive(Job(key), 0)
    _, error = told(core.withdraw("b", 1))
    assert str(error) == "RaisesOnRemove failed: ValueError: boom"
    assert error is not None
    assert error.__cause__ is BOOM


def refused(core: Core, now: float) -> float | None:
    (error,) = told(core.arrive(Job(object()), now))
    assert isinstance(error, QueueFull)
    return error.retry_after


def test_who_is_refused_comes_back_when_the_slots_that_are_left_have_worked_off_the_queue() -> None:
    """Work takes 0.1 s; of three slots one is held by abandoned work, and who runs holds the others."""
    core = Core(QueueTimeout(math.inf) | ExecutionTimeout(50), slots=3, capacity=1, discipline=FIFO)
    core.arrive(Job("quick"), 0)
    core.finish("quick", Outcome(), 0.1)
    core.arrive(Job("hangs"), 0.1)
    core.withdraw("hangs", 0.1)
    for key in ("a", "b", "waits"):
        core.arrive(Job(key), 0.1)
    assert (core.abandoned, core.running, core.waiting) == (1, 2, 1)
    assert refused(core, 0.1) == pytest.approx(0.1 * 2 / 2)
