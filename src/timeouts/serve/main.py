"""What `timeouts serve` and `timeouts explain` do, once their flags are read."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from timeouts.observe.expiry_logger import ExpiryLogger
from timeouts.observe.observer import logger
from timeouts.observe.trace_recorder import TraceRecorder
from timeouts.serve.explaining import explanation, notes
from timeouts.serve.plan import PREDICT, Plan, plan
from timeouts.stack import UselessPolicyWarning


class Shown(NamedTuple):
    """What is to be seen of the server, beside what always is.

    Attributes:
        page: whether there is a live page.
        access_log: whether each request is logged.
        record: the file of a trace; None for none.
        overwrite: whether that may be there already.
    """

    page: bool
    access_log: bool
    record: Path | None = None
    overwrite: bool = False


def run(name: str, flags: Mapping[str, Any], config: Path | None, shown: Shown) -> None:
    """Serve until a signal ends it."""
    from timeouts.observe.prometheus import PrometheusMetrics
    from timeouts.serve.app import application, new_registry
    from timeouts.serve.gateway import Gateway
    from timeouts.serve.live import live_page
    from timeouts.serve.runner import Runner
    from timeouts.serve.sampler import Sampler

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    whole = _planned(name, flags, config)
    for served in whole.routes:
        for note in notes(served, whole.classes):
            logger.warning("%s: %s", served.path, note)
    samplers = {served.path: Sampler() for served in whole.routes if shown.page}
    recorders = _recorders(whole, shown)
    registry = new_registry()
    gateway = Gateway(
        whole,
        {
            path: [
                PrometheusMetrics(registry, server=path),
                ExpiryLogger(),
                *(one[path] for one in (samplers, recorders) if path in one),
            ]
            for path in (served.path for served in whole.routes)
        },
    )

    def reload() -> None:
        try:
            gateway.reload(plan(name, flags, config))
        except (ValueError, TypeError) as wrong:
            logger.error("nothing was reloaded: %s", wrong)
        except Exception:  # noqa: BLE001 - of a module that a new route names
            logger.exception("nothing was reloaded")

    looks = live_page(gateway, samplers) if shown.page else []
    app = application(gateway, registry, *looks)
    try:
        Runner(app, gateway, reload, access_log=shown.access_log).run()
    finally:
        for recorder in recorders.values():
            recorder.close()


def show(name: str, flags: Mapping[str, Any], config: Path | None) -> None:
    """Print what is in force, and from where."""
    print(explanation(_planned(name, flags, config)))


def _recorders(whole: Plan, shown: Shown) -> dict[str, TraceRecorder]:
    """Return who records each route: a trace is of one queue."""
    if shown.record is None:
        if shown.overwrite:
            sys.exit("timeouts: --overwrite is for --record, which is missing")
        return {}
    files = {served.path: _file(shown.record, served.path) for served in whole.routes}
    return {path: _recorder(file, overwrite=shown.overwrite) for path, file in files.items()}


def _recorder(file: Path, *, overwrite: bool) -> TraceRecorder:
    try:
        return TraceRecorder(file, overwrite=overwrite)
    except FileExistsError:
        sys.exit(f"timeouts: --record: {file} is there already; --overwrite replaces it")
    except OSError as why:
        sys.exit(f"timeouts: --record: {file} cannot be written: {why.strerror}")


def _file(record: Path, path: str) -> Path:
    """Return the file of a route; the first one's is as it was named."""
    if path == PREDICT:
        return record
    return record.with_stem(f"{record.stem}-{path.strip('/').replace('/', '+')}")


def _planned(name: str, flags: Mapping[str, Any], config: Path | None) -> Plan:
    """Return the plan; what makes no sense is one line, not a traceback."""
    warnings.simplefilter("ignore", UselessPolicyWarning)  # which `notes` tells, with the route
    try:
        return plan(name, flags, config)
    except (ValueError, TypeError) as wrong:
        sys.exit(f"timeouts: {wrong}")
