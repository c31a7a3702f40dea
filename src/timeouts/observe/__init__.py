"""Seeing what a server does."""

from timeouts.observe.late_logger import LateLogger
from timeouts.observe.observer import Observer

__all__ = ["LateLogger", "Observer"]
