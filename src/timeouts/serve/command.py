"""`timeouts serve`: a handler behind HTTP, under limits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

HANDLER = typer.Argument(metavar="MODULE:ATTR", help="The handler, such as model:predict.")


def serve(  # noqa: PLR0917 - a command line has many options
    handler: Annotated[str, HANDLER],
    host: Annotated[str | None, typer.Option(metavar="HOST", help="Default 127.0.0.1.")] = None,
    port: Annotated[
        int | None, typer.Option(metavar="N", help="Default 8000; 0 for any that is free.")
    ] = None,
    workers: Annotated[
        str | None, typer.Option(metavar="KIND", help="task, thread, process or ray.")
    ] = None,
    slots: Annotated[
        int | None, typer.Option(metavar="N", help="How many may run at once.")
    ] = None,
    capacity: Annotated[
        int | None, typer.Option(metavar="N", help="How many may wait; default 1000.")
    ] = None,
    gateway_timeout: Annotated[
        str | None, typer.Option(metavar="TIME", help="Of the whole: 30, 500ms, 2m, or none.")
    ] = None,
    queue_timeout: Annotated[str | None, typer.Option(metavar="TIME", help="Of the wait.")] = None,
    execution_timeout: Annotated[
        str | None, typer.Option(metavar="TIME", help="Of the work.")
    ] = None,
    reserve: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Of the whole, kept for the work; default: learned."),
    ] = None,
    drain_timeout: Annotated[
        str | None, typer.Option(metavar="TIME", help="For jobs after SIGTERM; default 30.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Default timeouts.toml, if it is there.")
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a trace, for timeouts simulate and tune."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file of --record.")
    ] = False,
    no_page: Annotated[bool, typer.Option("--no-page", help="No live page at /.")] = False,
    access_log: Annotated[bool, typer.Option("--access-log", help="Log each request.")] = False,
) -> None:
    """Serve a handler at POST /predict; see GET /live /ready /metrics /stats /.

    Flags go before timeouts.toml, and that before the code. SIGHUP reads limits again; SIGTERM drains.
    """
    from timeouts.serve.main import Shown, run

    shown = Shown(page=not no_page, access_log=access_log, record=record, overwrite=overwrite)
    run(handler, _flags(locals()), config, shown)


def explain(  # noqa: PLR0917 - as above
    handler: Annotated[str, HANDLER],
    host: Annotated[str | None, typer.Option(help="As for serve, and so are the others.")] = None,
    port: Annotated[int | None, typer.Option()] = None,
    workers: Annotated[str | None, typer.Option()] = None,
    slots: Annotated[int | None, typer.Option()] = None,
    capacity: Annotated[int | None, typer.Option()] = None,
    gateway_timeout: Annotated[str | None, typer.Option()] = None,
    queue_timeout: Annotated[str | None, typer.Option()] = None,
    execution_timeout: Annotated[str | None, typer.Option()] = None,
    reserve: Annotated[str | None, typer.Option()] = None,
    drain_timeout: Annotated[str | None, typer.Option()] = None,
    config: Annotated[Path | None, typer.Option()] = None,
) -> None:
    """Print which limits and options `serve` would have in force, and from where each of them comes."""
    from timeouts.serve.main import show

    show(handler, _flags(locals()), config)


def _flags(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name not in ("handler", "config")}
