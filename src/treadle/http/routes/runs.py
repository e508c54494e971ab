"""The routes of runs: create, read, cancel and join them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Literal

from starlette.responses import Response

from treadle import sse
from treadle.auth.scope import requester
from treadle.errors import NotFoundError, UnprocessableError
from treadle.http import parse
from treadle.http.gate import Access
from treadle.http.responses import json_response, no_content
from treadle.http.routing import Call, Endpoint, Parameter, Routes
from treadle.http.sse import STREAM_HEADERS, EventReader, ReaderOptions, ResultReader, View
from treadle.model import ACTIVE, JSON, RUN_STATUSES, STREAM_MODES, CancelAction, Run, RunCreate, RunsCancel, RunStatus
from treadle.ports.queries import ThreadRunsQuery
from treadle.service.request import Submission

COLUMNS = tuple(Run.__struct_fields__)
_DISCONNECTED = "client disconnected from the run stream (on_disconnect=cancel)"
_CAPITAL = re.compile("(?<=[a-z])[A-Z]")
_INTEGER = re.compile(r"[+-]?[0-9]{1,4}")
PRIORITIES = 100
"""The largest priority, and the smallest if negative."""
_CANCEL_ACTIONS: tuple[CancelAction, ...] = ("interrupt", "rollback")

_CREATE = Access("threads", "create_run", uses=True)

_KEY = Parameter(name="Idempotency-Key", type=str, place="header", description="the same key and body make one run")
_PRIORITY = Parameter(
    name="treadle-priority", type=int, place="header", description="-100 to 100, default 0; higher ones start first"
)
_CONCURRENCY_KEY = Parameter(
    name="treadle-concurrency-key",
    type=str,
    place="header",
    description="langgraph.json limits how many runs with the same key run at once, over all graphs",
)
_CREATE_PARAMETERS = (_KEY, _PRIORITY, _CONCURRENCY_KEY)
_CREATE_ERRORS = (400, 404, 409, 413, 422, 429)
_WAIT = Parameter(name="wait", type=bool, description="respond when the run has ended")
_ACTION = Parameter(name="action", type=CancelAction)
_REASON = Parameter(name="reason", type=Literal["taken"], description="another run has taken up the run's input")
_LAST_ID = Parameter(
    name="Last-Event-ID", type=str, place="header", description="read after this event; -1 or 0 from the start"
)
_DISCONNECT = Parameter(
    name="cancel_on_disconnect", type=bool, description="cancel the run when this client disconnects"
)
_JOIN_PARAMETERS = (
    _LAST_ID,
    _DISCONNECT,
    Parameter(name="stream_mode", type=list[str], description="only events of these modes"),
    Parameter(name="stream_subgraphs", type=bool, description="false leaves out events of subgraphs"),
)
_LIST_PARAMETERS = (
    Parameter(name="limit", type=int),
    Parameter(name="offset", type=int),
    Parameter(name="status", type=RunStatus),
    Parameter(name="metadata", type=str, description="a JSON object that the run's metadata must contain"),
    Parameter(name="created_after", type=str, description="ISO 8601, exclusive"),
    Parameter(name="created_before", type=str, description="ISO 8601, exclusive"),
    Parameter(name="select", type=list[str], description=f"columns: {', '.join(COLUMNS)}"),
)
_THREAD_RUNS = "/threads/{thread_id}/runs"
_RUN = "/threads/{thread_id}/runs/{run_id}"

OnDisconnect = Callable[[], Awaitable[None]]

route = Routes("runs", errors=(404, 422))


def _access(action: str) -> Access:
    """A reader that cancels the run when it disconnects needs permission to update the thread."""
    return Access("threads", action, flags=(("cancel_on_disconnect", "threads", "update"),))


def _creates(
    path: str, summary: str, *, returns: Any = None, streams: bool = False
) -> Callable[[Endpoint[RunCreate]], Endpoint[RunCreate]]:
    return route(
        "POST",
        path,
        summary,
        access=_CREATE,
        body=RunCreate,
        returns=returns,
        streams=streams,
        parameters=_CREATE_PARAMETERS,
        errors=_CREATE_ERRORS,
    )


# --- creating ---------------------------------------------------------------------------------------------------------


@_creates("/runs", "Create a stateless background run", returns=Run)
@_creates(_THREAD_RUNS, "Create a background run", returns=Run)
async def create(call: Call[RunCreate]) -> Response:
    run = await _create(call)
    return json_response(run, headers={"content-location": _content_location(call, run)})


@_creates("/runs/stream", "Create a stateless run and stream it", streams=True)
@_creates(f"{_THREAD_RUNS}/stream", "Create a run and stream it", streams=True)
async def create_and_stream(call: Call[RunCreate]) -> EventReader:
    run = await _create(call)
    on_disconnect = _cancel_if(call.body.on_disconnect == "cancel", call, run)
    return _event_reader(call, run, after=0, view=View(extended=_extended(call)), on_disconnect=on_disconnect)


@_creates("/runs/wait", "Create a stateless run and wait for its result", returns=JSON)
@_creates(f"{_THREAD_RUNS}/wait", "Create a run and wait for its result", returns=JSON)
async def create_and_wait(call: Call[RunCreate]) -> ResultReader:
    run = await _create(call)
    on_disconnect = _cancel_if(call.body.on_disconnect == "cancel", call, run)
    return _result_reader(call, run, after=0, on_disconnect=on_disconnect)


def _snake_case_items(items: Any) -> list[JSON]:
    return [_snake_case(item) for item in parse.convert(items, list[JSON])]


def _snake_case(item: JSON) -> JSON:
    """Rename camelCase fields: the JS SDK sends batch items as its callers write them (``streamMode``)."""
    renamed = {_CAPITAL.sub(lambda match: f"_{match[0].lower()}", name): value for name, value in item.items()}
    return {name: item.get(name, value) for name, value in renamed.items()}


@route(
    "POST",
    "/runs/batch",
    "Create many stateless runs, all or none",
    access=_CREATE,
    body=list[RunCreate],
    rename=_snake_case_items,
    returns=list[Run],
    parameters=_CREATE_PARAMETERS,
    errors=_CREATE_ERRORS,
)
async def create_batch(call: Call[list[RunCreate]]) -> Response:
    if not call.body:
        raise UnprocessableError("request body: must contain at least one run", field="")
    requests = list(zip(map(_thread_of, call.raw_body), call.body, strict=True))
    return json_response(await call.services.runs.create_batch(requests, _submission(call)))


def _thread_of(item: JSON) -> str | None:
    """The thread of a batch item; most have none."""
    thread_id = item.get("thread_id")
    if thread_id is None:
        return None
    if not isinstance(thread_id, str):
        raise UnprocessableError("thread_id: must be a UUID or null", field="thread_id")
    return parse.uuid_text(thread_id, "thread")


async def _create(call: Call[RunCreate]) -> Run:
    return await call.services.runs.create(call.thread_id(), call.body, _submission(call))


@route(
    "POST",
    f"{_RUN}/retry",
    "Retry a failed run",
    access=_CREATE,
    returns=Run,
    parameters=(_KEY,),
    errors=(404, 409, 422, 429),
)
async def retry(call: Call[None]) -> Response:
    run = await call.services.runs.retry(call.id("thread"), call.id("run"), _submission(call))
    return json_response(run, headers={"content-location": _content_location(call, run)})


def _submission(call: Call[Any]) -> Submission:
    request = call.request
    key = request.headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= 255:
        raise UnprocessableError("Idempotency-Key: must have 1 to 255 characters", field="Idempotency-Key")
    request_id = request.headers.get("x-request-id") or str(uuid.uuid4())
    return Submission(
        priority=_priority(request.headers.get("treadle-priority", "0")),
        concurrency_key=_concurrency_key(request.headers.get("treadle-concurrency-key")),
        request_id=request_id,
        key=key,
        route=f"{request.method} {request.url.path}",
        requester=requester(),
        headers=call.services.http.headers.select(request.headers),
    )


def _priority(text: str) -> int:
    if not _INTEGER.fullmatch(text) or abs(int(text)) > PRIORITIES:
        detail = f"treadle-priority: must be an integer from -{PRIORITIES} to {PRIORITIES}, is {text[:80]!r}"
        raise UnprocessableError(detail, field="treadle-priority")
    return int(text)


def _concurrency_key(key: str | None) -> str | None:
    if key is not None and not (1 <= len(key) <= 255 and key.isprintable()):
        text = "treadle-concurrency-key: must have 1 to 255 printable characters"
        raise UnprocessableError(text, field="treadle-concurrency-key")
    return key


# --- reading ----------------------------------------------------------------------------------------------------------


@route(
    "GET",
    _THREAD_RUNS,
    "List runs, newest first",
    access=_access("search"),
    returns=list[Run],
    parameters=_LIST_PARAMETERS,
)
async def list_runs(call: Call[None]) -> Response:
    thread_id, query = call.id("thread"), call.query
    columns = query.items("select")
    if unknown := [column for column in columns or () if column not in COLUMNS]:
        text = f"Invalid select columns: {unknown}. Expected: {', '.join(COLUMNS)}"
        raise UnprocessableError(text, field="select", allowed=list(COLUMNS))
    runs = await call.services.runs.list(
        ThreadRunsQuery(
            thread_id=thread_id,
            status=query.choice("status", RUN_STATUSES),
            metadata=query.object("metadata"),
            created_after=query.moment("created_after"),
            created_before=query.moment("created_before"),
            limit=query.integer("limit", 10),
            offset=query.integer("offset", 0),
        )
    )
    return json_response([{c: getattr(run, c) for c in columns} for run in runs] if columns else runs)


@route("GET", _RUN, "Get a run", access=_access("read"), returns=Run)
async def get(call: Call[None]) -> Response:
    return json_response(await call.services.runs.get(call.id("thread"), call.id("run")))


@route("DELETE", _RUN, "Delete a run", access=_access("delete"), status=204)
async def delete(call: Call[None]) -> Response:
    await call.services.runs.delete(call.id("thread"), call.id("run"))
    return no_content()


# --- cancelling -------------------------------------------------------------------------------------------------------


@route(
    "POST",
    f"{_RUN}/cancel",
    "Cancel a run",
    access=_access("update"),
    status=202,
    also_returns={200: JSON},
    parameters=(_WAIT, _ACTION, _REASON),
)
async def cancel(call: Call[None]) -> Response:
    thread_id, run_id, query = call.id("thread"), call.id("run"), call.query
    wait, action = query.flag("wait"), _action(query)
    taken = query.choice("reason", ("taken",)) is not None
    if taken and action != "interrupt":
        raise UnprocessableError("reason: goes with action=interrupt only", field="reason")
    reason = f"taken: its input is steering another run, {thread_id}/{run_id}" if taken else None
    await call.services.runs.cancel(thread_id, run_id, action, wait=wait, reason=reason)
    if not wait:
        return Response(status_code=202)
    location = f"/threads/{thread_id}/runs/{run_id}"
    return json_response({}, headers={"content-location": location, "location": f"{location}/join"})


@route(
    "POST",
    "/runs/cancel",
    "Cancel runs by id or by status",
    access=Access("threads", "update"),
    body=RunsCancel,
    status=204,
    parameters=(_ACTION,),
    errors=(400, 404, 413, 422),
)
async def cancel_many(call: Call[RunsCancel]) -> Response:
    for run_id in call.body.run_ids or ():
        parse.uuid_text(run_id, "run")
    await call.services.runs.cancel_many(call.body, _action(call.query))
    return no_content()


def _action(query: parse.Query) -> CancelAction:
    return query.choice("action", _CANCEL_ACTIONS) or "interrupt"


# --- joining ----------------------------------------------------------------------------------------------------------


@route(
    "GET",
    "/runs/{run_id}/join",
    "Wait for the result of a stateless run",
    access=_access("read"),
    returns=JSON,
    parameters=(_DISCONNECT,),
)
@route(
    "GET",
    f"{_RUN}/join",
    "Wait for the result of a run",
    access=_access("read"),
    returns=JSON,
    parameters=(_DISCONNECT,),
)
async def join(call: Call[None]) -> ResultReader:
    run = await _find(call)
    after = (await call.services.log.bounds(run.run_id))[1] if run.status in ACTIVE else 0
    on_disconnect = _cancel_if(call.query.flag("cancel_on_disconnect"), call, run)
    return _result_reader(call, run, after=after, on_disconnect=on_disconnect)


@route(
    "GET",
    "/runs/{run_id}/stream",
    "Join the stream of a stateless run",
    access=_access("read"),
    streams=True,
    parameters=_JOIN_PARAMETERS,
)
@route(
    "GET",
    f"{_RUN}/stream",
    "Join the stream of a run",
    access=_access("read"),
    streams=True,
    parameters=_JOIN_PARAMETERS,
)
async def join_stream(call: Call[None]) -> EventReader:
    run, query = await _find(call), call.query
    view = View(
        extended=_extended(call),
        only=_event_names(query.items("stream_mode")),
        subgraphs=query.flag("stream_subgraphs", True),
    )
    on_disconnect = _cancel_if(query.flag("cancel_on_disconnect"), call, run)
    first, last = await call.services.log.bounds(run.run_id)
    after = _cursor(call.request.headers.get("last-event-id") or "0", last)
    gap = first if after + 1 < first else None
    return _event_reader(call, run, after=after, view=view, on_disconnect=on_disconnect, gap=gap)


async def _find(call: Call[None]) -> Run:
    run = await call.services.runs.find(call.thread_id(), call.id("run"))
    if run is None:
        raise NotFoundError("Run not found")
    return run


def _cursor(last_event_id: str, last: int) -> int:
    """The seq to read after.

    ``-1`` and ``0`` mean the start. So does no id, because a run starts immediately: a client that creates one and then
    joins it would miss the first events. A malformed id, or one that does not exist yet, means new events only."""
    if last_event_id in ("-1", "0", "0-0"):
        return 0
    event_id = sse.parse_event_id(last_event_id)
    return min(event_id[1], last) if event_id is not None and event_id[1] > 0 else last


def _event_names(modes: list[str] | None) -> frozenset[str] | None:
    """The event names of the stream modes in a query, None for all. Raises UnprocessableError for an unknown mode."""
    if not modes:  # the Python SDK sends an empty ``stream_mode=`` if its caller passed none
        return None
    names: set[str] = set()
    for mode in modes:
        base, bar, ns = mode.partition("|")
        if base not in STREAM_MODES:
            text = f"stream_mode: must be one of {', '.join(STREAM_MODES)}, is {mode[:80]!r}"
            raise UnprocessableError(text, field="stream_mode", allowed=list(STREAM_MODES))
        names.update(f"{name}{bar}{ns}" for name in _NAMES.get(base, (base,)))
    return frozenset(names)


_NAMES = {
    "messages": ("messages", "messages/metadata", "messages/partial", "messages/complete"),
    "messages-tuple": ("messages",),
}


# --- readers ----------------------------------------------------------------------------------------------------------


def _event_reader(
    call: Call[Any], run: Run, *, after: int, view: View, on_disconnect: OnDisconnect | None, gap: int | None = None
) -> EventReader:
    services = call.services
    location = _content_location(call, run)
    headers = {**STREAM_HEADERS, "content-location": location, "location": f"{location}/stream"}

    async def exists() -> bool:
        return await services.runs.find(None, run.run_id) is not None

    return EventReader(
        services.log.follow(run.run_id, after),
        services.streams,
        _options(call, headers, on_disconnect),
        view=view,
        gap=gap,
        run_id=run.run_id,
        exists=exists,
    )


def _result_reader(call: Call[Any], run: Run, *, after: int, on_disconnect: OnDisconnect | None) -> ResultReader:
    services = call.services
    location = f"/threads/{run.thread_id}/runs/{run.run_id}"
    headers = {
        "content-type": "application/json",
        "content-location": location,
        "location": f"{location}/join",
        "cache-control": "no-store",
    }
    options = _options(call, headers, on_disconnect)
    follower = services.log.follow(run.run_id, after)
    return ResultReader(follower, services.streams, options, result=lambda: services.runs.result(run.run_id))


def _options(call: Call[Any], headers: dict[str, str], on_disconnect: OnDisconnect | None) -> ReaderOptions:
    seconds = call.services.settings.heartbeat_seconds
    return ReaderOptions(headers=headers, heartbeat_seconds=seconds, on_disconnect=on_disconnect)


def _cancel_if(requested: bool, call: Call[Any], run: Run) -> OnDisconnect | None:
    """A callback that cancels the run when the client disconnects, if the client requested that."""

    async def cancel() -> None:
        with suppress(NotFoundError):  # the run ended in the meantime
            await call.services.runs.cancel(run.thread_id, run.run_id, "interrupt", reason=_DISCONNECTED)

    return cancel if requested else None


def _extended(call: Call[Any]) -> bool:
    return call.request.headers.get("treadle-events") == "1"


def _content_location(call: Call[Any], run: Run) -> str:
    """``/runs/{r}`` if the request named no thread, as the SDKs expect it."""
    if "thread_id" in call.request.path_params:
        return f"/threads/{run.thread_id}/runs/{run.run_id}"
    return f"/runs/{run.run_id}"
