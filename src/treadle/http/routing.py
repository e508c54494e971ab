"""Declare and serve routes: one Operation per method and path, from which the OpenAPI document is generated as well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypedDict, TypeVar, Unpack
from urllib.parse import quote, unquote

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from treadle.auth.scope import request_scope
from treadle.http import parse
from treadle.http.gate import PUBLIC, Access, Gate
from treadle.http.responses import error_response
from treadle.http.sse import Streams
from treadle.ports.clock import Clock
from treadle.ports.log import EventLog
from treadle.ports.statistics import Statistics
from treadle.project.http import HttpConfig
from treadle.service.assistants import Assistants
from treadle.service.crons import Crons
from treadle.service.run_search import RunSearches
from treadle.service.runs import Runs
from treadle.service.store import Store
from treadle.service.threads import Threads
from treadle.settings import Settings
from treadle.webhooks.deliveries import Webhooks

B = TypeVar("B")

Requests = Counter[tuple[str, str, int]]
"""Counts answered requests by method, path template and status."""


@dataclass(frozen=True, kw_only=True)
class Services:
    """The services that endpoints use. ``started_at`` is when the server started, in unix microseconds."""

    settings: Settings
    clock: Clock
    started_at: int
    assistants: Assistants
    threads: Threads
    runs: Runs
    run_searches: RunSearches
    crons: Crons
    webhooks: Webhooks
    store: Store
    statistics: Statistics
    log: EventLog
    streams: Streams
    gate: Gate | None = None
    http: HttpConfig = HttpConfig()
    requests: Requests = field(default_factory=Counter)


class Call(Generic[B]):
    """One request to an endpoint. ``body`` has the declared type; ``raw_body`` is the same body as decoded JSON."""

    __slots__ = ("body", "raw_body", "request", "services")

    def __init__(self, request: Request, services: Services, body: parse.Body) -> None:
        self.request = request
        self.services = services
        self.body: B = body.value
        self.raw_body = body.raw

    @property
    def query(self) -> parse.Query:
        return parse.Query(self.request.query_params)

    def id(self, kind: str) -> str:
        """The UUID in the path parameter ``<kind>_id``. Raises UnprocessableError."""
        return parse.uuid_text(self.request.path_params[f"{kind}_id"], kind)

    def thread_id(self) -> str | None:
        """The thread in the path, None if the route has none. Raises UnprocessableError."""
        return self.id("thread") if "thread_id" in self.request.path_params else None


Endpoint = Callable[[Call[B]], Awaitable[ASGIApp]]


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A documented query parameter or request header. ``type`` becomes its JSON schema."""

    name: str
    type: Any
    description: str = ""
    place: str = "query"


class Declaration(TypedDict, total=False):
    """The optional parts of an Operation."""

    returns: Any
    status: int
    also_returns: Mapping[int, Any]
    media_types: Sequence[str]
    streams: bool
    errors: Sequence[int]
    parameters: Sequence[Parameter]
    rename: Callable[[Any], Any] | None
    checks_thread_first: bool


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A route with its endpoint.

    - ``access``: the resource and action for the project's auth rules; without it every request is refused.
    - ``body``: the type of the request body, None for no body; ``rename`` maps alternative field names in it.
    - ``returns``: the type of the response body with ``status``; ``also_returns`` the types by other 2xx statuses.
    - ``media_types``: response media types besides JSON; ``streams``: the response is text/event-stream.
    - ``errors``: the error statuses to document.
    - ``checks_thread_first``: a malformed thread id is reported before errors in the body.
    """

    method: str
    path: str
    endpoint: Endpoint[Any]
    summary: str
    tag: str
    access: Access | None = None
    body: Any = None
    returns: Any = None
    status: int = 200
    also_returns: Mapping[int, Any] = field(default_factory=dict[int, Any])
    media_types: Sequence[str] = ()
    streams: bool = False
    errors: Sequence[int] = ()
    parameters: Sequence[Parameter] = ()
    rename: Callable[[Any], Any] | None = None
    checks_thread_first: bool = False


class Routes:
    """The routes of one resource. Calling it declares the route of the endpoint that it decorates.

    ``errors`` are the documented error statuses of routes that declare none."""

    def __init__(self, tag: str, prefix: str = "", *, errors: Sequence[int] = ()) -> None:
        self.operations: list[Operation] = []
        self._tag = tag
        self._prefix = prefix
        self._errors = errors

    def __call__(
        self,
        method: str,
        path: str,
        summary: str,
        *,
        access: Access,
        body: type[B] | None = None,
        **declaration: Unpack[Declaration],
    ) -> Callable[[Endpoint[B]], Endpoint[B]]:
        declaration.setdefault("errors", self._errors)

        def declare(endpoint: Endpoint[B]) -> Endpoint[B]:
            operation = Operation(
                method=method,
                path=self._prefix + path,
                endpoint=endpoint,
                summary=summary,
                tag=self._tag,
                access=access,
                body=body,
                **declaration,
            )
            self.operations.append(operation)
            return endpoint

        return declare


def routes(operations: Iterable[Operation], services: Services) -> list[Route]:
    """Starlette routes, one per path; a fixed segment takes precedence over a parameter in the same place."""
    paths: dict[str, dict[str, Operation]] = {}
    for operation in operations:
        methods = paths.setdefault(operation.path, {})
        if operation.method in methods:
            raise ValueError(f"{operation.method} {operation.path} is in the route table twice")
        methods[operation.method] = operation
    ordered = sorted(paths, key=lambda path: [segment.startswith("{") for segment in path.split("/")])
    return [_EncodedRoute(path, _PathApp(path, paths[path], services)) for path in ordered]


class _EncodedRoute(Route):
    """A route that matches the path as it was sent, so that an id may contain an encoded slash.

    ``_PathApp`` decodes each parameter, exactly once, after the match."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        raw = scope.get("raw_path") or b""
        if b"%" in raw:
            segments = (quote(unquote(segment), safe="|:@!$&'()*+,;=") for segment in raw.decode("latin-1").split("/"))
            scope = {**scope, "path": "/".join(segments)}
        elif not scope.get("root_path") and scope["path"].count("/") != self.path.count("/"):
            # Fast path: compare segment counts before the regex.
            return Match.NONE, {}
        return super().matches(scope)


class _PathApp:
    """The ASGI application of one path: calls the endpoint of the method and turns its errors into responses."""

    def __init__(self, path: str, operations: dict[str, Operation], services: Services) -> None:
        self._path = path
        self._services = services
        self._operations = dict(operations)
        if "GET" in operations and not operations["GET"].streams:
            self._operations["HEAD"] = operations["GET"]
        self._allow = ", ".join(sorted(self._operations))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if b"%" in (scope.get("raw_path") or b""):
            scope["path_params"] = {name: unquote(value) for name, value in scope["path_params"].items()}
        # Keep the auth scope active while the response streams: it still reads records.
        with ExitStack() as auth_scope:
            response = await self._respond(Request(scope, receive, send), auth_scope)
            if response is not None:
                # Streams and waits are not Response objects; their status is always 200.
                status = response.status_code if isinstance(response, Response) else 200
                self._services.requests[scope["method"], self._path, status] += 1
                await response(scope, receive, send)

    async def _respond(self, request: Request, auth_scope: ExitStack) -> ASGIApp | None:
        try:
            operation = self._operations.get(request.method)
            if operation is None:
                raise HTTPException(405, headers={"Allow": self._allow})
            return await operation.endpoint(await self._call(request, operation, auth_scope))
        except ClientDisconnect:
            return None
        except Exception as error:
            return error_response(error)

    async def _call(self, request: Request, operation: Operation, auth_scope: ExitStack) -> Call[Any]:
        services = self._services
        read_body = partial(
            parse.body, type=operation.body, limit=services.settings.max_body_bytes, rename=operation.rename
        )
        if services.gate is not None and operation.access is not PUBLIC:
            request, body, scope = await services.gate.admit(request, operation.access, read_body)
            auth_scope.enter_context(request_scope(scope))
        else:
            if operation.checks_thread_first:
                parse.uuid_text(request.path_params["thread_id"], "thread")
            body = await read_body(request)
        return Call(request, services, body)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Handle the errors that Starlette's router raises itself, such as an unknown path."""
    return error_response(error)
