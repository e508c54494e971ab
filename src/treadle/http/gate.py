"""The choke point of every route: who asks, what the user's rules say to it, and what the request may then see.

Each row of the route table names its resource and action. A rule sees the request as a ``value`` (see ``values``) and
may change it: what it changed is what the endpoint gets.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive
from starlette.types import Scope as Connection

from treadle.auth import scope as scopes
from treadle.auth.handlers import AuthRejected, UserAuth
from treadle.errors import PermissionDeniedError, ServerError
from treadle.graph.user import User
from treadle.http import parse, values
from treadle.model import JSON
from treadle.ports.records import Records
from treadle.service.assistants import Assistants

T = TypeVar("T")

Resource = Literal["threads", "assistants", "crons", "store"]

AUTHENTICATED = "treadle.user"
"""Where an authentication that came before the routes leaves the user, in the ASGI scope."""


@dataclass(frozen=True)
class Access:
    """What a route does to what, in the words of langgraph_sdk.auth. ``also`` are further rules that it must pass.

    ``flags`` are those that a flag of the query adds. ``uses``: it runs or opens a graph, and the assistant that is
    named must be readable, unless it is a graph's own. ``metadata`` is the field of the body that holds the metadata of
    the resource, where that is not the body's own.
    """

    resource: Resource | None
    action: str
    also: tuple[tuple[Resource, str], ...] = ()
    flags: tuple[tuple[str, Resource, str], ...] = ()
    uses: bool = False
    metadata: str = "metadata"

    def rules(self, query: Mapping[str, str]) -> list[tuple[str, str]]:
        """``(resource, action)`` of every rule; the first one's changes count."""
        flagged = [rule for name, *rule in self.flags if query.get(name, "0").lower() not in ("0", "false")]
        return [(str(self.resource), self.action), *self.also, *((resource, action) for resource, action in flagged)]


PUBLIC = Access(None, "")
"""Routes that tell nothing of anybody: whether the server is up, what it can do, its documents."""


class Gate:
    """Lets requests in. A server without one lets everybody do everything. ``records`` are those without a guard."""

    def __init__(self, auth: UserAuth, assistants: Assistants, records: Records, *, max_body_bytes: int) -> None:
        self._auth = auth
        self._assistants = assistants
        self._records = records
        self._limit = max_body_bytes

    @property
    def openapi(self) -> JSON:
        """What the project says of security in the OpenAPI document."""
        return self._auth.openapi

    async def identify(self, request: Request) -> tuple[Request, User]:
        """Who asks, and the request, still to be read. Raises HTTPException as the user's code says."""
        if known := request.scope.get(AUTHENTICATED):
            return request, known
        data = b""
        if reads := bool(self._auth.wants & {"body", "request"}):
            data = await parse.read(request, limit=self._limit)
        given = _given(request, data, _readable(request.scope, data, request.receive) if reads else None)
        user = await _answered(self._auth.authenticate(given))
        return _readable(request.scope, data, request.receive) if reads else request, user

    async def admit(
        self, request: Request, access: Access | None, body: Any, spelled: Callable[[Any], Any] | None = None
    ) -> tuple[Request, scopes.Scope]:
        """The request as the endpoint is to get it, and what it may see. ``body`` is the type of the body, if any;
        ``spelled`` brings one with other names for its fields to those of the wire.

        Raises HTTPException as the user's code says, and what is wrong with the request itself."""
        if access is None:  # a mistake of ours must not let anybody in
            raise PermissionDeniedError(f"{request.method} {request.url.path} has no access rule")
        request, user = await self.identify(request)
        content = None
        if body is not None:
            data = await parse.read(request, limit=self._limit)
            content: Any = parse.decode(data, cast("type[object]", Any))
            content = content if spelled is None else spelled(content)
            parse.convert(content, body)
        asked = values.Asked(
            request.path_params, request.query_params, content, self._assistants.known_id, access.metadata
        )
        if content is None and access.action == "create_run":
            asked.assumed = dict(zip(("assistant_id",), await self._named(asked), strict=False))
        scope = await self._judge(access, user, asked)
        return self._rewritten(request, asked), scope

    async def _judge(self, access: Access, user: User, asked: values.Asked) -> scopes.Scope:
        found: dict[str, list[JSON]] = {}
        marks: JSON = {}
        rules = access.rules(asked.given)
        for number, (resource, action) in enumerate(rules):
            filters = found.setdefault(resource, [])
            for index in range(asked.count):
                value = asked.value(index, resource, action)
                before = values.snapshot(value)
                filter = await _answered(self._auth.authorize(user, resource, action, value))
                if filter and resource == "store":
                    raise PermissionDeniedError("A filter cannot be applied to the store: scope its namespace instead")
                filters.extend([filter] if filter else ())
                if action in ("create_run", "create"):
                    marks |= scopes.owner_metadata(filter, before.get("metadata") or {}, value.get("metadata") or {})
                if number == 0:
                    asked.change(index, action, before, value)
        if access.uses:
            found.setdefault("assistants", []).extend(await self._usable(user, asked))
        if access.action == "create" and (known := asked.own_id(str(access.resource))) is not None:
            # Creating may answer with what is there already.
            found[str(access.resource)].extend(await self._shown(user, str(access.resource), known))
        brings_threads = ("threads", "create_run") in rules or ("threads", "create") in access.also
        own = access.resource != "assistants"
        return scopes.Scope(user, found, marks if brings_threads else {}, system_assistants=own)

    async def _usable(self, user: User, asked: values.Asked) -> list[JSON]:
        """The filters for the assistants that are named: what cannot be read cannot be used either."""
        named = [each for each in await self._named(asked) if not self._assistants.is_own(each)]
        if not named:
            return [_NOTHING]
        return [filter for each in named for filter in await self._shown(user, "assistants", each)]

    async def _shown(self, user: User, resource: str, id: str) -> list[JSON]:
        """The filters of the rule for reading; if it refuses, one that nothing passes."""
        value: JSON = {f"{resource[:-1]}_id": values.uuid_or_text(id), "metadata": {}}
        try:
            filter = await self._auth.authorize(user, resource, "read", value)
        except AuthRejected as refused:
            if refused.status >= 500:
                raise _http(refused) from refused
            return [_NOTHING]
        return [filter] if filter else []

    async def _named(self, asked: values.Asked) -> list[str]:
        if named := asked.assistants():
            return named
        thread_id = asked.thread_id
        if thread_id is None:
            return []
        metadata = await self._records.read(lambda tx: tx.thread_metadata(thread_id))
        named_before = (metadata or {}).get("assistant_id")
        return [named_before] if isinstance(named_before, str) else []

    def _rewritten(self, request: Request, asked: values.Asked) -> Request:
        connection = dict(request.scope)
        if asked.query is not None:
            connection["query_string"] = asked.query
        if asked.content is None:
            return Request(connection, request.receive)
        try:
            data = orjson.dumps(asked.content)
        except orjson.JSONEncodeError as error:
            raise ServerError("An auth handler added a value to the request that is not JSON") from error
        return _readable(connection, data, request.receive)


_NOTHING: JSON = {"": {"$contains": ""}}
"""A filter that no metadata passes: there is no such key."""


def _readable(connection: Connection | dict[str, Any], data: bytes, receive: Receive) -> Request:
    """A request whose body is ``data``; what comes after it is whatever the connection says."""
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": data, "more_body": False}

    return Request(cast("Connection", connection), replay)


def _given(request: Request, data: bytes, readable: Request | None) -> Mapping[str, Any]:
    """What an authenticate handler may ask for (langgraph_sdk.Auth.authenticate)."""
    return {
        "request": readable,
        "body": _parsed(data),
        "path": request.url.path,
        "method": request.method,
        "path_params": dict(request.path_params),
        "query_params": dict(request.query_params),
        "headers": dict(request.headers.raw),
        "authorization": request.headers.get("authorization"),
    }


def _parsed(data: bytes) -> Any:
    try:
        return orjson.loads(data) if data else {}
    except orjson.JSONDecodeError:
        return {}


async def _answered(answer: Awaitable[T]) -> T:
    try:
        return await answer
    except AuthRejected as refused:
        raise _http(refused) from refused


def _http(refused: AuthRejected) -> HTTPException:
    return HTTPException(refused.status, refused.detail, refused.headers)
