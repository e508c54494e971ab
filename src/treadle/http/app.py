"""The ASGI application: the route table joined, errors and CORS around it."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, unquote

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from treadle.http import assistants, crons, metrics, runs, store, system, thread_stream, threads, webhooks
from treadle.http.routing import Operation, Services, on_http_error, routes
from treadle.settings import Settings

__all__ = ["Services", "build", "operations"]

METHODS = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
EXPOSED = "content-location, location, x-pagination-total, x-pagination-next"
PREFLIGHT_VARY = (
    "Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network"
)


def operations() -> list[Operation]:
    """The whole route table: the ``ROUTES`` of every module, joined here."""
    modules = (assistants, threads, thread_stream, runs, crons, webhooks, store, system, metrics)
    return [operation for module in modules for operation in module.ROUTES]


def build(services: Services, settings: Settings) -> Starlette:
    """The application over ``services``. It starts and stops nothing: the composition root does."""
    return application(operations(), services)


def application(table: Sequence[Operation], services: Services) -> Starlette:
    """The routes of ``table`` with errors and CORS around them."""
    app = Starlette(
        routes=routes(table, services),
        middleware=[Middleware(Cors), Middleware(Segments)],
        exception_handlers={HTTPException: on_http_error},
    )
    app.router.redirect_slashes = False
    app.state.operations = table
    return app


class Segments:
    """Keeps what is encoded in a path encoded while it is routed, so that an id may hold a slash.

    ``routing`` decodes each parameter once, after the route is found.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw = scope.get("raw_path") or b""
        if b"%" in raw:
            segments = (quote(unquote(segment), safe="|:@!$&'()*+,;=") for segment in raw.decode("latin-1").split("/"))
            scope = {**scope, "path": "/".join(segments)}
        await self._app(scope, receive, send)


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
