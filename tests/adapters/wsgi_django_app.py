"""A Django project in one file, behind the middleware, for a real server to serve."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from timeouts import ExecutionTimeout, GatewayTimeout, IdleTimeout, QueueFull, guard
from timeouts.adapters.wsgi import Timeouts

settings.configure(
    ROOT_URLCONF=__name__,
    SECRET_KEY="for a test",
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=[
        "django.middleware.common.CommonMiddleware",
        "timeouts.adapters.django.Problems",
    ],
    LOGGING_CONFIG=None,
)
never = threading.Event()
HANG = 60.0


def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse("hello")


def echo(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.body)


def hang(request: HttpRequest) -> HttpResponse:
    never.wait(HANG)
    return HttpResponse("late")


def stalls(request: HttpRequest) -> StreamingHttpResponse:
    def chunks() -> Any:
        yield "first"
        never.wait(HANG)

    return StreamingHttpResponse(chunks())


WORKED = b"worked"


@guard(ExecutionTimeout(0.5), slots=1, workers="process")
def model(what: str) -> bytes:
    """Work in a process, or hang there."""
    if what == "hang":
        threading.Event().wait(HANG)
    return WORKED


@guard(GatewayTimeout(30))
def guarded(request: HttpRequest, what: str) -> HttpResponse:
    if what == "full":
        raise QueueFull("no more")
    return HttpResponse({"ok": WORKED}[what])


@guard(ExecutionTimeout(0.1))
async def coroutine(request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(HANG)
    return HttpResponse(WORKED)


def process(request: HttpRequest, what: str) -> HttpResponse:
    return HttpResponse(model(what))


urlpatterns = [
    path("guarded/<what>", guarded),
    path("process/<what>", process),
    path("coroutine", coroutine),
    path("hello", hello),
    path("echo", echo),
    path("hang", hang),
    path("stalls", stalls),
]
project = get_wsgi_application()
limited = Timeouts(
    project,
    GatewayTimeout(30),
    routes={"/hang": GatewayTimeout(0.3), "/stalls": IdleTimeout(0.3)},
)
