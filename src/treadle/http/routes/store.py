"""The endpoints of the store (wire.md, Store)."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import orjson
from langgraph.store.base import Item, SearchItem
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from treadle.errors import BadRequestError
from treadle.http import parse
from treadle.http.gate import Access
from treadle.http.responses import json_response, no_content
from treadle.http.routing import Operation, Parameter, Services
from treadle.model import JSON


class StorePut(Struct, kw_only=True):
    """``index`` names the fields to embed, false none; ``ttl`` is in minutes."""

    namespace: list[str]
    key: str
    value: JSON
    index: bool | list[str] | None = None
    ttl: int | float | None = None


class StoreDelete(Struct, kw_only=True):
    namespace: list[str] = []
    key: str


class StoreSearch(Struct, kw_only=True):
    """Without ``namespace_prefix`` everything is searched."""

    namespace_prefix: list[str] | None = None
    filter: JSON | None = None
    limit: int | None = None
    offset: int | None = None
    query: str | None = None
    refresh_ttl: bool | None = None


class StoreNamespaces(Struct, kw_only=True):
    prefix: list[str] | None = None
    suffix: list[str] | None = None
    max_depth: int | None = None
    limit: int | None = None
    offset: int | None = None


class StoreItem(Struct, kw_only=True):
    namespace: list[str]
    key: str
    value: Any
    created_at: datetime
    updated_at: datetime


class FoundItem(StoreItem, kw_only=True):
    """``score`` is the similarity to the query, where there is an index."""

    score: float | None = None


class FoundItems(Struct):
    items: list[FoundItem]


class Namespaces(Struct):
    namespaces: list[tuple[str, ...]]


async def put(request: Request, services: Services) -> Response:
    body = await parse.body(request, StorePut, limit=services.settings.max_body_bytes)
    await services.store.put(body.namespace, body.key, body.value, index=body.index, ttl=body.ttl)
    return no_content()


async def get(request: Request, services: Services) -> Response:
    query = parse.query(request)
    key = query.text("key")
    if not key:
        raise BadRequestError("Key is required", field="key")
    namespace = (query.text("namespace") or "").split(".")
    refresh = query.flag("refresh_ttl") if query.text("refresh_ttl") is not None else None
    item = await services.store.get(namespace, key, refresh_ttl=refresh)
    return json_response(None if item is None else _item(item))


async def delete(request: Request, services: Services) -> Response:
    body = await parse.body(request, StoreDelete, limit=services.settings.max_body_bytes)
    await services.store.delete(body.namespace, body.key)
    return no_content()


async def search(request: Request, services: Services) -> Response:
    body = await parse.body(request, StoreSearch, limit=services.settings.max_body_bytes)
    found = await services.store.search(
        body.namespace_prefix or (),
        filter=body.filter,
        query=body.query,
        limit=body.limit,
        offset=body.offset,
        refresh_ttl=body.refresh_ttl,
    )
    return json_response(FoundItems([_found(item) for item in found]))


async def namespaces(request: Request, services: Services) -> Response:
    body = await parse.body(request, StoreNamespaces, limit=services.settings.max_body_bytes)
    found = await services.store.namespaces(
        prefix=body.prefix, suffix=body.suffix, max_depth=body.max_depth, limit=body.limit, offset=body.offset
    )
    return json_response(Namespaces(found))


def _item(item: Item) -> StoreItem:
    return StoreItem(
        namespace=list(item.namespace),
        key=item.key,
        value=_value(item.value),
        created_at=item.created_at,
        updated_at=item.updated_at,
    )


def _found(item: SearchItem) -> FoundItem:
    return FoundItem(
        namespace=list(item.namespace),
        key=item.key,
        value=_value(item.value),
        created_at=item.created_at,
        updated_at=item.updated_at,
        score=item.score,
    )


def _value(value: Any) -> orjson.Fragment:
    """The value as JSON: graphs may store integers beyond 64 bits, which orjson does not write."""
    try:
        return orjson.Fragment(orjson.dumps(value))
    except TypeError:
        return orjson.Fragment(json.dumps(value))


def _operation(method: str, path: str, endpoint: Any, summary: str, **more: Any) -> Operation:
    return Operation(method=method, path=f"/store{path}", endpoint=endpoint, summary=summary, tag="Store", **more)


ROUTES: list[Operation] = [
    _operation(
        "PUT",
        "/items",
        put,
        "Store an item",
        access=Access("store", "put"),
        request=StorePut,
        status=204,
        errors=(400, 422),
    ),
    _operation(
        "GET",
        "/items",
        get,
        "Get an item, or null",
        access=Access("store", "get"),
        response=StoreItem | None,
        parameters=(
            Parameter(name="namespace", type=str, description="labels joined by periods"),
            Parameter(name="key", type=str),
            Parameter(
                name="refresh_ttl", type=bool, description="put off its expiry; the configuration says if not given"
            ),
        ),
        errors=(400, 422),
    ),
    _operation(
        "DELETE",
        "/items",
        delete,
        "Delete an item",
        access=Access("store", "delete"),
        request=StoreDelete,
        status=204,
        errors=(400, 422),
    ),
    _operation(
        "POST",
        "/items/search",
        search,
        "Search items",
        access=Access("store", "search"),
        request=StoreSearch,
        response=FoundItems,
        errors=(400, 422),
    ),
    _operation(
        "POST",
        "/namespaces",
        namespaces,
        "List namespaces",
        access=Access("store", "list_namespaces"),
        request=StoreNamespaces,
        response=Namespaces,
        errors=(400, 422),
    ),
]
