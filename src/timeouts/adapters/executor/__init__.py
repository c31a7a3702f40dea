"""Limits on any `concurrent.futures.Executor`."""

from timeouts.adapters.executor.limited import LimitedExecutor

__all__ = ["LimitedExecutor"]
