"""The routes of threads and their state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET
from starlette.responses import Response

from treadle.http import parse, select
from treadle.http.gate import Access
from treadle.http.responses import json_response, no_content, paged
from treadle.http.routing import Call, Parameter, Routes
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
READ = Access("threads", "read")
READ_STATE = Access("threads", "read", uses=True)
SEARCH = Access("threads", "search")
_SELECT = Parameter(name="select", type=list[str], description="columns to send; values.<key> for single keys")
_SUBGRAPHS = Parameter(name="subgraphs", type=bool, description="include the states of subgraphs")
_INCLUDE = Parameter(name="include", type=list[str], description="ttl: when the thread expires")
_PREFER = Parameter(name="Prefer", type=str, place="header", description="return=minimal: respond with 204")
_HISTORY = (
    Parameter(name="limit", type=int, description="0 to 1000, default 1"),
    Parameter(name="before", type=str, description="a checkpoint id, exclusive"),
    Parameter(name="metadata", type=str, description="a JSON object that the metadata must contain"),
    _SELECT,
)

route = Routes("Threads", "/threads", errors=(404, 422))


@route(
    "POST",
    "",
    "Create a thread",
    access=Access("threads", "create", uses=True),
    body=ThreadCreate,
    returns=Thread,
    errors=(409, 422),
)
async def create(call: Call[ThreadCreate]) -> Response:
    body = call.body
    thread_id = None if body.thread_id is None else parse.uuid_text(body.thread_id, "thread")
    return json_response(_without_ttl(await call.services.threads.create(body, thread_id)))


@route("POST", "/search", "Search threads", access=SEARCH, body=ThreadSearch, returns=list[Thread], errors=(422,))
async def search(call: Call[ThreadSearch]) -> Response:
    body = _with_uuids(call.body)
    columns = parse.choices("select", body.select, select.THREAD_COLUMNS)
    paths = select.check_paths(body.extract or {})
    threads, total = await call.services.threads.search(body)
    return paged([_selected(thread, columns, paths) for thread in threads], total=total, offset=body.offset or 0)


@route("POST", "/count", "Count threads", access=SEARCH, body=ThreadSearch, returns=int, errors=(422,))
async def count(call: Call[ThreadSearch]) -> Response:
    return json_response(await call.services.threads.count(_with_uuids(call.body)))


@route(
    "POST",
    "/prune",
    "Delete threads, or only their older checkpoints",
    access=Access("threads", "delete"),
    body=ThreadPrune,
    returns=Pruned,
    errors=(409, 422),
)
async def prune(call: Call[ThreadPrune]) -> Response:
    thread_ids = [parse.uuid_text(thread_id, "thread") for thread_id in call.body.thread_ids]
    return json_response(Pruned(pruned_count=await call.services.threads.prune(call.body, thread_ids)))


@route("GET", "/{thread_id}", "Get a thread", access=READ, returns=Thread, parameters=(_INCLUDE,))
async def get(call: Call[None]) -> Response:
    thread_id = call.id("thread")
    included = call.query.choices("include", INCLUDABLE) or ()
    thread = await call.services.threads.get(thread_id)
    return json_response(thread if "ttl" in included else _without_ttl(thread))


@route(
    "PATCH",
    "/{thread_id}",
    "Merge metadata into a thread",
    access=Access("threads", "update"),
    body=ThreadPatch,
    checks_thread_first=True,
    returns=Thread,
    also_returns={204: None},
    parameters=(_PREFER,),
)
async def patch(call: Call[ThreadPatch]) -> Response:
    thread = await call.services.threads.patch(call.id("thread"), call.body)
    minimal = "return=minimal" in call.request.headers.get("prefer", "")
    return no_content() if minimal else json_response(_without_ttl(thread))


@route("DELETE", "/{thread_id}", "Delete a thread and its runs", access=Access("threads", "delete"), status=204)
async def delete(call: Call[None]) -> Response:
    await call.services.threads.delete(call.id("thread"))
    return no_content()


@route("GET", "/{thread_id}/storage", "Get a thread's storage usage", access=READ, returns=ThreadStorage)
async def storage(call: Call[None]) -> Response:
    return json_response(await call.services.threads.storage(call.id("thread")))


@route(
    "POST",
    "/{thread_id}/copy",
    "Copy a thread with its history",
    access=Access("threads", "read", also=(("threads", "create"),), uses=True),
    returns=Thread,
)
async def copy(call: Call[None]) -> Response:
    return json_response(_without_ttl(await call.services.threads.copy(call.id("thread"))))


@route(
    "GET",
    "/{thread_id}/state/{checkpoint_id}",
    "Get the state at a checkpoint",
    access=READ_STATE,
    returns=ThreadState,
    parameters=(_SUBGRAPHS, _SELECT),
    errors=(400, 404, 422),
)
@route(
    "GET",
    "/{thread_id}/state",
    "Get the latest state",
    access=READ_STATE,
    returns=ThreadState,
    parameters=(_SUBGRAPHS, _SELECT),
    errors=(400, 404, 422),
)
async def state(call: Call[None]) -> Response:
    query = call.query
    columns = select.state_columns(query.items("select"))
    checkpoint_id = call.request.path_params.get("checkpoint_id") or query.text("checkpoint_id")
    checkpoint = None if checkpoint_id is None else CheckpointRef(checkpoint_id=checkpoint_id)
    subgraphs = query.flag("subgraphs")
    snapshot = await call.services.threads.state(call.id("thread"), checkpoint, subgraphs=subgraphs)
    return json_response(select.state(snapshot, columns))


@route(
    "POST",
    "/{thread_id}/state",
    "Update the state as if a node had returned the values",
    access=Access("threads", "update", uses=True),
    body=ThreadStateUpdate,
    checks_thread_first=True,
    returns=StateUpdated,
    errors=(400, 404, 409, 422),
)
async def update_state(call: Call[ThreadStateUpdate]) -> Response:
    return json_response(await call.services.threads.update(call.id("thread"), call.body))


@route(
    "POST",
    "/{thread_id}/state/checkpoint",
    "Get the state at a checkpoint of a thread or subgraph",
    access=READ_STATE,
    body=ThreadStateAt,
    checks_thread_first=True,
    returns=ThreadState,
    errors=(400, 404, 422),
)
async def state_at(call: Call[ThreadStateAt]) -> Response:
    body = call.body
    columns = select.state_columns(body.select)
    snapshot = await call.services.threads.state(call.id("thread"), body.checkpoint, subgraphs=bool(body.subgraphs))
    return json_response(select.state(snapshot, columns))


@route(
    "GET",
    "/{thread_id}/history",
    "List states, newest first",
    access=READ_STATE,
    returns=list[ThreadState],
    parameters=_HISTORY,
    errors=(400, 404, 422),
)
async def history(call: Call[None]) -> Response:
    thread_id, query = call.id("thread"), call.query
    request = ThreadHistory(
        limit=query.integer("limit", 1, most=1000),
        before=query.text("before"),
        metadata=query.object("metadata"),
        select=select.state_columns(query.items("select")),
    )
    states = await call.services.threads.history(thread_id, request, least=0)
    return json_response([select.state(item, request.select) for item in states])


@route(
    "POST",
    "/{thread_id}/history",
    "List states, newest first",
    access=READ_STATE,
    body=ThreadHistory,
    checks_thread_first=True,
    returns=list[ThreadState],
    errors=(400, 404, 422),
)
async def search_history(call: Call[ThreadHistory]) -> Response:
    columns = select.state_columns(call.body.select)
    states = await call.services.threads.history(call.id("thread"), call.body)
    return json_response([select.state(item, columns) for item in states])


def _with_uuids(body: ThreadSearch) -> ThreadSearch:
    if body.ids is not None:
        body.ids = [parse.uuid_text(thread_id, "thread") for thread_id in body.ids]
    return body


def _selected(thread: Thread, columns: Sequence[str] | None, paths: dict[str, str]) -> Any:
    if not columns or "ttl" not in columns:
        thread = _without_ttl(thread)
    if not paths:
        return select.columns(thread, columns)
    selected = select.columns(thread, columns or select.THREAD_COLUMNS)
    return selected | {"extracted": select.extracted(thread, paths)}


def _without_ttl(thread: Thread) -> Thread:
    """Hide the ttl, which the official server does not show; requests have to include or select it."""
    thread.ttl = UNSET
    return thread
