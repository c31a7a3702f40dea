"""`timeouts serve`: a handler behind HTTP, under limits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

HANDLER = typer.Argument(metavar="MODULE:ATTR", help="The handler, such as model:predict.")
LIMIT = "such as 30, 500ms or 2m; none for no limit."


def serve(  # noqa: PLR0917 - a command line has many options
    handler: Annotated[str, HANDLER],
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 8000. 0 for any that is free.")] = None,
    workers: Annotated[str | None, typer.Option(help="task, thread or process.")] = None,
    slots: Annotated[int | None, typer.Option(help="How many may run at once.")] = None,
    capacity: Annotated[int | None, typer.Option(help="How many may wait; 1000.")] = None,
    gateway_timeout: Annotated[str | None, typer.Option(help=f"Limit of the whole, {LIMIT}")] = None,
    queue_timeout: Annotated[str | None, typer.Option(help=f"Limit of the wait, {LIMIT}")] = None,
    execution_timeout: Annotated[str | None, typer.Option(help=f"Limit of the work, {LIMIT}")] = None,
    reserve: Annotated[
        str | None, typer.Option(help="What must be left of the gateway timeout for a start.")
    ] = None,
    drain_timeout: Annotated[
        str | None, typer.Option(help="How long SIGTERM waits for what waits and runs; 30.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="The file; timeouts.toml, if it is there.")
    ] = None,
    page: Annotated[bool, typer.Option(help="The live page at /.")] = True,
    access_log: Annotated[bool, typer.Option(help="Log each request.")] = False,
) -> None:
    """Serve a handler over HTTP: POST /predict, GET /live /ready /metrics /stats, a live page at /."""
    from timeouts.serve.main import run

    run(handler, _flags(locals()), config, page=page, access_log=access_log)


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
