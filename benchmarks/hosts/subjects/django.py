"""Django under gunicorn's threads: alone, the model behind a lock; under limits, behind `guard` with a process worker."""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

from hosts import work, wsgi
from hosts.host import Host, Setting
from hosts.web import script

HOST = Host(
    name="django",
    title="Django alone",
    packages=("django", "gunicorn"),
    page="how-to/flask-and-django.md",
    place="django",
    alone=script("django", "alone"),
    limited=script("django", "limited"),
    note="Alone, the view takes a lock, since the model serves one request at a time; neither Django nor gunicorn's  With `timeouts`, the view calls the model through `guard`, in a worker process: the middleware alone would answer as early, and leave the thread running."
    "threads have limits of their own.",
)


def serve(variant: str, port: int, setting: Setting) -> None:
    """Serve one of the variants."""
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse
    from django.urls import path

    from timeouts import guard

    lock = threading.Lock()
    guarded = guard(setting.limits(), slots=1, workers="process")(work.predict)

    def alone(request: Any) -> HttpResponse:
        with lock:
            return HttpResponse(work.predict(**json.loads(request.body)))

    def limited(request: Any) -> HttpResponse:
        return HttpResponse(guarded(**json.loads(request.body)))

    ours = ["timeouts.adapters.django.Problems"]
    settings.configure(
        ROOT_URLCONF=(path("predict", {"alone": alone, "limited": limited}[variant]),),
        ALLOWED_HOSTS=["*"],
        MIDDLEWARE=ours if variant == "limited" else [],
        LOGGING_CONFIG=None,
    )
    wsgi.serve(get_wsgi_application(), port)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), Setting.read(sys.argv[3:]))
