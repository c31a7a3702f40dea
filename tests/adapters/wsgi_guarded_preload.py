"""The same application, whose process workers have been used when the server forks."""

from __future__ import annotations

from tests.adapters.wsgi_guarded_app import app, model

__all__ = ["app"]

model(0.0)
