"""A worker: one thread, one channel, one call at a time.

Laws:
- Every call gets one answer, whatever the handler does that leaves the process alive.
- Nothing of a call survives it here: its timer is off before the answer is written.
- A worker ends when the server closes its channel or dies.
- Only the worker speaks for itself: a process that its handler forks cannot, and has no channel.
"""

from __future__ import annotations

import contextlib
import faulthandler
import inspect
import math
import os
import pickle
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from threading import get_ident
from time import monotonic
from typing import Any, NoReturn

from timeouts import soft
from timeouts.current import SERVING
from timeouts.errors import ExecutionTimeoutError
from timeouts.estimate import Advice
from timeouts.handler import handler_of
from timeouts.job import DONE, RUNNING, Job
from timeouts.soft import SoftTimeout
from timeouts.stack import Stack
from timeouts.workers.process import answers, around, birth, charter, native
from timeouts.workers.process.birth import Birth
from timeouts.workers.process.charter import Charter
from timeouts.workers.process.child.vigil import Vigil
from timeouts.workers.process.frames import (
    AROUND,
    CALL,
    CALL_TIMES,
    CALL_TIMES_SIZE,
    CHUNK,
    ERROR,
    GO,
    ITEM,
    LIMITS,
    NEXT,
    READY,
    RETIRE,
    UNFIT,
    VALUE,
    Frame,
    Reader,
    frame,
)
from timeouts.workers.process.parcel import Unsendable, pack
from timeouts.workers.process.post import Post


def main(number: int, fds: list[int], born: Birth, told: Charter | None) -> NoReturn:
    """Live as a fork of the template."""
    code = 1
    try:
        channel, errors, dumps, outgoing, incoming = fds
        os.setpgid(0, 0)
        os.dup2(errors, 2)
        os.close(errors)
        _live(number, channel, dumps, Post(outgoing, incoming), born, told)
        code = 0
    except BaseException:  # noqa: BLE001 - the process ends here, whatever it is
        traceback.print_exc()
    finally:
        _flush()
        os._exit(code)


def exec_main() -> NoReturn:
    """Live as a Python of its own; the descriptors are where the template has put them."""
    channel, dumps, outgoing, incoming, told = range(3, 8)
    errors = os.dup(2)
    with open(told, "rb", closefd=False) as file:
        written = os.pread(file.fileno(), os.fstat(told).st_size, 0)
    main(int(sys.argv[2]), [channel, errors, dumps, outgoing, incoming], birth.read(written), None)


def _live(  # noqa: PLR0917
    number: int, channel: int, dumps: int, post: Post, born: Birth, told: Charter | None
) -> None:
    template = os.getppid()
    native.die_with_parent()
    native.adopt_orphans()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    for normal in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(normal, signal.SIG_DFL)
    faulthandler.enable(2)
    faulthandler.register(native.DUMP_SIGNAL, file=dumps, all_threads=True, chain=False)
    if os.getppid() != template:  # it died before we asked to be told
        return
    sock = socket.socket(fileno=channel)
    if sock.recv(len(GO)) != GO:  # the server has let go
        return
    try:
        if told is None:
            with born.settling_in():
                told = charter.read(born.charter)
        if told.setup is not None:
            _set_up(told.setup, number)
    except BaseException:  # noqa: BLE001 - whatever it is, the server is told
        with sock, contextlib.suppress(ConnectionError):
            sock.sendall(frame(UNFIT, 0, traceback.format_exc().encode()[-32768:]))
            sock.recv(1)  # until the server has read it and lets go
        return
    with sock, contextlib.suppress(ConnectionError):  # the server has let go, and says why itself
        sock.sendall(frame(READY, 0))
        Worker(sock, post, told, born).serve()


def _set_up(setup: Callable[..., object], number: int) -> None:
    """Call the user's setup, with this worker's number if it takes an argument."""
    try:
        takes_number = bool(inspect.signature(setup).parameters)
    except (TypeError, ValueError):  # some builtins have no signature
        takes_number = False
    setup(*(number,) * takes_number)


class _Clock:
    now = staticmethod(monotonic)


class Served:
    """The call that is being served, as `remaining()` and `checkpoint()` look at it.

    The job behind it, and its limit, are made when somebody asks: most handlers never do.
    """

    __slots__ = (
        "_age",
        "_idle_since",
        "_items",
        "_job",
        "_learned",
        "_left",
        "_told",
        "phase",
        "started",
        "thread",
    )

    clock = _Clock
    callers = None
    error = None

    def __init__(self, told: Charter, left: float, age: float, learned: float) -> None:
        self.started = monotonic()
        self.phase = RUNNING
        self.thread = get_ident()
        self._told = told
        self._left = left
        self._age = age
        self._learned = learned
        self._items = 0
        self._idle_since = math.inf
        self._job: Job | None = None

    def __getattr__(self, name: str) -> Any:
        """Have everything else from the job."""
        return getattr(self.job, name)

    @property
    def job(self) -> Job:
        """The job, as policies look at it."""
        if self._job is None:
            self._job = job = Job("served", deadline=self.started + self._left)
            job.arrived = self.started - self._age
            job.started = self.started
            job.items = self._items
            job.idle_since = self._idle_since
            job.phase = RUNNING
            job.advice = Advice(execution=self._learned)
            job.expires, job.blamed = self._told.limits.limit(job)
        return self._job

    def go_on(self) -> None:
        """An item of its stream was taken, and the next is asked for: other limits apply."""
        self._items += 1
        self._idle_since = monotonic()
        self._job = None

    @property
    def function(self) -> object:
        """The handler, which may call itself."""
        return self._told.handler


class Forked:
    """What a process that the handler has forked finds in the place of the channel."""

    def __getattr__(self, name: str) -> NoReturn:
        """Refuse: it has returned from the handler, which only the worker may do."""
        raise RuntimeError(
            "a process that a handler forks cannot return from it: end it by os._exit"
        )


class Worker:
    """Serves calls from one channel."""

    def __init__(self, sock: socket.socket, post: Post, told: Charter, born: Birth) -> None:
        self._sock = sock
        self._post = post
        self._told = told
        self._handler = told.handler
        self._is_stream = handler_of(told.handler).is_stream
        self._obey(told.limits)
        self._max_jobs = born.max_jobs
        self._max_memory = born.max_memory
        self._jobs = 0
        self._vigil = Vigil(sock)
        self._reader = Reader()
        self._frames: list[Frame] = []
        self._leave: Callable[[], None] | None = None
        os.register_at_fork(after_in_child=self._disown)

    def _disown(self) -> None:
        """In a process that the handler has forked: nobody there reads, writes or answers for this one."""
        if isinstance(self._sock, socket.socket):  # and not a fork of a fork
            self._sock.close()
            self._sock = self._post = Forked()  # type: ignore[assignment]

    def _obey(self, limits: Stack) -> None:
        self._told = self._told._replace(limits=limits)
        self._soft = any(getattr(p, "soft", math.inf) < math.inf for p in limits.policies)

    def serve(self) -> None:
        """Answer calls until the channel is closed."""
        while (asked := self._receive()) is not None:
            kind, number, body = asked
            if kind == AROUND:
                self._leave = around.enter(body)
            elif kind == LIMITS:
                self._obey(pickle.loads(body))  # noqa: S301 - the server wrote it
            elif kind == CALL:
                kind, body = self._answer(number, body)
                self._sock.sendall(frame(kind | self._weary(), number, body))
                _flush()
            del asked, body  # nothing of a call outlives it

    def _receive(self) -> Frame | None:
        while not self._frames:
            self._vigil.keep()
            data = self._sock.recv(CHUNK)
            if not data:
                return None
            self._frames = self._reader.feed(data)
        return self._frames.pop(0)

    def _answer(self, number: int, body: bytes) -> tuple[int, bytes]:
        served = Served(self._told, *CALL_TIMES.unpack_from(body))
        token = SERVING.set(served)  # type: ignore[arg-type]
        try:
            try:
                try:
                    function, args, kwargs = self._post.unwrap(body[CALL_TIMES_SIZE:])
                except BaseException as why:  # noqa: BLE001 - whatever a stranger's class does on loading
                    return ERROR, self._failure(why, _unloadable(why))
                function = self._handler if function is None else charter.bare(function)
                if self._soft or self._is_stream:
                    value = self._run(number, served, function, args, kwargs)
                else:
                    value = function(*args, **kwargs)
                return VALUE, self._post.wrap(pack(value))
            except Unsendable as why:
                return ERROR, self._failure(
                    why, f"the result of the handler cannot be sent back: {why}"
                )
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the caller's
            return ERROR, self._failure(error, None)
        finally:
            SERVING.reset(token)
            served.phase = DONE  # for what outlives the call and still looks at it
            if self._leave is not None:
                self._leave()
                self._leave = None

    def _run(
        self, number: int, served: Served, function: Callable[..., Any], args: Any, kwargs: Any
    ) -> Any:
        """Run the handler in one of the rarer ways: under a soft limit, or item by item."""

        def run() -> Any:
            made = function(*args, **kwargs)
            return self._produce(number, served, made) if self._is_stream else made

        if not self._soft:
            return run()
        instant, policy = self._told.limits.soft_limit(served.job)
        try:
            return soft.within(instant - served.started, run)
        except SoftTimeout as error:
            raise _soft_error(served, policy) from error

    def _produce(self, number: int, served: Served, items: Any) -> Any:
        """Send items one by one, each when it is asked for."""
        try:
            while True:
                try:
                    item = next(items)
                except StopIteration as end:
                    return end.value
                self._sock.sendall(frame(ITEM, number, self._post.wrap(pack(item))))
                del item
                if not self._asked_on(number):
                    return None
                served.go_on()
        finally:
            items.close()

    def _asked_on(self, number: int) -> bool:
        """Wait until the consumer asks for the next item, or wants no more."""
        while (asked := self._receive()) is not None:
            if asked.number == number:
                return asked.kind == NEXT
        return False

    def _failure(self, error: BaseException, message: str | None) -> bytes:
        """Write an error so that it can be told even if it cannot be sent, or not be rebuilt."""
        text = "".join(traceback.format_exception(error))
        name = f"{type(error).__module__}.{type(error).__qualname__}"
        said = message or f"{name}: {answers.message(error)}"
        whole = None
        if message is None:
            with contextlib.suppress(Exception):
                whole = pickle.dumps(error, 5)
        return self._post.wrap(pack((whole, said, text)))

    def _weary(self) -> int:
        self._jobs += 1
        if self._max_jobs is not None and self._jobs >= self._max_jobs:
            return RETIRE
        if self._max_memory is not None and resident_memory() > self._max_memory:
            return RETIRE
        return 0


def _unloadable(why: BaseException) -> str:
    said = f"{type(why).__name__}: {answers.message(why)}"
    return f"the arguments of the handler arrived in its worker and cannot be loaded there: {said}"


def _soft_error(served: Served, policy: Any) -> ExecutionTimeoutError:
    elapsed = monotonic() - served.started
    return ExecutionTimeoutError(
        policy=policy, limit=policy.soft, elapsed=elapsed, started=True, work="stopped"
    )


def resident_memory() -> int:
    """Return the bytes of memory that this process holds, those it shares with the template included."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - read after every call
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:  # not Linux: the most that it ever was, in bytes there
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:  # noqa: SIM105 - `suppress` costs ten times as much, after every call
            stream.flush()
        except Exception:  # noqa: BLE001, S110 - closed, or replaced by the user; nothing is to be said
            pass
