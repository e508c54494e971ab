"""The route table: one Operation per method and path. It drives the routes that are served and the OpenAPI document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from treadle.auth.scope import request_scope
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

Requests = Counter[tuple[str, str, int]]
"""How many requests were answered, by method, path of the route table and status."""


@dataclass(frozen=True, kw_only=True)
class Services:
    """What endpoints may use. The composition root makes it, at ``started_at`` (unix microseconds)."""

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


Endpoint = Callable[[Request, Services], Awaitable[ASGIApp]]


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A query parameter or request header, for the document. ``type`` is what a JSON schema is made of."""

    name: str
    type: Any
    description: str = ""
    place: str = "query"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One row of the route table.

    ``endpoint(request, services)`` returns a response. ``request`` and ``response`` are the types of the bodies (None:
    no body), ``errors`` the statuses that it may refuse with, ``otherwise`` the types of what it answers with another
    2xx when it is asked to, ``texts`` the media types it may answer in besides JSON. One that ``streams`` answers
    text/event-stream.
    ``spelled`` is for bodies that may have other names for their fields: it gives them those of the wire.
    ``access`` says what it does to what, for the rules of the user's auth, which let nobody in where it is missing.
    """

    method: str
    path: str
    endpoint: Endpoint
    summary: str
    tag: str
    request: Any = None
    response: Any = None
    status: int = 200
    parameters: Sequence[Parameter] = ()
    errors: Sequence[int] = ()
    otherwise: Mapping[int, Any] = field(default_factory=dict[int, Any])
    texts: Sequence[str] = ()
    streams: bool = False
    access: Access | None = None
    spelled: Callable[[Any], Any] | None = None


def routes(operations: Iterable[Operation], services: Services) -> list[Route]:
    """Starlette's routes, one per path; a fixed segment wins over a parameter in the same place."""
    paths: dict[str, dict[str, Operation]] = {}
    for operation in operations:
        methods = paths.setdefault(operation.path, {})
        if operation.method in methods:
            raise ValueError(f"{operation.method} {operation.path} is in the route table twice")
        methods[operation.method] = operation
    ordered = sorted(paths, key=lambda path: [segment.startswith("{") for segment in path.split("/")])
    return [_Encoded(path, _Path(path, paths[path], services)) for path in ordered]


class _Encoded(Route):
    """A route that is looked for in the path as it was sent, so that an id may hold an encoded slash. ``_Path`` decodes
    each parameter once, after the route is found."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        raw = scope.get("raw_path") or b""
        if b"%" in raw:
            segments = (quote(unquote(segment), safe="|:@!$&'()*+,;=") for segment in raw.decode("latin-1").split("/"))
            scope = {**scope, "path": "/".join(segments)}
        elif not scope.get("root_path") and scope["path"].count("/") != self.path.count("/"):
            # Most of the table differs in that already, and it is quicker seen than what a pattern says.
            return Match.NONE, {}
        return super().matches(scope)


class _Path:
    """The ASGI application of one path: picks the method's endpoint and answers for what it raises."""

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
        # What a response still reads while it is sent (a stream, a wait) it reads for the same request.
        with ExitStack() as admitted:
            response = await self._answer(Request(scope, receive, send), admitted)
            if response is not None:
                # What is no plain response is a stream or a wait, and those begin with 200.
                status = response.status_code if isinstance(response, Response) else 200
                self._services.requests[scope["method"], self._path, status] += 1
                await response(scope, receive, send)

    async def _answer(self, request: Request, admitted: ExitStack) -> ASGIApp | None:
        try:
            operation = self._operations.get(request.method)
            if operation is None:
                raise HTTPException(405, headers={"Allow": self._allow})
            if (gate := self._services.gate) is not None and operation.access is not PUBLIC:
                request, scope = await gate.admit(request, operation.access, operation.request, operation.spelled)
                admitted.enter_context(request_scope(scope))
            return await operation.endpoint(request, self._services)
        except ClientDisconnect:
            return None
        except Exception as error:
            return error_response(error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """For what Starlette's router raises itself: an unknown path."""
    return error_response(error)
