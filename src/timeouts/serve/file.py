"""`timeouts.toml`: limits and options as data, checked as it is read.

Its tables, of which none need be there:

    [timeouts]                     # limits of every route, as `timeouts.config` reads them
    gateway = { timeout = "30s", reserve = "2s" }
    queue = 5
    execution = "none"             # no such limit, whatever the code says

    [serve]                        # how to serve
    port = 8000
    slots = 4
    discipline = "lifo"            # the order of the queue
    admission = "codel"            # who is let in, beyond a place in it
    budgets = ["grpc-timeout"]
    statuses = { queue_timeout = 504 }

    [serve.classes]                # which headers say who asks, and how important it is
    tenant = "x-tenant"
    priority = "x-priority"
    levels = { interactive = 0, batch = 10 }
    default = "batch"

    [routes."/embed"]              # a further handler, with options and limits of its own
    handler = "model:embed"
    slots = 2
    timeouts = { execution = 2 }
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

NAME = "timeouts.toml"
Workers = Literal["task", "thread", "process", "ray"]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Pooled(_Table):
    """What a route may say of its queue and workers."""

    workers: Workers | None = None
    slots: int | None = None
    capacity: int | None = None
    discipline: str | None = None
    admission: str | None = None


class Route(Pooled):
    """`[routes."/path"]`; that of `/predict` has its handler from the command line."""

    handler: str | None = None
    timeouts: dict[str, Any] = {}


class Classification(_Table):
    """`[serve.classes]`: the arguments of `Classes`."""

    tenant: str | None = None
    priority: str | None = None
    levels: dict[str, float] = {}
    default: str | None = None


class Serving(Pooled):
    """`[serve]`."""

    host: str | None = None
    port: int | None = None
    drain_timeout: float | str | None = None
    body_timeout: float | str | None = None
    write_timeout: float | str | None = None
    max_body: int | None = None
    budgets: list[str] | None = None
    classes: Classification | None = None
    statuses: dict[str, int] = {}


class Settings(_Table):
    """The whole file; what it does not say is None or empty."""

    timeouts: dict[str, Any] = {}
    serve: Serving = Field(default_factory=Serving)
    routes: dict[str, Route] = {}


def read(path: Path) -> Settings:
    """Read a file.

    Raises:
        ValueError: it is not there, no TOML, or says something that means nothing.
    """
    try:
        data = tomllib.loads(path.read_text("utf-8"))
        return Settings.model_validate(data)
    except OSError as why:
        raise ValueError(f"{path} cannot be read: {why.strerror}") from None
    except ValidationError as wrong:
        raise ValueError(f"{path}: {_told(wrong)}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no text in UTF-8") from None
    except ValueError as why:
        raise ValueError(f"{path}: {why}") from None


def _told(wrong: ValidationError) -> str:
    """Say what is wrong with the first key of which something is."""
    fault = wrong.errors(include_url=False)[0]
    where = ".".join(map(str, fault["loc"]))
    if fault["type"] == "extra_forbidden":
        return f"{where}: there is no such key; known are {', '.join(_known(fault['loc'][:-1]))}"
    return f"{where}: {fault['msg']}; got {fault['input']!r}"


def _known(place: tuple[int | str, ...]) -> Iterable[str]:
    """Return the keys of the table at a place."""
    tables: dict[tuple[int | str, ...], type[_Table]] = {
        (): Settings,
        ("serve",): Serving,
        ("serve", "classes"): Classification,
    }
    return tables.get(place, Route).model_fields
