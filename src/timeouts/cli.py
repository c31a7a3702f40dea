"""The command line: `timeouts demo`, `explain`, `serve`, `simulate` and `tune`.

A command is a function with typer's annotations in a module of its own, which may import its guests
only inside the function; one row of `COMMANDS` makes it known.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import typer

GUESTS = {
    "httptools",
    "matplotlib",
    "numpy",
    "prometheus_client",
    "rich",
    "sklearn",
    "starlette",
    "typer",
    "uvicorn",
}


class Command(NamedTuple):
    """Where a command lives, and the extra that installs what it needs."""

    module: str
    extra: str


COMMANDS = {
    "demo": Command("timeouts.demo.command", "demo"),
    "explain": Command("timeouts.serve.command", "serve"),
    "serve": Command("timeouts.serve.command", "serve"),
    "simulate": Command("timeouts.sim.command", "sim"),
    "tune": Command("timeouts.tune.command", "sim"),
}


def main() -> None:
    """Run the command line. A package that is not installed is one line, not a traceback."""
    try:
        app()()
    except KeyboardInterrupt:  # while it imports; later it is typer's, which does the same
        sys.exit(130)
    except ImportError as failed:
        # One of our modules that needs the guest says so in words of its own, and keeps what it had caught.
        missing = failed if isinstance(failed, ModuleNotFoundError) else failed.__cause__
        guest = (getattr(missing, "name", None) or "").partition(".")[0]
        if guest not in GUESTS:
            raise
        sys.exit(f'timeouts: {guest} is not installed: pip install "timeouts[{_extra()}]"')


def app() -> typer.Typer:
    """Put the commands together."""
    import typer

    commands = typer.Typer(
        name="timeouts",
        help="Timeout policies for model servers.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    commands.callback()(_root)
    for name, command in COMMANDS.items():
        commands.command(name)(getattr(import_module(command.module), name))
    return commands


def _root() -> None:
    """Timeout policies for model servers: bound the wait, the work and the whole."""


def _extra() -> str:
    """Return the extra of the command that was asked for, or the one with all that is shown off."""
    asked = [word for word in sys.argv[1:] if word in COMMANDS]
    return COMMANDS[asked[0]].extra if asked else "demo"


if __name__ == "__main__":
    main()
