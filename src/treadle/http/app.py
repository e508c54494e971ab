"""The ASGI application: the route table joined, errors and CORS around it."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
from treadle.http.user_app import Prefixed, cors, has_cors, joined
from treadle.settings import Settings

__all__ = ["Services", "build", "operations"]

METHODS = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
EXPOSED = "content-location, location, x-pagination-total, x-pagination-next"
PREFLIGHT_VARY = (
    "Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network"
)


def operations() -> list[Operation]:
    """The whole route table: the ``ROUTES`` of every module, joined here."""
    modules = (assistants, threads, thread_stream, runs, run_search, crons, webhooks, store, system, server, metrics)
    return [operation for module in modules for operation in module.ROUTES]


def build(services: Services, settings: Settings) -> ASGIApp:
    """The application over ``services``. It starts and stops nothing: the composition root does."""
    http = services.http
    table = [operation for operation in operations() if http.serves(tag=operation.tag, path=operation.path)]
    ours = [*routes(table, services), *(console.routes() if settings.console else ())]
    if http.app is None:
        app = _plain(table, ours)
    else:
        app = joined(http, http.app, ours, services.gate)
        app.state.treadle_operations = table
    served: ASGIApp = Prefixed(app, http.prefix) if http.prefix else app
    if http.cors is not None:
        return cors(served, http.cors, EXPOSED)
    return served if has_cors(http.app) else Cors(served)


def application(table: Sequence[Operation], services: Services) -> ASGIApp:
    """The routes of ``table`` with errors and CORS around them."""
    return Cors(_plain(table, routes(table, services)))


def _plain(table: Sequence[Operation], ours: Sequence[BaseRoute]) -> Starlette:
    app = Starlette(routes=ours, exception_handlers={HTTPException: on_http_error})
    app.router.redirect_slashes = False
    app.state.treadle_operations = table
    return app


class Cors:
    """Lets browsers of any origin in: preflights are answered, the headers that the SDKs read are exposed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await preflight(headers)(scope, receive, send)
            return
        cross = "origin" in headers

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                _mark(MutableHeaders(scope=message), cross)
            await send(message)

        await self._app(scope, receive, marked)


def preflight(headers: Headers) -> PlainTextResponse:
    """The answer to a preflight; a page on the public web may be told that this server is on a private network."""
    answer = {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": METHODS,
        "access-control-max-age": "600",
        "vary": PREFLIGHT_VARY,
    }
    if wanted := headers.get("access-control-request-headers"):
        answer["access-control-allow-headers"] = wanted
    if headers.get("access-control-request-private-network") == "true":
        answer["access-control-allow-private-network"] = "true"
    return PlainTextResponse("OK", headers=answer)


def _mark(headers: MutableHeaders, cross: bool) -> None:
    headers.add_vary_header("Origin")
    if cross:
        headers["access-control-allow-origin"] = "*"
        headers["access-control-expose-headers"] = EXPOSED
