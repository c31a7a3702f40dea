"""Flask under gunicorn's threads: alone, the model behind a lock; under limits, behind `guard` with a process worker."""

from __future__ import annotations

import sys
import threading

from hosts import work, wsgi
from hosts.host import Host, Setting
from hosts.web import script

HOST = Host(
    name="flask",
    title="Flask alone",
    packages=("flask", "gunicorn"),
    page="how-to/flask-and-django.md",
    place="flask",
    alone=script("flask", "alone"),
    limited=script("flask", "limited"),
    note="Alone, the view takes a lock, since the model serves one request at a time; neither Flask nor gunicorn's  With `timeouts`, the view calls the model through `guard`, in a worker process: `limits.apply(app)` alone would answer as early, and leave the thread running."
    "threads have limits of their own.",
)


def serve(variant: str, port: int, setting: Setting) -> None:
    """Serve one of the variants."""
    from flask import Flask, request

    from timeouts import guard
    from timeouts.adapters.flask import install

    app = Flask(__name__)
    lock = threading.Lock()

    if variant == "alone":

        @app.post("/predict")
        def alone() -> str:
            with lock:
                return work.predict(**request.get_json())

    else:
        guarded = guard(setting.limits(), slots=1, workers="process")(work.predict)

        @app.post("/predict")
        def limited() -> str:
            return guarded(**request.get_json())

        install(app)

    wsgi.serve(app, port)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), Setting.read(sys.argv[3:]))
