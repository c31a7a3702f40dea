"""`timeouts tune` on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from timeouts.sim.command import Stopping


def tune(
    *,
    trace: Annotated[
        Path,
        typer.Option(metavar="FILE", help="Recorded requests, as `serve --record` writes them."),
    ],
    deadline: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="When answers become worthless; default the trace's budgets."
        ),
    ] = None,
    slots: Annotated[
        str | None,
        typer.Option(metavar="N[..M]", help="How many may run at once, or a range to choose from."),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The timeouts.toml to compare with; default a queue timeout equal to the deadline.",
        ),
    ] = None,
    route: Annotated[
        str, typer.Option(metavar="PATH", help="Which route of that file.")
    ] = "/predict",
    load: Annotated[
        str, typer.Option(metavar="N[,N...]", help="2 is twice as many requests per second.")
    ] = "1",
    stop: Annotated[
        Stopping | None, typer.Option(help="Default by the file's workers; else abandon.")
    ] = None,
    recovery: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="What a kill costs; default 1s where workers are killed."
        ),
    ] = None,
    jobs: Annotated[
        int,
        typer.Option(min=1000, help="Of a longer trace so many requests are taken, from all over."),
    ] = 20_000,
    processes: Annotated[
        int | None, typer.Option(min=1, help="How many simulate at once; default the cores, to 4.")
    ] = None,
    seed: Annotated[int, typer.Option(help="For what has to be drawn.")] = 0,
    write: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what is printed, if there is a gain.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file of --write.")
    ] = False,
) -> None:
    """Find limits by a trace of your own traffic, and say what they would gain.

    Chooses on one half of the trace and judges on the other, in virtual time, by the same core that serves. What
    is printed is a timeouts.toml, with the reasons as comments.
    """
    from timeouts.tune.main import run

    run(locals())
