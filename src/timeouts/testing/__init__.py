"""Tools for testing what is built with, or on, this library: clocks, strategies, laws, bad handlers.

Law: only the strategies and the laws need Hypothesis (`pip install "timeouts[testing]"`), and it is
imported when one of them is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from timeouts.testing import hostile
from timeouts.testing.deadlock import Deadlock
from timeouts.testing.hostile.hang import AsyncHang, Hang
from timeouts.testing.loop_clock import LoopClock
from timeouts.testing.manual_clock import ManualClock
from timeouts.testing.script import Input, Played, Script, Step, play
from timeouts.testing.virtual_loop import LeakedTasks, VirtualLoop, run_virtual, settle

if TYPE_CHECKING:
    from timeouts.testing.laws import check_discipline, check_policy
    from timeouts.testing.strategies import durations, jobs, policies, scripts, stacks

_LAZY = {
    "check_discipline": "laws",
    "check_policy": "laws",
    "durations": "strategies",
    "jobs": "strategies",
    "policies": "strategies",
    "scripts": "strategies",
    "stacks": "strategies",
}

__all__ = [
    "AsyncHang",
    "Deadlock",
    "Hang",
    "Input",
    "LeakedTasks",
    "LoopClock",
    "ManualClock",
    "Played",
    "Script",
    "Step",
    "VirtualLoop",
    "check_discipline",
    "check_policy",
    "durations",
    "hostile",
    "jobs",
    "play",
    "policies",
    "run_virtual",
    "scripts",
    "settle",
    "stacks",
]


def __getattr__(name: str) -> Any:
    """Import what needs Hypothesis when it is asked for."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)


def __dir__() -> list[str]:
    """List the public names, imported yet or not."""
    return __all__
