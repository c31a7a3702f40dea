"""A Django project in one file, behind the middleware, for a real server to serve."""

from __future__ import annotations

import threading
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from timeouts import GatewayTimeout, IdleTimeout
from timeouts.adapters.wsgi import Timeouts

settings.configure(
    ROOT_URLCONF=__name__,
    SECRET_KEY="for a test",
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
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


urlpatterns = [
    path("hello", hello),
    path("echo", echo),
    path("hang", hang),
    path("stalls", stalls),
]
limited = Timeouts(
    get_wsgi_application(),
    GatewayTimeout(30),
    routes={"/hang": GatewayTimeout(0.3), "/stalls": IdleTimeout(0.3)},
)
