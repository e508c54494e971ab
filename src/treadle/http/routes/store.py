"""The routes of the store."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import orjson
from langgraph.store.base import Item
from msgspec import Struct, structs
from starlette.responses import Response

from treadle.errors import BadRequestError
from treadle.http.gate import Access
from treadle.http.responses import json_response, no_content
from treadle.http.routing import Call, Parameter, Routes
from treadle.model import JSON

_GET = (
    Parameter(name="namespace", type=str, description="labels joined by periods"),
    Parameter(name="key", type=str),
    Parameter(
        name="refresh_ttl", type=bool, description="extend the item's expiry; the project's configuration by default"
    ),
)


class StorePut(Struct, kw_only=True):
    """``index`` lists the fields to embed, false for none; ``ttl`` is in minutes."""

    namespace: list[str]
    key: str
    value: JSON
    index: bool | list[str] | None = None
    ttl: int | float | None = None


class StoreDelete(Struct, kw_only=True):
    namespace: list[str] = []
    key: str


class StoreSearch(Struct, kw_only=True):
    """Without ``namespace_prefix``, all namespaces are searched."""

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
    """``score`` is the similarity to the query, null without an index."""

    score: float | None = None


class FoundItems(Struct):
    items: list[FoundItem]


class Namespaces(Struct):
    namespaces: list[tuple[str, ...]]


route = Routes("Store", "/store", errors=(400, 422))


@route("PUT", "/items", "Store an item", access=Access("store", "put"), body=StorePut, status=204)
async def put(call: Call[StorePut]) -> Response:
    body = call.body
    await call.services.store.put(body.namespace, body.key, body.value, index=body.index, ttl=body.ttl)
    return no_content()


@route(
    "GET", "/items", "Get an item, or null", access=Access("store", "get"), returns=StoreItem | None, parameters=_GET
)
async def get(call: Call[None]) -> Response:
    query = call.query
    key = query.text("key")
    if not key:
        raise BadRequestError("Key is required", field="key")
    namespace = (query.text("namespace") or "").split(".")
    refresh = query.flag("refresh_ttl") if query.text("refresh_ttl") is not None else None
    item = await call.services.store.get(namespace, key, refresh_ttl=refresh)
    return json_response(None if item is None else StoreItem(**_fields(item)))


@route("DELETE", "/items", "Delete an item", access=Access("store", "delete"), body=StoreDelete, status=204)
async def delete(call: Call[StoreDelete]) -> Response:
    await call.services.store.delete(call.body.namespace, call.body.key)
    return no_content()


@route("POST", "/items/search", "Search items", access=Access("store", "search"), body=StoreSearch, returns=FoundItems)
async def search(call: Call[StoreSearch]) -> Response:
    body = call.body
    items = await call.services.store.search(
        body.namespace_prefix or (),
        filter=body.filter,
        query=body.query,
        limit=body.limit,
        offset=body.offset,
        refresh_ttl=body.refresh_ttl,
    )
    return json_response(FoundItems([FoundItem(**_fields(item), score=item.score) for item in items]))


@route(
    "POST",
    "/namespaces",
    "List namespaces",
    access=Access("store", "list_namespaces"),
    body=StoreNamespaces,
    returns=Namespaces,
)
async def namespaces(call: Call[StoreNamespaces]) -> Response:
    return json_response(Namespaces(await call.services.store.namespaces(**structs.asdict(call.body))))


def _fields(item: Item) -> JSON:
    """The fields of a StoreItem."""
    return {
        "namespace": list(item.namespace),
        "key": item.key,
        "value": _encoded(item.value),
        "created_at": item.created_at,
        "updated_at": item.updated_at,
    }


def _encoded(value: Any) -> orjson.Fragment:
    """The value as JSON. Graphs may store integers over 64 bits, which only the standard library can encode."""
    try:
        return orjson.Fragment(orjson.dumps(value))
    except TypeError:
        return orjson.Fragment(json.dumps(value))
