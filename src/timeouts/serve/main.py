"""What `timeouts serve` and `timeouts explain` do, once their flags are read."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from timeouts.observe.expiry_logger import ExpiryLogger
from timeouts.observe.observer import logger
from timeouts.serve.explaining import explanation, notes
from timeouts.serve.plan import Plan, plan
from timeouts.stack import UselessPolicyWarning


def run(
    name: str, flags: Mapping[str, Any], config: Path | None, *, page: bool, access_log: bool
) -> None:
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
        for note in notes(served):
            logger.warning("%s: %s", served.path, note)
    samplers = {served.path: Sampler() for served in whole.routes if page}
    registry = new_registry()
    gateway = Gateway(
        whole,
        {
            path: [
                PrometheusMetrics(registry, server=path),
                ExpiryLogger(),
                *([samplers[path]] if page else []),
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

    looks = live_page(gateway, samplers) if page else []
    Runner(application(gateway, registry, *looks), gateway, reload, access_log=access_log).run()


def show(name: str, flags: Mapping[str, Any], config: Path | None) -> None:
    """Print what is in force, and from where."""
    print(explanation(_planned(name, flags, config)))


def _planned(name: str, flags: Mapping[str, Any], config: Path | None) -> Plan:
    """Return the plan; what makes no sense is one line, not a traceback."""
    warnings.simplefilter("ignore", UselessPolicyWarning)  # which `notes` tells, with the route
    try:
        return plan(name, flags, config)
    except (ValueError, TypeError) as wrong:
        sys.exit(f"timeouts: {wrong}")
