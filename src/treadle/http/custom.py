"""What a project makes of HTTP (``http`` in langgraph.json): an app of its own around and beside the routes of this
server, routes that are switched off, CORS, and headers that runs get to see."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, cast

import structlog
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.routing import BaseRoute, Match, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from treadle.errors import ConfigError
from treadle.graph.auth import named
from treadle.graph.project import ProjectConfig, kind
from treadle.http.access import AUTHENTICATED, Gate
from treadle.http.responses import error_response
from treadle.model import JSON

if TYPE_CHECKING:
    from treadle.http.routing import Operation

logger = structlog.get_logger("treadle.http")

RESERVED = ("/ok", "/info", "/metrics", "/docs", "/openapi.json")
"""Paths that an app of the project's does not take over, unless ``disable_meta`` gives them away."""

_SWITCHES: dict[str, tuple[str, ...]] = {
    "disable_assistants": ("Assistants",),
    "disable_threads": ("Threads",),
    "disable_runs": ("runs", "Crons"),
    "disable_store": ("Store",),
    "disable_webhooks": ("Webhooks",),
    "disable_meta": ("System",),
    "disable_mcp": (),
    "disable_a2a": (),
    "disable_ui": (),
}
"""What each switch turns off, by the tags of the route table. The last three name things that this server has not."""

_KEYS = (
    *("app", *_SWITCHES, "cors", "configurable_headers", "logging_headers", "middleware_order"),
    *("enable_custom_route_auth", "mount_prefix"),
)
_CORS: dict[str, tuple[type, ...]] = {
    "allow_origins": (list,),
    "allow_methods": (list,),
    "allow_headers": (list,),
    "allow_credentials": (bool,),
    "allow_origin_regex": (str,),
    "expose_headers": (list,),
    "max_age": (int,),
}
_APP_SHAPE = '"./file.py:app" or "package.module:app", a Starlette or FastAPI application'
_SECRETS = frozenset(["x-api-key", "x-tenant-id", "x-service-key"])


@dataclass(frozen=True)
class HeaderRule:
    """Which request headers go into a run's configurable: those that a pattern of ``includes`` matches and none of
    ``excludes`` does; ``*`` stands for any text. Keys of services go only where they are named in full."""

    includes: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()

    def chosen(self, headers: Mapping[str, str]) -> JSON:
        return {name: value for name, value in headers.items() if self._takes(name)}

    def _takes(self, name: str) -> bool:
        if any(fnmatchcase(name, pattern) for pattern in self.excludes):
            return False
        return name in self.includes or (
            name not in _SECRETS and any(fnmatchcase(name, pattern) for pattern in self.includes)
        )


@dataclass(frozen=True)
class HttpConfig:
    """``cors`` replaces what browsers are told otherwise; ``custom_auth``: the app's own routes ask who comes, too."""

    app: Starlette | None = None
    off: frozenset[str] = frozenset()
    cors: JSON | None = None
    headers: HeaderRule = HeaderRule()
    custom_auth: bool = False
    prefix: str = ""

    @property
    def sends_webhooks(self) -> bool:
        return "disable_webhooks" not in self.off

    def serves(self, operation: Operation) -> bool:
        """Whether a row of the route table is switched on. ``/ok`` always is."""
        tags = {tag for switch in self.off for tag in _SWITCHES[switch]}
        return operation.tag not in tags or operation.path in ("/", "/ok")


def http_config(project: ProjectConfig) -> HttpConfig:
    """Reads ``http`` and imports its app; for after ``load_graphs``, which prepares the imports.

    Raises ConfigError naming the key, GraphImportError where the user's own code fails."""
    given: JSON = project.raw.get("http") or {}
    return _Reader(project).read(given)


class _Reader:
    def __init__(self, project: ProjectConfig) -> None:
        self._project = project

    def read(self, given: JSON) -> HttpConfig:
        self._known("http", given, _KEYS)
        if given.get("middleware_order") not in (None, "middleware_first"):
            hint = "middleware_first: an app's middleware comes before authentication"
            raise self._error("http.middleware_order", f"{given['middleware_order']!r} is not supported", hint)
        self._rule(given, "logging_headers")  # no header is logged: there is nothing to leave out
        return HttpConfig(
            app=self._app(given.get("app")),
            off=frozenset(switch for switch in _SWITCHES if self._flag(given, switch)),
            cors=self._cors(given.get("cors")),
            headers=self._rule(given, "configurable_headers"),
            custom_auth=self._flag(given, "enable_custom_route_auth"),
            prefix=self._prefix(given.get("mount_prefix")),
        )

    def _error(self, key: str, detail: str, hint: str | None = None) -> ConfigError:
        return ConfigError(detail, file=str(self._project.file), key=key, hint=hint)

    def _known(self, where: str, given: JSON, keys: Sequence[str]) -> None:
        for key in given.keys() - set(keys):
            raise self._error(f"{where}.{key}", "is not a key that is known here", f"one of {', '.join(keys)}")

    def _flag(self, given: JSON, key: str) -> bool:
        value = given.get(key, False)
        if not isinstance(value, bool):
            raise self._error(f"http.{key}", f"is {value!r}", "true or false")
        return value

    def _app(self, text: Any) -> Starlette | None:
        if text is None:
            return None
        place, found = named(self._project, "http.app", text, _APP_SHAPE)
        if not isinstance(found, Starlette):
            detail = f"{place} is a {type(found).__name__}, not an application"
            raise self._error("http.app", detail, _APP_SHAPE)
        return found

    def _cors(self, given: Any) -> JSON | None:
        if given is None:
            return None
        if not isinstance(given, dict):
            raise self._error("http.cors", f"must be an object, is {kind(given)}")
        cors = cast("JSON", given)
        self._known("http.cors", cors, tuple(_CORS))
        for key, value in cors.items():
            texts = not isinstance(value, list) or all(isinstance(each, str) for each in cast("list[Any]", value))
            if not isinstance(value, _CORS[key]) or (isinstance(value, bool) and key == "max_age") or not texts:
                allowed = {list: "a list of text", bool: "true or false", str: "text", int: "a number of seconds"}
                raise self._error(f"http.cors.{key}", f"is {value!r}", allowed[_CORS[key][0]])
        try:
            re.compile(cors.get("allow_origin_regex", ""))
        except re.error as error:
            raise self._error("http.cors.allow_origin_regex", f"is no regular expression: {error}") from None
        return cors

    def _rule(self, given: JSON, key: str) -> HeaderRule:
        rule = given.get(key) or {}
        if not isinstance(rule, dict):
            raise self._error(f"http.{key}", f"must be an object, is {kind(rule)}", "includes and excludes")
        rules = cast("JSON", rule)
        self._known(f"http.{key}", rules, ("includes", "excludes"))
        return HeaderRule(self._patterns(key, rules, "includes"), self._patterns(key, rules, "excludes"))

    def _patterns(self, key: str, rules: JSON, name: str) -> tuple[str, ...]:
        patterns: Any = rules.get(name) or []
        if not isinstance(patterns, list) or not all(isinstance(each, str) for each in cast("list[Any]", patterns)):
            raise self._error(f"http.{key}.{name}", f"is {patterns!r}", 'a list of header names, such as ["x-org-*"]')
        return tuple(each.lower() for each in cast("list[str]", patterns))

    def _prefix(self, given: Any) -> str:
        if given is None or given == "":
            return ""
        if not isinstance(given, str) or not re.fullmatch(r"(/[\w.~-]+)+/?", given):
            raise self._error("http.mount_prefix", f"is {given!r}", 'a path such as "/api"')
        return given.rstrip("/")


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
                    logger.error("the app's lifespan did not end well", error=answer.get("message", ""))
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
