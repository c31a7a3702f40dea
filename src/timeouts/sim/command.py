"""`timeouts simulate` on the command line."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from timeouts.serve.admissions import ADMISSIONS
from timeouts.serve.disciplines import DISCIPLINES


class Stopping(StrEnum):
    """What stopping a run costs."""

    CANCEL = "cancel"
    KILL = "kill"
    ABANDON = "abandon"


class Leaving(StrEnum):
    """What callers do at their deadline."""

    LEAVES = "leaves"
    TELLS = "tells"
    STAYS = "stays"


def simulate(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="A timeouts.toml, as `serve` reads it.")
    ],
    *,
    load: Annotated[
        str | None,
        typer.Option(metavar="N[,N...]", help="1 is all that the slots can do; default 0.8,1.1,2."),
    ] = None,
    work: Annotated[
        str | None,
        typer.Option(
            "--service", metavar="SHAPE", help="constant:TIME, exp:MEAN or lognormal:MEAN:CV."
        ),
    ] = None,
    stuck: Annotated[
        str | None,
        typer.Option(metavar="SHARE[:N]", help="2%:100 take 100 times as long; 0.1% hang."),
    ] = None,
    deadline: Annotated[
        str | None,
        typer.Option(
            metavar="TIME[,TIME...]",
            help="When answers become worthless; default the gateway's limit.",
        ),
    ] = None,
    at_deadline: Annotated[
        Leaving, typer.Option(help="What callers do then; tells: the server has known it.")
    ] = Leaving.LEAVES,
    retries: Annotated[int, typer.Option(min=0, help="How often callers ask again.")] = 0,
    trace: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Recorded requests, as JSON lines, in place of all that."
        ),
    ] = None,
    slots: Annotated[int | None, typer.Option(min=1, help="Instead of the file's.")] = None,
    capacity: Annotated[int | None, typer.Option(min=0, help="As above; default 1000.")] = None,
    discipline: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=f"Instead of the file's: {', '.join(DISCIPLINES)}."),
    ] = None,
    admission: Annotated[
        str | None, typer.Option(metavar="NAME", help=f"As above: {', '.join(ADMISSIONS)}.")
    ] = None,
    stop: Annotated[
        Stopping | None, typer.Option(help="Default by the file's workers; else abandon.")
    ] = None,
    recovery: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Until a killed worker is replaced; default 1s."),
    ] = None,
    spares: Annotated[int, typer.Option(min=0, help="Workers ready to replace one.")] = 0,
    route: Annotated[
        str, typer.Option(metavar="PATH", help="Which route of the file.")
    ] = "/predict",
    duration: Annotated[
        str | None, typer.Option(metavar="TIME", help="How long requests arrive; default 300.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="About how many arrive, in place of --duration.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Chooses the requests.")] = 0,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Save a picture: .png, .svg or .pdf.")
    ] = None,
) -> None:
    """See what limits would do under a load, in virtual time, by the same core that serves.

    Prints goodput against the best possible without knowing sizes, wasted work, when doomed callers
    are told, and fairness; a row for each load.
    """
    from timeouts.sim.main import run

    run(locals())
