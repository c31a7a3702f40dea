"""Stacks as values: what they take and refuse, how they compose, show, warn and explain themselves."""

import inspect
import math
import pickle
import re
import sys
import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from tests.core.scripts import stack_of
from timeouts import config
from timeouts.callsite import stacklevel_of_user
from timeouts.errors import DeadlineExceeded, TimeoutsError
from timeouts.explain import ENDPOINTS, STAGES, WITHIN
from timeouts.job import Job
from timeouts.policy import (
    BUDGET,
    ExecutionTimeout,
    FirstItemTimeout,
    GatewayTimeout,
    IdleTimeout,
    Interval,
    Policy,
    QueueTimeout,
)
from timeouts.stack import Stack, UselessPolicyWarning

GATEWAY, QUEUE, EXECUTION = GatewayTimeout(30), QueueTimeout(5), ExecutionTimeout(10)
NET = GatewayTimeout(30, reserve=0)


class Mine(Policy):
    """A policy of the user's own: one method and nothing else."""

    def deadline(self, job: Job) -> float:
        return job.arrived + 3


def test_a_stack_is_a_value() -> None:
    """Printable, hashable, comparable, picklable, in order."""
    stack = GATEWAY | QUEUE | EXECUTION
    assert repr(stack) == "GatewayTimeout(30) | QueueTimeout(5) | ExecutionTimeout(10)"
    assert stack.policies == (GATEWAY, QUEUE, EXECUTION)
    assert stack == Stack(GATEWAY, QUEUE, EXECUTION)
    assert hash(stack) == hash(Stack(GATEWAY, QUEUE, EXECUTION))
    assert stack != Stack(QUEUE, GATEWAY, EXECUTION)
    assert len({hash(stack), hash(Stack()), hash(Stack(QUEUE))}) == 3
    assert stack != stack.policies
    assert pickle.loads(pickle.dumps(stack)) == stack
    assert repr(Stack()) == "Stack()"


def test_policies_and_stacks_compose() -> None:
    """A policy is a stack of one."""
    assert GATEWAY | (QUEUE | EXECUTION) == (GATEWAY | QUEUE) | EXECUTION
    assert Stack() | QUEUE == QUEUE | Stack() == Stack(QUEUE)
    assert QUEUE.policies == (QUEUE,)


@pytest.mark.parametrize("other", [5, None, "5s", QueueTimeout])
def test_nothing_else_composes(other: object) -> None:
    """The right-hand side is named."""
    with pytest.raises(TypeError, match=f"^a stack takes policies; got {re.escape(repr(other))}"):
        GATEWAY | other


@pytest.mark.parametrize(
    ("element", "message"),
    [
        (5, "a stack takes policies; got 5"),
        (None, "a stack takes policies; got None"),
        (
            QueueTimeout,
            f"a stack takes policies; got {QueueTimeout!r}; write an instance, not the class",
        ),
        (int, "a stack takes policies; got <class 'int'>; write an instance, not the class"),
    ],
)
def test_what_is_no_policy_is_refused(element: object, message: str) -> None:
    """The class in place of an instance gets a hint."""
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        Stack(GATEWAY, element)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [ValueError, TimeoutError, "an error", None, TimeoutsError("x")])
def test_a_policy_with_a_strange_error_is_refused(wrong: object) -> None:
    """What is raised on a caller is always one of ours."""

    class Odd(Mine):
        error = wrong  # type: ignore[assignment]

    message = f"Odd.error must be a subclass of TimeoutsError; got {wrong!r}"
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        Stack(Odd())


@pytest.mark.parametrize("twin", [QueueTimeout(6), QueueTimeout(5), QUEUE], ids=["6", "5", "same"])
def test_two_policies_of_one_kind_are_refused(twin: Policy) -> None:
    """Also when they are equal, and when they are the same object."""
    message = (
        f"a stack takes one policy of each kind; got QueueTimeout(5) and {twin!r}: keep the shorter"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        QUEUE | GATEWAY | twin


def test_a_policy_of_ones_own_needs_one_method() -> None:
    """It has an error, an interval, an instant to count from, and words."""
    job = Job("a")
    job.arrived = 1
    assert Stack(Mine()).limit(job)[0] == 4
    assert (Mine.error, Mine.interval, Mine().since(job)) == (DeadlineExceeded, Interval.OWN, 1)
    assert (Mine().rule(None), Mine().rule(3)) == ("Mine", "Mine allows 3 s")
    with pytest.raises(TypeError, match="abstract"):
        Policy()  # type: ignore[abstract]


def test_the_budget_is_a_policy_that_is_always_there() -> None:
    """Its number is each job's own."""
    job = Job("a", deadline=7)
    assert (BUDGET.deadline(job), repr(BUDGET), BUDGET.rule(2)) == (
        7,
        "Budget()",
        "the caller's budget allows 2 s",
    )


# Explain.


@pytest.mark.parametrize(
    ("policies", "useless", "unbounded"),
    [
        ((), "", "waiting service sojourn"),
        ((GATEWAY,), "", ""),
        ((GatewayTimeout(math.inf),), "", "waiting service sojourn"),
        ((QUEUE,), "", "service sojourn"),
        ((EXECUTION,), "", "waiting sojourn"),
        ((QUEUE, EXECUTION), "", ""),
        ((FirstItemTimeout(5), EXECUTION), "", ""),
        ((FirstItemTimeout(5),), "", "service sojourn"),
        ((IdleTimeout(5),), "", "waiting service sojourn"),
        ((GATEWAY, QUEUE, EXECUTION, FirstItemTimeout(20), IdleTimeout(3)), "", ""),
        ((GATEWAY, QueueTimeout(30)), "QueueTimeout", ""),
        ((GATEWAY, QueueTimeout(31)), "QueueTimeout", ""),
        ((GATEWAY, QueueTimeout(29)), "", ""),
        ((GATEWAY, QueueTimeout(math.inf)), "", ""),
        ((QueueTimeout(30), GATEWAY), "QueueTimeout", ""),
        ((GatewayTimeout(30, reserve=10), QueueTimeout(20)), "QueueTimeout", ""),
        ((GatewayTimeout(30, reserve=10), QueueTimeout(19)), "", ""),
        ((GatewayTimeout(30, reserve=10), FirstItemTimeout(29)), "", ""),
        ((GATEWAY, ExecutionTimeout(30)), "ExecutionTimeout", ""),
        ((GATEWAY, FirstItemTimeout(30)), "FirstItemTimeout", ""),
        ((FirstItemTimeout(5), QUEUE), "QueueTimeout", "service sojourn"),
        ((EXECUTION, IdleTimeout(10)), "IdleTimeout", "waiting sojourn"),
        ((GATEWAY, IdleTimeout(30)), "IdleTimeout", ""),
        ((QUEUE, ExecutionTimeout(5)), "", ""),
        ((GATEWAY, Mine()), "", ""),
        ((Mine(),), "", "waiting service sojourn"),
    ],
    ids=repr,
)
def test_what_a_stack_means(policies: tuple[Policy, ...], useless: str, unbounded: str) -> None:
    """Which policies can never fire, and which stages nothing bounds."""
    told = stack_of(*policies).explain()
    assert [type(policy).__name__ for policy, _ in told.useless] == useless.split()
    assert [str(stage) for stage in told.unbounded] == [f"{n} time" for n in unbounded.split()]
    assert told.bounds == tuple((policy, policy.interval) for policy in policies)


@pytest.mark.parametrize(
    ("policies", "unreached"),
    [
        ((NET, QUEUE, EXECUTION), "GatewayTimeout"),
        ((EXECUTION, QUEUE, NET), "GatewayTimeout"),
        ((GatewayTimeout(15, reserve=0), QUEUE, EXECUTION), "GatewayTimeout"),
        ((GatewayTimeout(14, reserve=0), QUEUE, EXECUTION), ""),
        ((GatewayTimeout(math.inf, reserve=0), QUEUE, EXECUTION), ""),
        ((GATEWAY, QUEUE, EXECUTION), "GatewayTimeout"),
        ((GatewayTimeout(15), QUEUE, EXECUTION), "GatewayTimeout"),  # 5.25 s are left to wait in
        ((GatewayTimeout(15), QueueTimeout(5.5), ExecutionTimeout(9)), ""),
        ((GatewayTimeout(14), QUEUE, EXECUTION), ""),
        ((GatewayTimeout(math.inf), QUEUE, EXECUTION), ""),
        ((GatewayTimeout(30, reserve=25), QUEUE, EXECUTION), ""),  # the queue limit is useless
        ((GatewayTimeout(30, reserve=24), QUEUE, EXECUTION), "GatewayTimeout"),
        ((GatewayTimeout(30, reserve=27), FirstItemTimeout(4), EXECUTION), ""),
        ((GatewayTimeout(30, reserve=26), FirstItemTimeout(4), EXECUTION), ""),  # a tie
        ((GatewayTimeout(30, reserve=25), FirstItemTimeout(4), EXECUTION), "GatewayTimeout"),
        ((GATEWAY, QUEUE, ExecutionTimeout("auto")), ""),
        ((GATEWAY, QUEUE, ExecutionTimeout("auto", at_most=10)), "GatewayTimeout"),
        ((NET, QUEUE), ""),
        ((NET, EXECUTION), ""),
        ((NET, FirstItemTimeout(5), EXECUTION), "GatewayTimeout"),
        ((FirstItemTimeout(15), QUEUE, EXECUTION), "FirstItemTimeout"),
        ((FirstItemTimeout(14), QUEUE, EXECUTION), ""),
        ((FirstItemTimeout(16), NET, QUEUE, EXECUTION), "FirstItemTimeout GatewayTimeout"),
        ((FirstItemTimeout(20), GatewayTimeout(18, reserve=0), QUEUE, EXECUTION), "GatewayTimeout"),
        ((GatewayTimeout(30, reserve=20), EXECUTION, FirstItemTimeout(20)), "FirstItemTimeout"),
        ((NET, QUEUE, EXECUTION, IdleTimeout(9)), "GatewayTimeout"),
        ((NET, QUEUE, EXECUTION, Mine()), "GatewayTimeout"),
    ],
    ids=repr,
)
def test_what_two_others_add_up_to_is_never_reached(
    policies: tuple[Policy, ...], unreached: str
) -> None:
    """A wait and a run that are bounded bound the whole, and nothing that is useless is told twice."""
    told = stack_of(*policies).explain()
    assert [type(policy).__name__ for policy, _ in told.unreached] == unreached.split()


def test_every_policy_says_what_it_bounds() -> None:
    """Each kind its own interval, and each interval its ends."""
    assert [kind.interval for kind in (GatewayTimeout, QueueTimeout, ExecutionTimeout)] == [
        Interval.SOJOURN,
        Interval.WAITING,
        Interval.SERVICE,
    ]
    assert (FirstItemTimeout.interval, IdleTimeout.interval, BUDGET.interval) == (
        Interval.FIRST_ITEM,
        Interval.IDLE,
        Interval.SOJOURN,
    )
    assert set(WITHIN) == set(ENDPOINTS) == set(Interval)
    assert STAGES == (Interval.WAITING, Interval.SERVICE, Interval.SOJOURN)


def test_an_explanation_prints_nicely() -> None:
    """One aligned line for each fact."""
    told = stack_of(FirstItemTimeout(4), QueueTimeout(5), Mine()).explain()
    mine = repr(told.bounds[2][0])
    width = len(mine)
    reason = (
        "QueueTimeout(5) can never end anything earlier than FirstItemTimeout(4), "
        "which allows 4 s for the waiting time: shorten it or leave it out"
    )
    assert str(told).replace(mine, "Mine()").splitlines()[1:] == [
        f"{'QueueTimeout(5)':<{width}}  bounds the waiting time (arrival → a worker takes it)",
        "Mine()  bounds the a rule of its own (as its own docstring says)",
        f"useless: {reason}",
        "unbounded: the service time (a worker takes it → done)",
        "unbounded: the sojourn time (arrival → done)",
    ]
    assert str((NET | QUEUE | EXECUTION).explain()).splitlines()[3] == (
        "never reached: GatewayTimeout(30, reserve=0), because QueueTimeout(5) and ExecutionTimeout(10) "
        "together allow 15 s"
    )
    assert str((GATEWAY | QUEUE | EXECUTION).explain()).splitlines()[3] == (
        "never reached: GatewayTimeout(30), because QueueTimeout(5) and ExecutionTimeout(10) together allow "
        "15 s; only under a caller's own shorter budget does its reserve end a wait"
    )
    first = stack_of(FirstItemTimeout(16), QUEUE, EXECUTION).explain()
    assert str(first).endswith("QueueTimeout(5) and ExecutionTimeout(10) together allow 15 s")
    assert str(Stack().explain()).startswith("unbounded: the waiting time")
    assert str(Stack(GATEWAY).explain()) == (
        "GatewayTimeout(30)  bounds the sojourn time (arrival → done)"
    )


# Warnings.


USELESS = (
    "QueueTimeout(40) can never end anything earlier than GatewayTimeout(30), which allows 30 s "
    "for the waiting time: shorten it or leave it out"
)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Stack(GATEWAY, QueueTimeout(40)),
        lambda: GATEWAY | QueueTimeout(40),
        lambda: config.load({"gateway": 30, "queue": 40}),
        lambda: GATEWAY(QueueTimeout(40)(len)),
    ],
)
def test_a_useless_policy_warns_at_the_users_line(make: Callable[[], object]) -> None:
    """The warning points here, not into the library, however the stack was made."""
    with pytest.warns(UselessPolicyWarning, match=f"^{re.escape(USELESS)}$") as caught:
        make()
    (warning,) = caught
    assert (warning.filename, warning.lineno) == (__file__, make.__code__.co_firstlineno)


def test_a_useless_policy_warns_in_words() -> None:
    """Once for each, with the reason."""
    with pytest.warns(UselessPolicyWarning, match=f"^{re.escape(USELESS)}$") as caught:
        Stack(GATEWAY, QueueTimeout(40))
    assert len(caught) == 1


def test_a_useful_stack_is_made_without_a_word() -> None:
    """Warnings are errors in these tests; a safety net that is never reached is no mistake."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (GATEWAY | QUEUE | EXECUTION).explain().useless == ()


def test_the_users_line_is_the_nearest_outside() -> None:
    """The frame right above is the line that a warning names."""
    assert stacklevel_of_user() == 1


@pytest.mark.parametrize(("name", "level"), [("timeouts", 2), ("timeouts.x", 2), ("timeoutsx", 1)])
def test_the_users_line_is_not_in_the_library(name: str, level: int) -> None:
    """Only of the library: a package whose name merely begins alike is a user's."""
    space = {"__name__": name, "ask": stacklevel_of_user}
    exec("def inside():\n    return ask()", space)
    inside: Callable[[], int] = space["inside"]  # type: ignore[assignment]
    assert inside() == level


def test_the_users_line_is_at_most_the_outermost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program whose first frame is the library's own still gets its warning."""

    class Outermost:
        f_back = None
        f_globals: ClassVar[dict[str, str]] = {"__name__": "timeouts.cli"}

    monkeypatch.setattr(sys, "_getframe", lambda depth: Outermost)
    level = stacklevel_of_user()
    monkeypatch.undo()
    assert level == 1


def test_the_signatures_of_policies_are_their_own() -> None:
    """Editors and help show the parameters, not `*args, **kwargs`."""
    assert list(inspect.signature(QueueTimeout).parameters) == ["timeout"]
    assert inspect.signature(GatewayTimeout).parameters["reserve"].default == "auto"


@pytest.mark.parametrize("limits", [EXECUTION, GATEWAY | EXECUTION])
def test_policies_and_stacks_are_decorators(limits: Policy | Stack) -> None:
    """They put a function under themselves, and leave it its name."""

    def handler(x: int) -> int:
        return x

    guarded: Any = limits(handler)
    assert (guarded.__name__, guarded.__wrapped__) == ("handler", handler)
