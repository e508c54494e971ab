"""The endpoints of threads and their state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import Response

from treadle.http import parse, select
from treadle.http.gate import Access
from treadle.http.responses import json_response, no_content, paged
from treadle.http.routing import Operation, Parameter, Services
from treadle.model import (
    CheckpointRef,
    Pruned,
    StateUpdated,
    Thread,
    ThreadCreate,
    ThreadHistory,
    ThreadPatch,
    ThreadPrune,
    ThreadSearch,
    ThreadState,
    ThreadStateAt,
    ThreadStateUpdate,
)
from treadle.ports.statistics import ThreadStorage

INCLUDABLE = ("ttl",)


async def create(request: Request, services: Services) -> Response:
    body = await parse.body(request, ThreadCreate, limit=services.settings.max_body_bytes)
    thread_id = None if body.thread_id is None else parse.uuid_text(body.thread_id, "thread")
    return json_response(_without_ttl(await services.threads.create(body, thread_id)))


async def get(request: Request, services: Services) -> Response:
    thread_id = _thread_id(request)
    included = parse.query(request).choices("include", INCLUDABLE) or ()
    thread = await services.threads.get(thread_id)
    return json_response(thread if "ttl" in included else _without_ttl(thread))


async def storage(request: Request, services: Services) -> Response:
    return json_response(await services.threads.storage(_thread_id(request)))


async def patch(request: Request, services: Services) -> Response:
    thread_id = _thread_id(request)
    body = await parse.body(request, ThreadPatch, limit=services.settings.max_body_bytes)
    thread = await services.threads.patch(thread_id, body)
    minimal = "return=minimal" in request.headers.get("prefer", "")
    return no_content() if minimal else json_response(_without_ttl(thread))


async def delete(request: Request, services: Services) -> Response:
    await services.threads.delete(_thread_id(request))
    return no_content()


async def copy(request: Request, services: Services) -> Response:
    return json_response(_without_ttl(await services.threads.copy(_thread_id(request))))


async def search(request: Request, services: Services) -> Response:
    body = await _filter(request, services)
    names = parse.choices("select", body.select, select.THREAD_COLUMNS)
    paths = select.check_paths(body.extract or {})
    found, total = await services.threads.search(body)
    return paged([_shown(thread, names, paths) for thread in found], total=total, offset=body.offset or 0)


async def count(request: Request, services: Services) -> Response:
    return json_response(await services.threads.count(await _filter(request, services)))


async def prune(request: Request, services: Services) -> Response:
    body = await parse.body(request, ThreadPrune, limit=services.settings.max_body_bytes)
    thread_ids = [parse.uuid_text(thread_id, "thread") for thread_id in body.thread_ids]
    return json_response(Pruned(pruned_count=await services.threads.prune(body, thread_ids)))


async def state(request: Request, services: Services) -> Response:
    query = parse.query(request)
    names = select.state_columns(query.items("select"))
    checkpoint_id = request.path_params.get("checkpoint_id") or query.text("checkpoint_id")
    checkpoint = None if checkpoint_id is None else CheckpointRef(checkpoint_id=checkpoint_id)
    subgraphs = query.flag("subgraphs")
    found = await services.threads.state(_thread_id(request), checkpoint, subgraphs=subgraphs)
    return json_response(select.state(found, names))


async def state_at(request: Request, services: Services) -> Response:
    thread_id = _thread_id(request)
    body = await parse.body(request, ThreadStateAt, limit=services.settings.max_body_bytes)
    names = select.state_columns(body.select)
    found = await services.threads.state(thread_id, body.checkpoint, subgraphs=bool(body.subgraphs))
    return json_response(select.state(found, names))


async def update_state(request: Request, services: Services) -> Response:
    thread_id = _thread_id(request)
    body = await parse.body(request, ThreadStateUpdate, limit=services.settings.max_body_bytes)
    return json_response(await services.threads.update(thread_id, body))


async def history(request: Request, services: Services) -> Response:
    thread_id = _thread_id(request)
    query = parse.query(request)
    asked = ThreadHistory(
        limit=query.integer("limit", 1, most=1000),
        before=query.text("before"),
        metadata=query.object("metadata"),
        select=select.state_columns(query.items("select")),
    )
    found = await services.threads.history(thread_id, asked, least=0)
    return json_response([select.state(item, asked.select) for item in found])


async def search_history(request: Request, services: Services) -> Response:
    thread_id = _thread_id(request)
    body = await parse.body(request, ThreadHistory, limit=services.settings.max_body_bytes)
    names = select.state_columns(body.select)
    found = await services.threads.history(thread_id, body)
    return json_response([select.state(item, names) for item in found])


def _thread_id(request: Request) -> str:
    return parse.path_uuid(request, "thread_id", "thread")


async def _filter(request: Request, services: Services) -> ThreadSearch:
    body = await parse.body(request, ThreadSearch, limit=services.settings.max_body_bytes)
    if body.ids is not None:
        body.ids = [parse.uuid_text(thread_id, "thread") for thread_id in body.ids]
    return body


def _shown(thread: Thread, names: Sequence[str] | None, paths: dict[str, str]) -> Any:
    if not names or "ttl" not in names:
        thread = _without_ttl(thread)
    if not paths:
        return select.columns(thread, names)
    shown = select.columns(thread, names or select.THREAD_COLUMNS)
    return shown | {"extracted": select.extracted(thread, paths)}


def _without_ttl(thread: Thread) -> Thread:
    """What the official server shows; the ttl is for those who ask."""
    thread.ttl = UNSET
    return thread


def _operation(method: str, path: str, endpoint: Any, summary: str, **more: Any) -> Operation:
    return Operation(method=method, path=f"/threads{path}", endpoint=endpoint, summary=summary, tag="Threads", **more)


_SELECT = Parameter(name="select", type=list[str], description="columns to send; values.<key> for single keys")
_SUBGRAPHS = Parameter(name="subgraphs", type=bool, description="fill in the states of sub-graphs")

ROUTES: list[Operation] = [
    _operation(
        "POST",
        "",
        create,
        "Create a thread",
        access=Access("threads", "create", uses=True),
        request=ThreadCreate,
        response=Thread,
        errors=(409, 422),
    ),
    _operation(
        "POST",
        "/search",
        search,
        "Search threads",
        access=Access("threads", "search"),
        request=ThreadSearch,
        response=list[Thread],
        errors=(422,),
    ),
    _operation(
        "POST",
        "/count",
        count,
        "Count threads",
        access=Access("threads", "search"),
        request=ThreadSearch,
        response=int,
        errors=(422,),
    ),
    _operation(
        "POST",
        "/prune",
        prune,
        "Delete threads, or their older checkpoints",
        access=Access("threads", "delete"),
        request=ThreadPrune,
        response=Pruned,
        errors=(409, 422),
    ),
    _operation(
        "GET",
        "/{thread_id}",
        get,
        "Get a thread",
        access=Access("threads", "read"),
        response=Thread,
        parameters=(Parameter(name="include", type=list[str], description="ttl: when it expires"),),
        errors=(404, 422),
    ),
    _operation(
        "PATCH",
        "/{thread_id}",
        patch,
        "Merge metadata into a thread",
        access=Access("threads", "update"),
        request=ThreadPatch,
        response=Thread,
        otherwise={204: None},
        parameters=(Parameter(name="Prefer", type=str, place="header", description="return=minimal answers 204"),),
        errors=(404, 422),
    ),
    _operation(
        "DELETE",
        "/{thread_id}",
        delete,
        "Delete a thread with its runs",
        access=Access("threads", "delete"),
        status=204,
        errors=(404, 422),
    ),
    _operation(
        "GET",
        "/{thread_id}/storage",
        storage,
        "The room that a thread takes",
        access=Access("threads", "read"),
        response=ThreadStorage,
        errors=(404, 422),
    ),
    _operation(
        "POST",
        "/{thread_id}/copy",
        copy,
        "Copy a thread with its history",
        access=Access("threads", "read", also=(("threads", "create"),), uses=True),
        response=Thread,
        errors=(404, 422),
    ),
    _operation(
        "GET",
        "/{thread_id}/state",
        state,
        "Get the latest state",
        access=Access("threads", "read", uses=True),
        response=ThreadState,
        parameters=(_SUBGRAPHS, _SELECT),
        errors=(400, 404, 422),
    ),
    _operation(
        "POST",
        "/{thread_id}/state",
        update_state,
        "Write a state as if a node had returned it",
        access=Access("threads", "update", uses=True),
        request=ThreadStateUpdate,
        response=StateUpdated,
        errors=(400, 404, 409, 422),
    ),
    _operation(
        "GET",
        "/{thread_id}/state/{checkpoint_id}",
        state,
        "Get the state at a checkpoint",
        access=Access("threads", "read", uses=True),
        response=ThreadState,
        parameters=(_SUBGRAPHS, _SELECT),
        errors=(400, 404, 422),
    ),
    _operation(
        "POST",
        "/{thread_id}/state/checkpoint",
        state_at,
        "Get the state at a checkpoint of a sub-graph or thread",
        access=Access("threads", "read", uses=True),
        request=ThreadStateAt,
        response=ThreadState,
        errors=(400, 404, 422),
    ),
    _operation(
        "GET",
        "/{thread_id}/history",
        history,
        "List states, newest first",
        access=Access("threads", "read", uses=True),
        response=list[ThreadState],
        parameters=(
            Parameter(name="limit", type=int, description="0 to 1000, 1 unless given"),
            Parameter(name="before", type=str, description="a checkpoint id, exclusive"),
            Parameter(name="metadata", type=str, description="a JSON object that the metadata must hold"),
            _SELECT,
        ),
        errors=(400, 404, 422),
    ),
    _operation(
        "POST",
        "/{thread_id}/history",
        search_history,
        "List states, newest first",
        access=Access("threads", "read", uses=True),
        request=ThreadHistory,
        response=list[ThreadState],
        errors=(400, 404, 422),
    ),
]
