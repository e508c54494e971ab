"""What a process answers that serves no API: whether it is up, and its figures."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from treadle.errors import APIError
from treadle.http.responses import json_response
from treadle.http.routes import metrics
from treadle.http.routes.system import Ok
from treadle.http.routing import on_http_error
from treadle.ports.statistics import Statistics


def build(statistics: Statistics, *, slots: int) -> ASGIApp:
    """``/ok`` and ``/metrics``. ``slots`` are the runs that the process executes at once."""

    async def ok(request: Request) -> Response:
        return json_response(Ok())

    async def figures(request: Request) -> Response:
        return await metrics.answer(request, statistics, metrics.Served(slots))

    handlers: dict[Any, Any] = {APIError: on_http_error, HTTPException: on_http_error}
    return Starlette(routes=[Route("/ok", ok), Route("/metrics", figures)], exception_handlers=handlers)
