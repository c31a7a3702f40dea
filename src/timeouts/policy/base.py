"""What a policy is: a rule that says, given what has happened to a job so far, by when its phase must end.

Laws:
- `deadline` is pure: it reads the job and the policy, nothing else, and asks no clock.
- `math.inf` means "no opinion in this phase".
- A longer timeout never gives an earlier deadline.

`timeouts.testing.check_policy` holds any policy, also a stranger's, to these.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import MISSING, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, dataclass_transform

from pydantic import ConfigDict, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass

from timeouts.deadline import written
from timeouts.errors import DeadlineExceeded, TimeoutsError
from timeouts.job import RUNNING, Job

if TYPE_CHECKING:
    from timeouts.adapters.executor import LimitedExecutor
    from timeouts.estimate import Advice
    from timeouts.explain import Explanation
    from timeouts.guarded import Decorator
    from timeouts.stack import Stack


Host = TypeVar("Host")


class Interval(StrEnum):
    """The interval of a job's life that a policy bounds."""

    WAITING = "waiting time"
    SERVICE = "service time"
    SOJOURN = "sojourn time"
    FIRST_ITEM = "time to first item"
    IDLE = "gap between items"
    OWN = "a rule of its own"


class Composable(ABC):
    """What policies and stacks share: they compose with `|`, outermost first, and decorate handlers."""

    @property
    @abstractmethod
    def policies(self) -> tuple[Policy, ...]:
        """The rules, outermost first."""

    def __or__(self, inner: object) -> Stack:
        """Compose with the rules further in; `Stack()` is the identity."""
        from timeouts.stack import Stack

        others: Any = inner.policies if isinstance(inner, Composable) else (inner,)
        return Stack(*self.policies, *others)

    def apply(self, host: Host, /, **options: Any) -> Host:
        """Put a server that you already have under these rules, and return it.

        Args:
            host: a `LitServer` or `LitAPI`, or an application of FastAPI, Starlette or Flask. It is
                changed in place.
            **options: as for `apply` in the adapter of that host, such as `timeouts.adapters.litserve`.

        Raises:
            TypeError: the host is none of these, or an option is unknown.
            ValueError: an option makes no sense, or limits are applied already.
        """
        from timeouts.adapters.hosts import apply

        return apply(self, host, options)

    def wrap(self, executor: Any, /, **options: Any) -> LimitedExecutor:
        """Return an executor that runs what it is given on another one, under these rules.

        Args:
            executor: any `concurrent.futures.Executor`.
            **options: as for `LimitedExecutor` in `timeouts.adapters.executor`.

        Raises:
            TypeError, ValueError: an argument makes no sense; the message names it and its value.
        """
        from timeouts.adapters.executor import LimitedExecutor

        return LimitedExecutor(executor, self, **options)

    def explain(self, advice: Advice | None = None, executions: int | None = None) -> Explanation:
        """Tell which interval each policy bounds, which can never fire, what is unbounded, and what was learned.

        Args:
            advice: what is advised at present, as `Server.advice` has it; None leaves it out.
            executions: how many there have been so far, where that is known.
        """
        from timeouts.explain import explain

        return explain(self.policies, advice, executions)

    if TYPE_CHECKING:  # the decorated function keeps its types

        @property
        def __call__(self) -> Decorator:  # noqa: D102 - documented below
            ...

    else:

        def __call__(self, handler: Any, /) -> Any:
            """Put a handler under these rules: a policy is a decorator, `guard` with its defaults."""
            from timeouts.decorate import under

            return under(self, handler)


class Policy(Composable):
    """A rule; subclass it, give `deadline`, and it works wherever the built-in ones do.

    Attributes:
        error: what the caller gets when this rule fires.
        interval: what the rule bounds, for `Stack.explain`.
    """

    error: ClassVar[type[TimeoutsError]] = DeadlineExceeded
    interval: ClassVar[Interval] = Interval.OWN

    @abstractmethod
    def deadline(self, job: Job) -> float:
        """Return the instant by which the job's present phase must end; `math.inf` for no opinion."""

    def soft_deadline(self, job: Job) -> float:  # noqa: ARG002 - most rules have none
        """Return the instant at which a running handler is interrupted, in workers that can do so."""
        return math.inf

    def since(self, job: Job) -> float:
        """Return the instant from which the interval is counted, for the error's `elapsed`."""
        return job.arrived

    def expired(self, job: Job, now: float) -> TimeoutsError:
        """Return the error for a job whose `deadline`, as `job.expires` has it, has passed."""
        running = job.phase is RUNNING
        since = min(self.since(job), now)
        return self.error(
            policy=self,
            limit=round(job.expires - since, 9),
            elapsed=now - since,
            started=running,
            work="still running" if running else "never started",
        )

    def rule(self, limit: float | None) -> str:
        """Say the rule as the second half of an error's message."""
        allowed = "" if limit is None else f" allows {written(limit)} s"
        return f"{type(self).__name__}{allowed}"

    @property
    def policies(self) -> tuple[Policy, ...]:
        """Itself: a policy is a stack of one."""
        return (self,)


P = TypeVar("P", bound=type[Policy])


@dataclass_transform(frozen_default=True)
def policy(cls: P) -> P:
    """Make a policy class a frozen pydantic dataclass whose errors are in the user's words.

    pydantic reports a bad positional argument as "1 validation error ... 0 ..."; here the message
    names the class, the parameter and the value.
    """
    validated: Any = pydantic_dataclass(
        frozen=True,
        repr=cls.__repr__ is object.__repr__,
        config=ConfigDict(arbitrary_types_allowed=True, extra="forbid"),
    )(cls)
    validated.__init__ = _in_the_users_words(validated.__init__)
    return validated  # type: ignore[no-any-return]


def _in_the_users_words(construct: Callable[..., None]) -> Callable[..., None]:
    def __init__(self: Policy, /, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - it becomes one
        try:
            construct(self, *args, **kwargs)
        except ValidationError as invalid:
            raise _translated(type(self), invalid, args, kwargs) from None
        except TypeError as wrong:
            raise TypeError(f"{type(self).__name__}: {wrong}") from None

    return __init__


def _translated(cls: type[Any], invalid: ValidationError, args: Any, kwargs: Any) -> Exception:
    """Turn pydantic's report into one sentence, of the type that Python itself would raise."""
    context = invalid.errors(include_url=False)[0].get("ctx", {})
    if reason := context.get("error"):
        return ValueError(f"{cls.__name__}: {reason}")
    takes = ", ".join(
        field.name if field.default is MISSING else f"{field.name}={field.default!r}"
        for field in fields(cls)
    )
    got = ", ".join([*map(repr, args), *(f"{name}={value!r}" for name, value in kwargs.items())])
    return TypeError(f"{cls.__name__} takes ({takes}); got ({got})")
