"""Witnesses, logs, and servers that cases share."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.processes.house import House, Logged
from timeouts.testing.hostile import Witness


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    """Meets the handlers of one test."""
    with Witness(tmp_path / "witness") as seen:
        yield seen


@pytest.fixture
def logged() -> Iterator[Logged]:
    """Hears what the library logs."""
    handler, logger = Logged(), logging.getLogger("timeouts")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


@pytest.fixture(scope="package", autouse=True)
def _light_main() -> Iterator[None]:
    """Have worker processes run an empty main module again, and not pytest's, which takes them long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "__main__", ModuleType("__main__"))
        yield


@pytest.fixture(scope="module")
def houses() -> Iterator[Callable[..., House]]:
    """Give the same server, with all its workers ready, to all cases of a module that want it so."""
    built: dict[str, House] = {}

    def house(*limits: Any, **options: Any) -> House:
        key = repr((limits, sorted(options.items())))
        if key not in built:
            built[key] = House(*limits, **options)
        built[key].settle()
        return built[key]

    yield house
    for each in built.values():
        each.close()
