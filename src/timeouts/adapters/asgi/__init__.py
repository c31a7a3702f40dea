"""An ASGI middleware that puts a stack of policies in front of any ASGI application."""

from timeouts.adapters.asgi.middleware import Timeouts

__all__ = ["Timeouts"]
