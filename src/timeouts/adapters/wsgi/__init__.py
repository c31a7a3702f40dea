"""A WSGI middleware that puts a stack of policies in front of any WSGI application."""

from timeouts.adapters.wsgi.middleware import Timeouts

__all__ = ["Timeouts"]
