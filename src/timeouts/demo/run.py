"""One run from beginning to end: train, serve, send, watch, tell."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from timeouts.clock import MONOTONIC
from timeouts.demo import report
from timeouts.demo.digits import PREDICTORS, DigitReader, Predictor
from timeouts.demo.figures import measure
from timeouts.demo.interrupt import Interrupt
from timeouts.demo.load import send
from timeouts.demo.recorder import Record, Recorder
from timeouts.demo.schedule import Request, schedule
from timeouts.demo.screen import Screen, screen_for
from timeouts.gate import Gate
from timeouts.policy import ExecutionTimeout, GatewayTimeout, QueueTimeout
from timeouts.server import Server
from timeouts.workers import KINDS

GATEWAY = GatewayTimeout(1.5, reserve=0)  # so that each of the three is seen to fire
LIMITS = GATEWAY | QueueTimeout(0.8) | ExecutionTimeout(1.0)
LEAD = 0.3  # seconds between the start of the clock's count and that of the sender's
WIDEST = 100  # columns of text; the timeline takes all there are
PATIENCE = 3.0  # seconds that the demo waits for anything after the last limit


@dataclass(frozen=True)
class Options:
    """What may be chosen on the command line."""

    seconds: float
    rate: float
    seed: int
    slots: int
    workers: str
    plot: Path | None


@dataclass
class Run:
    """What came of a run."""

    records: tuple[Record, ...] = ()
    until: float = 0.0
    interrupted: bool = False


def run(options: Options, console: Console) -> bool:
    """Do what `timeouts demo` does; return whether it went to its end."""
    logging.getLogger("timeouts").addHandler(logging.NullHandler())  # it would paint over ours
    stop_mode = KINDS[options.workers]().stop_mode
    save = _saver(options)
    console.print(report.introduction(LIMITS))
    reader = DigitReader()
    requests = schedule(
        seconds=options.seconds,
        rate=options.rate,
        slots=options.slots,
        seed=options.seed,
        images=len(reader),
    )
    console.print(report.announcement(requests, options.seconds, options.slots, reader.taught))
    screen = screen_for(console, report.headline(LIMITS), options.slots, stop_mode)
    seen = watch(PREDICTORS[options.workers](reader), requests, options, screen)
    figures = measure(
        seen.records, lambda record: reader.truth(record.request), options.slots, seen.until
    )
    timeline = report.timeline(seen.records, options.slots, seen.until, stop_mode, console.width)
    console.print(timeline)
    summary = report.summary(figures, LIMITS, options.slots, interrupted=seen.interrupted)
    console.print(summary, width=min(console.width, WIDEST))
    if save is not None and seen.records:
        with contextlib.suppress(KeyboardInterrupt):  # who interrupts this wants no picture
            save(seen)
            console.print(f"The timeline is in {options.plot}.", soft_wrap=True, highlight=False)
    return not seen.interrupted


def watch(
    predictor: Predictor, requests: tuple[Request, ...], options: Options, screen: Screen
) -> Run:
    """Serve the requests and show it; a Ctrl-C ends it at once, with what was seen so far."""
    clock, stop = MONOTONIC, Gate()
    recorder = Recorder(requests, clock)
    server = Server(
        predictor.predict,
        LIMITS,
        slots=options.slots,
        workers=options.workers,
        observers=[recorder],
        clock=clock,
    )
    seen, interrupt = Run(), Interrupt()

    def send_all() -> None:
        send(requests, server.submit, recorder.told, clock=clock, start=recorder.start, stop=stop)

    def look() -> None:
        seen.records, seen.until = recorder.seen(), max(clock.now() - recorder.start, 0.0)

    def watch_until(over: Callable[[], bool], limit: float) -> None:
        while not (over() or interrupt.came) and clock.now() - recorder.start < limit:
            look()
            screen.show(seen.records, server.stats(), max(seen.until, 0.0))
            time.sleep(screen.interval)
        look()

    last = requests[-1].at + GATEWAY.timeout
    try:
        server.start()
        recorder.start = clock.now() + LEAD
        with interrupt, screen:
            threading.Thread(target=send_all, name="sender", daemon=True).start()
            watch_until(lambda: recorder.all_told, last + PATIENCE)
            predictor.let_go()
            watch_until(lambda: not server.stats().abandoned, last + 2 * PATIENCE)
    except KeyboardInterrupt:  # before there was anything to see, or the second one
        look()
        interrupt.came = True
    finally:
        stop.ring()
        predictor.let_go()
        server.close()
    seen.interrupted = interrupt.came
    return seen


def _saver(options: Options) -> Callable[[Run], None] | None:
    """Load what draws before the run, so that a missing package is told at once."""
    if options.plot is None:
        return None
    from timeouts.demo import plot

    file = options.plot
    return lambda seen: plot.save(
        file, seen.records, options.slots, seen.until, LIMITS, KINDS[options.workers]().stop_mode
    )
