"""The HTTP interface of a process without an API: health and metrics."""

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
    """Build an app with ``/ok`` and ``/metrics``. ``slots`` is how many runs the process executes at once."""

    async def ok(request: Request) -> Response:
        return json_response(Ok())

    async def get_metrics(request: Request) -> Response:
        return await metrics.respond(request.query_params, statistics, metrics.Served(slots))

    handlers: dict[Any, Any] = {APIError: on_http_error, HTTPException: on_http_error}
    return Starlette(routes=[Route("/ok", ok), Route("/metrics", get_metrics)], exception_handlers=handlers)
