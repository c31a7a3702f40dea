"""WSGI applications under gunicorn: one process, and a thread for each of eight requests."""

from __future__ import annotations

from typing import Any

THREADS = 8


def serve(application: Any, port: int) -> None:
    """Serve an application until the process is ended."""
    from gunicorn.app.base import BaseApplication

    class Served(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
        def load_config(self) -> None:
            for name, value in _options(port).items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            return application

    Served().run()


def _options(port: int) -> dict[str, Any]:
    return {
        "bind": f"127.0.0.1:{port}",
        "worker_class": "gthread",
        "threads": THREADS,
        "keepalive": 60,
        "timeout": 0,
        "loglevel": "warning",
    }
