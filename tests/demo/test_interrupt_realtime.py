"""The first Ctrl-C of a demo breaks off nothing in the middle: what was seen is still told."""

import io
import signal
import threading
from collections.abc import Generator, Sequence
from typing import Any, Self

import pytest

pytest.importorskip("rich")

from rich.console import Console

from timeouts.demo.interrupt import Interrupt
from timeouts.demo.recorder import Record
from timeouts.demo.run import Options, watch
from timeouts.demo.schedule import Kind, Request
from timeouts.demo.screen import Lines
from timeouts.server import Stats

pytestmark = pytest.mark.realtime


@pytest.fixture(autouse=True)
def default_handler() -> Generator[None]:
    """Whoever started the tests may have had SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_first_one_is_noted_and_the_second_is_an_exception() -> None:
    with Interrupt() as interrupt:
        assert not interrupt.came
        signal.raise_signal(signal.SIGINT)
        assert interrupt.came
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_block_without_one_leaves_all_as_it_was() -> None:
    with Interrupt() as interrupt:
        pass
    assert not interrupt.came
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_program_that_ignores_it_goes_on_doing_so() -> None:
    """As in the background of a shell without job control."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGINT)
    assert not interrupt.came
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_another_thread_takes_nothing() -> None:
    """Only the main one may, and only it is interrupted."""
    came = list[bool]()

    def enter() -> None:
        with Interrupt() as interrupt:
            came.append(interrupt.came)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join(10)
    assert came == [False]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


class Quick:
    """A predictor that has nothing to read."""

    def __init__(self) -> None:
        self.ended = False

    def predict(self, request: Request) -> int:
        return request.number

    def let_go(self) -> None:
        self.ended = True


class Interrupted(Lines):
    """A screen on which Ctrl-C comes in the middle of drawing."""

    interval = 0.0

    def __init__(self, console: Console, presses: int) -> None:
        super().__init__(console, slots=1)
        self.presses = presses
        self.drawn = 0

    def __enter__(self) -> Self:
        return self

    def show(self, records: Sequence[Record], stats: Stats, now: float) -> None:
        for _ in range(self.presses):
            signal.raise_signal(signal.SIGINT)
        super().show(records, stats, now)
        self.drawn += 1


def watched(presses: int) -> tuple[Any, Interrupted, Quick]:
    """Watch one request that is due in ten minutes, on a screen that is interrupted."""
    console, predictor = Console(file=io.StringIO(), width=100), Quick()
    screen = Interrupted(console, presses)
    far_off = Request(1, 600.0, Kind.QUICK, cost=0.0, image=0)
    options = Options(600.0, 1.0, seed=0, slots=1, workers="thread", plot=None)
    return watch(predictor, (far_off,), options, screen), screen, predictor


def test_a_frame_is_drawn_to_its_end_and_no_further_one_is_begun() -> None:
    seen, screen, predictor = watched(presses=1)
    assert seen.interrupted
    assert screen.drawn == 1
    assert predictor.ended
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_who_insists_is_heard_in_the_middle_of_a_frame() -> None:
    seen, screen, predictor = watched(presses=2)
    assert seen.interrupted
    assert screen.drawn == 0
    assert predictor.ended
