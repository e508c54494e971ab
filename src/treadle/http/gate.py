"""Authenticate and authorize the requests of every route, and determine which records each one may access.

Each route declares its resource and action. The project's auth handlers get the request as a ``value`` (see
``auth_values``) and may change it; the endpoint receives the changed request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

from treadle.auth.handlers import AuthRejected, UserAuth
from treadle.auth.scope import Scope, owner_metadata
from treadle.errors import PermissionDeniedError, ServerError
from treadle.graph.user import User
from treadle.http import parse
from treadle.http.auth_values import AuthRequest, snapshot, uuid_or_text
from treadle.model import JSON
from treadle.ports.records import Records
from treadle.service.assistants import Assistants

T = TypeVar("T")

Resource = Literal["threads", "assistants", "crons", "store"]

AUTHENTICATED = "treadle.user"
"""The ASGI scope key for a user who was authenticated before the request reached our routes."""


@dataclass(frozen=True)
class Access:
    """The resource and action of a route, named as in langgraph_sdk.auth.

    - ``also``: further rules that must accept the request; ``flags``: rules that apply if a query flag is set.
    - ``uses``: the route runs or opens a graph, so the assistant must be readable, unless it is a graph's default one.
    - ``metadata``: the body field with the resource's metadata.
    """

    resource: Resource | None
    action: str
    also: tuple[tuple[Resource, str], ...] = ()
    flags: tuple[tuple[str, Resource, str], ...] = ()
    uses: bool = False
    metadata: str = "metadata"

    def rules(self, query: Mapping[str, str]) -> list[tuple[str, str]]:
        """``(resource, action)`` of every rule; only the first one's changes to the request count."""
        flagged = [rule for name, *rule in self.flags if query.get(name, "0").lower() not in ("0", "false")]
        return [(str(self.resource), self.action), *self.also, *((resource, action) for resource, action in flagged)]


PUBLIC = Access(None, "")
"""The access of routes that reveal nothing about users: health, capabilities, API documents."""

_NOTHING: JSON = {"": {"$contains": ""}}
"""A filter that matches no metadata: the key does not exist."""


class Gate:
    """Admits requests by the rules of the project's ``auth``. ``records`` must be unguarded.

    A server without a gate gives every request full access."""

    def __init__(self, auth: UserAuth, assistants: Assistants, records: Records, *, max_body_bytes: int) -> None:
        self._auth = auth
        self._assistants = assistants
        self._records = records
        self._limit = max_body_bytes

    @property
    def openapi(self) -> JSON:
        """The security section that the project adds to the OpenAPI document."""
        return self._auth.openapi

    async def identify(self, request: Request) -> tuple[Request, User]:
        """Authenticate the request. Return it with an unread body, and its user.

        Raises HTTPException with the status that the handler chose."""
        if user := request.scope.get(AUTHENTICATED):
            return request, user
        # Read the body only for handlers that use it: identity must be checked before we accept a large upload.
        if not self._auth.wants & {"body", "request"}:
            return request, await _refusable(self._auth.authenticate(_arguments(request, b"", None)))
        data = await parse.read(request, limit=self._limit)
        arguments = _arguments(request, data, _replayed(request, data))
        # The handler may consume its copy, so the endpoint gets another one.
        return _replayed(request, data), await _refusable(self._auth.authenticate(arguments))

    async def admit(
        self, request: Request, access: Access | None, read_body: Callable[[Request], Awaitable[parse.Body]]
    ) -> tuple[Request, parse.Body, Scope]:
        """Return the request and body as the handlers left them, and the records that the endpoint may access.

        Raises HTTPException as the handlers decide, and APIError for a malformed request."""
        if access is None:  # fail closed: a route without rules is a bug
            raise PermissionDeniedError(f"{request.method} {request.url.path} has no access rule")
        # Authenticate before parsing: an unknown client must get 401, not details about its body.
        request, user = await self.identify(request)
        body = await read_body(request)
        # Validated before the handlers run, so that they never see a body of the wrong shape.
        before = orjson.dumps(body.raw)
        asked = AuthRequest(
            request.path_params, request.query_params, body.raw, self._assistants.known_id, access.metadata
        )
        if body.raw is None and access.action == "create_run":
            asked.assumed = dict(zip(("assistant_id",), await self._assistant_ids(asked), strict=False))
        scope = await self._authorize(access, user, asked)
        if asked.query is not None:
            request = Request({**request.scope, "query_string": asked.query}, request.receive)
        return request, _changed(body, before), scope

    async def _authorize(self, access: Access, user: User, asked: AuthRequest) -> Scope:
        filters: dict[str, list[JSON]] = {}
        marks: JSON = {}
        rules = access.rules(asked.query_params)
        for number, (resource, action) in enumerate(rules):
            of_resource = filters.setdefault(resource, [])
            for index in range(asked.count):
                value = asked.value(index, resource, action)
                before = snapshot(value)
                filter = await _refusable(self._auth.authorize(user, resource, action, value))
                if filter and resource == "store":
                    raise PermissionDeniedError("A filter cannot be applied to the store: scope its namespace instead")
                of_resource.extend([filter] if filter else ())
                if action in ("create_run", "create"):
                    marks |= owner_metadata(filter, before.get("metadata") or {}, value.get("metadata") or {})
                if number == 0:
                    asked.apply(index, action, before, value)
        if access.uses:
            filters.setdefault("assistants", []).extend(await self._usable_filters(user, asked))
        if access.action == "create" and (new_id := asked.new_id(str(access.resource))) is not None:
            # Creating with if_exists=do_nothing returns the existing resource, so it must be readable as well.
            filters[str(access.resource)].extend(await self._read_filters(user, str(access.resource), new_id))
        creates_threads = ("threads", "create_run") in rules or ("threads", "create") in access.also
        return Scope(user, filters, marks if creates_threads else {}, system_assistants=access.resource != "assistants")

    async def _usable_filters(self, user: User, asked: AuthRequest) -> list[JSON]:
        """The filters for the assistants of the request: one that is not readable cannot be used either."""
        assistant_ids = [each for each in await self._assistant_ids(asked) if not self._assistants.is_own(each)]
        if not assistant_ids:
            return [_NOTHING]
        return [filter for each in assistant_ids for filter in await self._read_filters(user, "assistants", each)]

    async def _read_filters(self, user: User, resource: str, id: str) -> list[JSON]:
        """The filters of the read rule; if it refuses, one that matches nothing."""
        value: JSON = {f"{resource[:-1]}_id": uuid_or_text(id), "metadata": {}}
        try:
            filter = await self._auth.authorize(user, resource, "read", value)
        except AuthRejected as refused:
            if refused.status >= 500:
                raise _http_error(refused) from refused
            return [_NOTHING]
        return [filter] if filter else []

    async def _assistant_ids(self, asked: AuthRequest) -> list[str]:
        """The assistants that the body names, or else the one that last ran on the thread."""
        thread_id = asked.thread_id
        if (assistant_ids := asked.assistant_ids()) or thread_id is None:
            return assistant_ids
        metadata = await self._records.read(lambda tx: tx.thread_metadata(thread_id))
        assistant_id = (metadata or {}).get("assistant_id")
        return [assistant_id] if isinstance(assistant_id, str) else []


def _changed(body: parse.Body, before: bytes) -> parse.Body:
    """The body after the handlers ran. ``before`` is its JSON from before.

    Handlers change nested objects in place and may add UUIDs or datetimes, so compare and convert the JSON text."""
    try:
        after = orjson.dumps(body.raw)
    except orjson.JSONEncodeError as error:
        raise ServerError("An auth handler added a value to the request that is not JSON") from error
    if after == before:
        return body
    raw = parse.json(after)
    return parse.Body(raw, parse.convert(raw, body.type), body.type)


def _replayed(request: Request, data: bytes) -> Request:
    """The request with an unread body ``data``; later messages (the disconnect) come from the connection."""
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            return await request.receive()
        sent = True
        return {"type": "http.request", "body": data, "more_body": False}

    return Request(request.scope, receive)


def _arguments(request: Request, data: bytes, replayed: Request | None) -> Mapping[str, Any]:
    """The arguments that an authenticate handler may declare (langgraph_sdk.Auth.authenticate)."""
    return {
        "request": replayed,
        "body": _json_or_empty(data),
        "path": request.url.path,
        "method": request.method,
        "path_params": dict(request.path_params),
        "query_params": dict(request.query_params),
        "headers": dict(request.headers.raw),
        "authorization": request.headers.get("authorization"),
    }


def _json_or_empty(data: bytes) -> Any:
    try:
        return orjson.loads(data) if data else {}
    except orjson.JSONDecodeError:
        return {}


async def _refusable(answer: Awaitable[T]) -> T:
    try:
        return await answer
    except AuthRejected as refused:
        raise _http_error(refused) from refused


def _http_error(refused: AuthRejected) -> HTTPException:
    return HTTPException(refused.status, refused.detail, refused.headers)
