"""`timeouts demo` on the command line: its options, checked before anything starts."""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer

PICTURES = (".png", ".svg", ".pdf", ".jpg", ".jpeg", ".webp")


SEED = 31  # one with which each of the policies is seen at work


class Workers(StrEnum):
    """Which kinds of workers the demo can run on."""

    THREAD = "thread"
    PROCESS = "process"


N = TypeVar("N", int, float)


def _between(least: N, most: N) -> Callable[[N], N]:
    def check(value: N) -> N:
        if not least <= value <= most:  # so is nan
            raise typer.BadParameter(f"must be between {least} and {most}; got {value:g}")
        return value

    return check


def _picture(file: Path | None) -> Path | None:
    if file is None:
        return None
    if file.suffix.lower() not in PICTURES:
        raise typer.BadParameter(f"{file} must end in one of {' '.join(PICTURES)}")
    if not file.parent.is_dir():
        raise typer.BadParameter(f"{file.parent} is no folder.")
    if file.is_dir():
        raise typer.BadParameter(f"{file} is a folder.")
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise typer.BadParameter(f"{file} cannot be written.")
    return file


def demo(
    *,
    seconds: Annotated[
        float,
        typer.Option(callback=_between(1, 600), help="How long requests arrive."),
    ] = 10.0,
    rate: Annotated[
        float,
        typer.Option(callback=_between(0.1, 200), help="How many arrive per second."),
    ] = 5.0,
    seed: Annotated[
        int, typer.Option(help="Chooses when they arrive and what they are like.")
    ] = SEED,
    slots: Annotated[
        int, typer.Option(callback=_between(1, 32), help="How many may run at once.")
    ] = 2,
    workers: Annotated[Workers, typer.Option(help="What runs them.")] = Workers.THREAD,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", callback=_picture, help="Save the timeline as a picture."),
    ] = None,
) -> None:
    """See the two stages of a request, waiting and running, each with a timeout of its own.

    A small classifier serves scikit-learn's 1,797 scanned digits. Most requests are quick, some are
    slow, some hang; every figure that is printed was measured. Threads that hang keep their slots;
    processes that hang are killed, and their slots come back.
    """
    from rich.console import Console

    from timeouts.demo.run import Options, run

    console = Console()
    if not console.is_terminal and console.width < 100:
        console = Console(width=100)
    options = Options(seconds, rate, seed, slots, workers.value, plot)
    if not run(options, console):
        raise typer.Exit(130)
