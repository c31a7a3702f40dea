"""What a guarded function looks like to a type checker: as before, plus `acall`, `submit`, `server`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator
from typing import TYPE_CHECKING, Any, Concatenate, Never, ParamSpec, Protocol, TypeVar, overload

if TYPE_CHECKING:
    from concurrent.futures import Future

    from timeouts.server import Server

P = ParamSpec("P")
Q = ParamSpec("Q")
S = TypeVar("S")
T = TypeVar("T")
Y = TypeVar("Y")
Native_co = TypeVar("Native_co", covariant=True)
Awaited_co = TypeVar("Awaited_co", covariant=True)
Result = TypeVar("Result")


class Guarded(Protocol[P, Native_co, Awaited_co, Result]):
    """A guarded function; `Native` is what calling it gives, `Awaited` what `acall` gives."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Native_co:
        """Call it as it was called before."""
        ...

    def acall(self, *args: P.args, **kwargs: P.kwargs) -> Awaited_co:
        """Call it from a coroutine."""
        ...

    def submit(self, *args: P.args, **kwargs: P.kwargs) -> Future[Result]:
        """Call it and have a future."""
        ...

    @property
    def server(self) -> Server:
        """The server behind it."""
        ...

    def close(self) -> None:
        """Close that server."""
        ...

    @overload
    def __get__(
        self, instance: None, owner: type[Any]
    ) -> Guarded[P, Native_co, Awaited_co, Result]: ...
    @overload
    def __get__(
        self: Guarded[Concatenate[S, Q], Native_co, Awaited_co, Result],
        instance: S,
        owner: type[Any],
    ) -> Guarded[Q, Native_co, Awaited_co, Result]: ...


class Decorator(Protocol):
    """What `guard(...)` returns."""

    @overload
    def __call__(
        self, handler: Callable[P, Coroutine[Any, Any, T]], /
    ) -> Guarded[P, Coroutine[Any, Any, T], Coroutine[Any, Any, T], T]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload]
        self, handler: Callable[P, AsyncIterator[Y]], /
    ) -> Guarded[P, AsyncGenerator[Y, None], AsyncGenerator[Y, None], Never]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, handler: Callable[P, Iterator[Y]], /
    ) -> Guarded[P, Generator[Y, None, Any], AsyncGenerator[Y, None], Never]: ...
    @overload
    def __call__(self, handler: Callable[P, T], /) -> Guarded[P, T, Coroutine[Any, Any, T], T]: ...
