"""What a project makes of HTTP (``http`` in langgraph.json): an app of its own around and beside the routes of this
server, routes that are switched off, CORS, and headers that runs get to see."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    pass

logger = structlog.get_logger("treadle.http")

RESERVED = ("/ok", "/info", "/metrics", "/docs", "/openapi.json")
"""Paths that an app of the project's does not take over, unless ``disable_meta`` gives them away."""


# --- putting it together ----------------------------------------------------------------------------------------------


def joined(config: HttpConfig, app: Starlette, ours: Sequence[BaseRoute], gate: Gate | None) -> Starlette:
    """The project's ``app`` with our routes in it, so that its middleware and lifespan are around them all.

    Its routes come before ours, but for RESERVED ones; a mount at the root, which would take everything, comes last.
    The user's own object stays as it is."""
    both = copy.copy(app)
    both.middleware_stack = None
    both.router = copy.copy(app.router)
    both.router.middleware_stack = both.router.app
    theirs = [_Asking(route, gate) if config.custom_auth and gate else route for route in app.router.routes]
    last = [route for route, mine in zip(theirs, app.router.routes, strict=True) if _takes_everything(mine)]
    first = [route for route in theirs if route not in last]
    reserved = [route for route in ours if getattr(route, "path", None) in RESERVED]
    rest = [route for route in ours if route not in reserved]
    both.router.routes = [*reserved, *first, *rest, *last]
    return both


def has_cors(app: Starlette | None) -> bool:
    """Whether the app tells browsers itself who may come."""
    return app is not None and any(each.cls is CORSMiddleware for each in app.user_middleware)


def cors(app: ASGIApp, rules: JSON, exposed: str) -> CORSMiddleware:
    """The project's rules for browsers; what it leaves out is what an SDK needs."""
    given: dict[str, Any] = {
        "allow_methods": ["*"],
        "allow_headers": ["*"],
        "expose_headers": exposed.split(", "),
        **rules,
    }
    return CORSMiddleware(app, **given)


def _takes_everything(route: BaseRoute) -> bool:
    return isinstance(route, Mount) and route.path == ""


class _Asking(BaseRoute):
    """A route of the project's that only who is known may use."""

    def __init__(self, route: BaseRoute, gate: Gate) -> None:
        self._route = route
        self._gate = gate

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return self._route.matches(scope)

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        return self._route.url_path_for(name, **path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # a socket has no answer to be refused with but its end
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
    """Everything under one path. Locations that are sent say so."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._prefix = prefix
        self._inner = app
        self._app = Starlette(routes=[Mount(prefix, app)])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._inner(scope, receive, send)
            return

        async def located(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [self._located(*each) for each in message.get("headers", ())]}
            await send(message)

        await self._app(scope, receive, located)

    def _located(self, name: bytes, value: bytes) -> tuple[bytes, bytes]:
        prefix = self._prefix.encode()
        ours = name.lower() == b"location" and value.startswith(b"/") and not value.startswith(prefix + b"/")
        return (name, prefix + value) if ours else (name, value)


class Lifespan:
    """The lifespan of a project's app: ``start`` before the first request, ``stop`` after the last. Call the Lifespan
    in place of the app, so that requests get the state that the lifespan has made."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._state: dict[str, Any] = {}
        self._said: asyncio.Queue[Message] = asyncio.Queue()
        self._heard: asyncio.Queue[Message] = asyncio.Queue()
        self._life: asyncio.Future[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "state": dict(self._state)}, receive, send)

    async def start(self) -> None:
        """Raises ConfigError when it fails."""
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state}
        self._life = asyncio.ensure_future(self._app(scope, self._heard.get, self._said.put))
        answer = await self._told("lifespan.startup")
        if answer is None or answer["type"] != "lifespan.startup.complete":
            self._life = None
            raise ConfigError(f"the app's lifespan did not start: {(answer or {}).get('message', '')}", key="http.app")

    async def stop(self, seconds: float) -> None:
        life = self._life
        if life is None or life.done():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                answer = await self._told("lifespan.shutdown")
                if answer is not None and answer["type"] == "lifespan.shutdown.failed":
                    logger.error("the app's lifespan failed on shutdown", error=answer.get("message", ""))
                await asyncio.wait([life])
        life.cancel()
        await asyncio.wait([life], timeout=seconds)
        self._life = None

    async def _told(self, event: str) -> Message | None:
        """What the app answers; None if it ends without an answer."""
        life = self._life
        assert life is not None, "it has been started"
        await self._heard.put({"type": event})
        answer = asyncio.create_task(self._said.get())
        await asyncio.wait([answer, life], return_when=asyncio.FIRST_COMPLETED)
        if answer.done() or not self._said.empty():
            return await answer
        answer.cancel()
        if not life.cancelled() and (error := life.exception()) is not None:
            return {"type": "failed", "message": repr(error)}
        return None
