"""Combine our routes with a project's own app (``http`` in langgraph.json): routes, lifespan, CORS, path prefix."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import Sequence
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.routing import BaseRoute, Match, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from treadle.errors import ConfigError
from treadle.http.gate import AUTHENTICATED, Gate
from treadle.http.responses import error_response
from treadle.model import JSON
from treadle.project.http import HttpConfig

logger = structlog.get_logger("treadle.http")

RESERVED = ("/ok", "/info", "/metrics", "/docs", "/openapi.json")
"""Paths that the project's app cannot override, unless ``disable_meta`` removes ours."""


def merge_routes(config: HttpConfig, app: Starlette, own: Sequence[BaseRoute], gate: Gate | None) -> Starlette:
    """Return a copy of the project's ``app`` with our ``own`` routes in it, inside its middleware and lifespan.

    Its routes take precedence over ours, except for RESERVED ones and a mount at the root, which matches every path."""
    merged = copy.copy(app)
    merged.middleware_stack = None
    merged.router = copy.copy(app.router)
    merged.router.middleware_stack = merged.router.app
    first = [_protected(route, config, gate) for route in app.router.routes if not _matches_all(route)]
    last = [_protected(route, config, gate) for route in app.router.routes if _matches_all(route)]
    reserved = [route for route in own if getattr(route, "path", None) in RESERVED]
    rest = [route for route in own if route not in reserved]
    merged.router.routes = [*reserved, *first, *rest, *last]
    return merged


def has_cors(app: Starlette | None) -> bool:
    """Whether the app brings its own CORS middleware."""
    return app is not None and any(each.cls is CORSMiddleware for each in app.user_middleware)


def project_cors(app: ASGIApp, rules: JSON, exposed_headers: Sequence[str]) -> CORSMiddleware:
    """Apply the project's CORS ``rules``; the defaults allow everything that an SDK needs."""
    defaults: JSON = {"allow_methods": ["*"], "allow_headers": ["*"], "expose_headers": exposed_headers}
    return CORSMiddleware(app, **defaults | rules)


def _matches_all(route: BaseRoute) -> bool:
    return isinstance(route, Mount) and route.path == ""


def _protected(route: BaseRoute, config: HttpConfig, gate: Gate | None) -> BaseRoute:
    return _ProtectedRoute(route, gate) if config.custom_auth and gate else route


class _ProtectedRoute(BaseRoute):
    """A route of the project's app that requires authentication."""

    def __init__(self, route: BaseRoute, gate: Gate) -> None:
        self._route = route
        self._gate = gate

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return self._route.matches(scope)

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        return self._route.url_path_for(name, **path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # auth handlers need an HTTP request, so refuse WebSockets
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            request, user = await self._gate.identify(Request(scope, receive, send))
        except Exception as error:
            await error_response(error)(scope, receive, send)
            return
        scope[AUTHENTICATED] = scope["user"] = user
        await self._route.handle(scope, request.receive, send)


class Prefixed:
    """Serves an app under a path prefix, which is added to ``location`` headers as well."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._prefix = prefix
        self._inner = app
        self._app = Starlette(routes=[Mount(prefix, app)])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._inner(scope, receive, send)
            return

        async def send_prefixed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [self._with_prefix(*each) for each in message.get("headers", ())]}
            await send(message)

        await self._app(scope, receive, send_prefixed)

    def _with_prefix(self, name: bytes, value: bytes) -> tuple[bytes, bytes]:
        prefix = self._prefix.encode()
        local = name.lower() == b"location" and value.startswith(b"/") and not value.startswith(prefix + b"/")
        return (name, prefix + value) if local else (name, value)


class Lifespan:
    """The lifespan of a project's app: ``start`` it before the first request, ``stop`` it after the last one.

    Call the Lifespan in place of the app, so that requests get the state that the lifespan has set."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._state: dict[str, Any] = {}
        self._sent: asyncio.Queue[Message] = asyncio.Queue()
        self._received: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Future[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "state": dict(self._state)}, receive, send)

    async def start(self) -> None:
        """Run the startup. Raises ConfigError if it fails."""
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state}
        self._task = asyncio.ensure_future(self._app(scope, self._received.get, self._sent.put))
        answer = await self._notify("lifespan.startup")
        if answer is None or answer["type"] != "lifespan.startup.complete":
            self._task = None
            raise ConfigError(f"the app's lifespan did not start: {(answer or {}).get('message', '')}", key="http.app")

    async def stop(self, seconds: float) -> None:
        """Run the shutdown for up to ``seconds``, then cancel it."""
        task = self._task
        if task is None or task.done():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                answer = await self._notify("lifespan.shutdown")
                if answer is not None and answer["type"] == "lifespan.shutdown.failed":
                    logger.error("the app's lifespan failed on shutdown", error=answer.get("message", ""))
                await asyncio.wait([task])
        task.cancel()
        await asyncio.wait([task], timeout=seconds)
        self._task = None

    async def _notify(self, event: str) -> Message | None:
        """Send an event and return the app's answer, None if the app ends without one."""
        task = self._task
        assert task is not None, "call start first"
        await self._received.put({"type": event})
        answer = asyncio.create_task(self._sent.get())
        await asyncio.wait([answer, task], return_when=asyncio.FIRST_COMPLETED)
        if answer.done() or not self._sent.empty():
            return await answer
        answer.cancel()
        if not task.cancelled() and (error := task.exception()) is not None:
            return {"type": "failed", "message": repr(error)}
        return None
