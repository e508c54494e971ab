"""Build the ASGI application from the routes, with error handling and CORS around them."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from treadle.http import console
from treadle.http.routes import (
    assistants,
    crons,
    metrics,
    run_search,
    runs,
    server,
    store,
    system,
    thread_stream,
    threads,
    webhooks,
)
from treadle.http.routing import Operation, Services, on_http_error, routes
from treadle.http.user_app import Prefixed, has_cors, merge_routes, project_cors
from treadle.settings import Settings

__all__ = ["Services", "build", "operations"]

METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
EXPOSED_HEADERS = ("content-location", "location", "x-pagination-total", "x-pagination-next")
"""The response headers that the SDKs read, which browsers hide from pages unless they are listed."""

_RESOURCES = (assistants, threads, thread_stream, runs, run_search, crons, webhooks, store, system, server, metrics)


def operations() -> list[Operation]:
    """All operations of the API."""
    return [operation for resource in _RESOURCES for operation in resource.route.operations]


def build(services: Services, settings: Settings) -> ASGIApp:
    """Build the application. Starting and stopping the services is up to the caller."""
    http = services.http
    table = [operation for operation in operations() if http.serves(tag=operation.tag, path=operation.path)]
    own = [*routes(table, services), *(console.routes() if settings.console else ())]
    if http.app is None:
        app = _starlette(table, own)
    else:
        app = merge_routes(http, http.app, own, services.gate)
        app.state.treadle_operations = table
    served: ASGIApp = Prefixed(app, http.prefix) if http.prefix else app
    if http.cors is not None:
        return project_cors(served, http.cors, EXPOSED_HEADERS)
    return served if has_cors(http.app) else _open_cors(served)


def application(table: Sequence[Operation], services: Services) -> ASGIApp:
    """Build an application of only the routes of ``table``."""
    return _open_cors(_starlette(table, routes(table, services)))


def _starlette(table: Sequence[Operation], own: Sequence[BaseRoute]) -> Starlette:
    app = Starlette(routes=own, exception_handlers={HTTPException: on_http_error})
    app.router.redirect_slashes = False
    app.state.treadle_operations = table
    return app


def _open_cors(app: ASGIApp) -> CORSMiddleware:
    """Allow browsers from every origin, also public pages that call a server on a private network."""
    return CORSMiddleware(
        app,
        allow_origins=("*",),
        allow_methods=METHODS,
        allow_headers=("*",),
        allow_private_network=True,
        expose_headers=EXPOSED_HEADERS,
    )
