"""The runs endpoints (wire.md, Runs and Joining)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from treadle import sse
from treadle.auth.scope import requester
from treadle.errors import NotFoundError, UnprocessableError
from treadle.http import parse
from treadle.http.gate import Access, Resource
from treadle.http.responses import json_response, no_content
from treadle.http.routing import Operation, Parameter, Services
from treadle.http.sse import STREAM_HEADERS, EventReading, ResultReading, Terms, View
from treadle.model import ACTIVE, JSON, RUN_STATUSES, STREAM_MODES, CancelAction, Run, RunCreate, RunsCancel, RunStatus
from treadle.ports.queries import ThreadRunsQuery
from treadle.service.request import Requested

COLUMNS = tuple(Run.__struct_fields__)
_LEFT = "client disconnected from the run stream (on_disconnect=cancel)"
_CAPITAL = re.compile("(?<=[a-z])[A-Z]")
_INTEGER = re.compile(r"[+-]?[0-9]{1,4}")
PRIORITIES = 100
"""How far priorities go, in either direction."""
_CANCEL_ACTIONS: tuple[CancelAction, ...] = ("interrupt", "rollback")


# --- creating ---------------------------------------------------------------------------------------------------------


async def create(request: Request, services: Services) -> ASGIApp:
    run, _ = await _created(request, services)
    return json_response(run, headers={"content-location": _content_location(request, run)})


async def create_batch(request: Request, services: Services) -> ASGIApp:
    items = _spelled(await parse.body(request, list[JSON], limit=services.settings.max_body_bytes))
    bodies = parse.convert(items, list[RunCreate])
    if not bodies:
        raise UnprocessableError("request body: must contain at least one run", field="")
    runs = await services.runs.create_batch(
        list(zip(map(_thread_of, items), bodies, strict=True)), _requested(request, services)
    )
    return json_response(runs)


def _thread_of(item: JSON) -> str | None:
    """The thread that an item of a batch runs on; most have none."""
    thread_id = item.get("thread_id")
    if thread_id is None:
        return None
    if not isinstance(thread_id, str):
        raise UnprocessableError("thread_id: must be a UUID or null", field="thread_id")
    return parse.uuid_text(thread_id, "thread")


def _spelled(items: Any) -> list[JSON]:
    return [_snake_cased(item) for item in parse.convert(items, list[JSON])]


def _snake_cased(item: JSON) -> JSON:
    """The fields of a batch item under their names on the wire: the JS SDK sends those of a batch as its callers write
    them (``streamMode``), unlike those of a single run."""
    named = {_CAPITAL.sub(lambda found: f"_{found[0].lower()}", name): value for name, value in item.items()}
    return {name: item.get(name, value) for name, value in named.items()}


async def create_and_stream(request: Request, services: Services) -> ASGIApp:
    run, asked = await _created(request, services)
    return await _stream(
        request,
        services,
        run,
        after=0,
        view=View(extended=_extended(request)),
        on_leave=_on_leave(services, run, asked),
    )


async def create_and_wait(request: Request, services: Services) -> ASGIApp:
    run, asked = await _created(request, services)
    location = f"/threads/{run.thread_id}/runs/{run.run_id}"
    return await _result(services, run, location, after=0, on_leave=_on_leave(services, run, asked))


async def _created(request: Request, services: Services) -> tuple[Run, RunCreate]:
    body = await parse.body(request, RunCreate, limit=services.settings.max_body_bytes)
    thread_id = parse.path_uuid(request, "thread_id", "thread") if "thread_id" in request.path_params else None
    return await services.runs.create(thread_id, body, _requested(request, services)), body


async def retry(request: Request, services: Services) -> ASGIApp:
    run = await services.runs.retry(*_run_path(request), _requested(request, services))
    return json_response(run, headers={"content-location": _content_location(request, run)})


def _requested(request: Request, services: Services) -> Requested:
    key = request.headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= 255:
        raise UnprocessableError("Idempotency-Key: must have 1 to 255 characters", field="Idempotency-Key")
    request_id = request.headers.get("x-request-id") or str(uuid.uuid4())
    return Requested(
        priority=_priority(request),
        concurrency_key=_concurrency_key(request),
        request_id=request_id,
        key=key,
        route=f"{request.method} {request.url.path}",
        requester=requester(),
        headers=services.http.headers.select(request.headers),
    )


def _priority(request: Request) -> int:
    given = request.headers.get("treadle-priority", "0")
    if not _INTEGER.fullmatch(given) or abs(int(given)) > PRIORITIES:
        text = f"treadle-priority: must be an integer from -{PRIORITIES} to {PRIORITIES}, is {given[:80]!r}"
        raise UnprocessableError(text, field="treadle-priority")
    return int(given)


def _concurrency_key(request: Request) -> str | None:
    key = request.headers.get("treadle-concurrency-key")
    if key is not None and not (1 <= len(key) <= 255 and key.isprintable()):
        text = "treadle-concurrency-key: must have 1 to 255 printable characters"
        raise UnprocessableError(text, field="treadle-concurrency-key")
    return key


def _on_leave(services: Services, run: Run, asked: RunCreate) -> Callable[[], Awaitable[None]] | None:
    return _cancel_for(services, run) if asked.on_disconnect == "cancel" else None


def _cancel_for(services: Services, run: Run) -> Callable[[], Awaitable[None]]:
    """What is done when a client leaves whose run is to stop with it."""

    async def cancel() -> None:
        with suppress(NotFoundError):  # it ended at the same moment
            await services.runs.cancel(run.thread_id, run.run_id, "interrupt", reason=_LEFT)

    return cancel


# --- reading ----------------------------------------------------------------------------------------------------------


async def list_runs(request: Request, services: Services) -> ASGIApp:
    thread_id = parse.path_uuid(request, "thread_id", "thread")
    query = parse.query(request)
    columns = query.items("select")
    if unknown := [column for column in columns or () if column not in COLUMNS]:
        text = f"Invalid select columns: {unknown}. Expected: {', '.join(COLUMNS)}"
        raise UnprocessableError(text, field="select", allowed=list(COLUMNS))
    status: RunStatus | None = query.choice("status", RUN_STATUSES)
    runs = await services.runs.list(
        ThreadRunsQuery(
            thread_id=thread_id,
            status=status,
            metadata=query.object("metadata"),
            created_after=query.moment("created_after"),
            created_before=query.moment("created_before"),
            limit=query.integer("limit", 10),
            offset=query.integer("offset", 0),
        )
    )
    return json_response([{c: getattr(run, c) for c in columns} for run in runs] if columns else runs)


async def get(request: Request, services: Services) -> ASGIApp:
    return json_response(await services.runs.get(*_run_path(request)))


async def delete(request: Request, services: Services) -> ASGIApp:
    await services.runs.delete(*_run_path(request))
    return no_content()


# --- cancelling -------------------------------------------------------------------------------------------------------


async def cancel(request: Request, services: Services) -> ASGIApp:
    thread_id, run_id = _run_path(request)
    query = parse.query(request)
    wait, action = query.flag("wait"), _action(query)
    taken = query.choice("reason", ("taken",)) is not None
    if taken and action != "interrupt":
        raise UnprocessableError("reason: goes with action=interrupt only", field="reason")
    reason = f"taken: its input is steering another run, {thread_id}/{run_id}" if taken else None
    await services.runs.cancel(thread_id, run_id, action, wait=wait, reason=reason)
    if not wait:
        return Response(status_code=202)
    location = f"/threads/{thread_id}/runs/{run_id}"
    return json_response({}, headers={"content-location": location, "location": f"{location}/join"})


async def cancel_many(request: Request, services: Services) -> ASGIApp:
    body = await parse.body(request, RunsCancel, limit=services.settings.max_body_bytes)
    for run_id in body.run_ids or ():
        parse.uuid_text(run_id, "run")
    await services.runs.cancel_many(body, _action(parse.query(request)))
    return no_content()


def _action(query: parse.Query) -> CancelAction:
    return query.choice("action", _CANCEL_ACTIONS) or "interrupt"


# --- joining ----------------------------------------------------------------------------------------------------------


async def join(request: Request, services: Services) -> ASGIApp:
    run = await _found(request, services)
    after = (await services.log.bounds(run.run_id))[1] if run.status in ACTIVE else 0
    on_leave = _cancel_for(services, run) if parse.query(request).flag("cancel_on_disconnect") else None
    location = f"/threads/{run.thread_id}/runs/{run.run_id}"
    return await _result(services, run, location, after=after, on_leave=on_leave)


async def join_stream(request: Request, services: Services) -> ASGIApp:
    run = await _found(request, services)
    query = parse.query(request)
    view = View(
        extended=_extended(request),
        only=_event_names(query.items("stream_mode")),
        subgraphs=query.flag("stream_subgraphs", True),
    )
    on_leave = _cancel_for(services, run) if query.flag("cancel_on_disconnect") else None
    first, last = await services.log.bounds(run.run_id)
    after = _cursor(request.headers.get("last-event-id") or "0", last)
    gap = first if after + 1 < first else None
    return await _stream(request, services, run, after=after, view=view, on_leave=on_leave, gap=gap)


async def _found(request: Request, services: Services) -> Run:
    thread_id = parse.path_uuid(request, "thread_id", "thread") if "thread_id" in request.path_params else None
    run = await services.runs.find(thread_id, parse.path_uuid(request, "run_id", "run"))
    if run is None:
        raise NotFoundError("Run not found")
    return run


def _cursor(last_event_id: str, last: int) -> int:
    """The seq to read after. ``-1`` and ``0`` mean from the start, and so does no id: a run here starts at once, so who
    creates one and then joins it would otherwise miss its first events. With an id that cannot be understood, or that
    is still to come, a reader gets only what is new (wire.md, Joining and resuming)."""
    if last_event_id in ("-1", "0", "0-0"):
        return 0
    known = sse.parse_event_id(last_event_id)
    return min(known[1], last) if known is not None and known[1] > 0 else last


def _event_names(modes: list[str] | None) -> frozenset[str] | None:
    """The event names that the modes of a query stand for. Raises UnprocessableError naming what is allowed.

    The Python SDK sends an empty ``stream_mode=`` where it was given none: that asks for everything."""
    if not modes:
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


# --- shared -----------------------------------------------------------------------------------------------------------


async def _stream(
    request: Request,
    services: Services,
    run: Run,
    *,
    after: int,
    view: View,
    on_leave: Callable[[], Awaitable[None]] | None,
    gap: int | None = None,
) -> EventReading:
    content_location = _content_location(request, run)
    headers = {**STREAM_HEADERS, "content-location": content_location, "location": f"{content_location}/stream"}
    terms = Terms(headers=headers, heartbeat_seconds=services.settings.heartbeat_seconds, on_leave=on_leave)

    async def exists() -> bool:
        return await services.runs.find(None, run.run_id) is not None

    follower = services.log.follow(run.run_id, after)
    return EventReading(follower, services.streams, terms, view=view, gap=gap, run_id=run.run_id, exists=exists)


async def _result(
    services: Services, run: Run, location: str, *, after: int, on_leave: Callable[[], Awaitable[None]] | None
) -> ResultReading:
    headers = {
        "content-type": "application/json",
        "content-location": location,
        "location": f"{location}/join",
        "cache-control": "no-store",
    }
    terms = Terms(headers=headers, heartbeat_seconds=services.settings.heartbeat_seconds, on_leave=on_leave)
    follower = services.log.follow(run.run_id, after)
    return ResultReading(follower, services.streams, terms, result=lambda: services.runs.result(run.run_id))


def _extended(request: Request) -> bool:
    return request.headers.get("treadle-events") == "1"


def _content_location(request: Request, run: Run) -> str:
    """``/runs/{r}`` where the request named no thread, as the SDKs expect it."""
    if "thread_id" in request.path_params:
        return f"/threads/{run.thread_id}/runs/{run.run_id}"
    return f"/runs/{run.run_id}"


def _run_path(request: Request) -> tuple[str, str]:
    return parse.path_uuid(request, "thread_id", "thread"), parse.path_uuid(request, "run_id", "run")


# --- the table --------------------------------------------------------------------------------------------------------

_KEY = Parameter(name="Idempotency-Key", type=str, place="header", description="the same key and body make one run")
_PRIORITY = Parameter(
    name="treadle-priority",
    type=int,
    place="header",
    description="-100 to 100: higher ones start first, 0 unless given",
)
_CONCURRENCY_KEY = Parameter(
    name="treadle-concurrency-key",
    type=str,
    place="header",
    description="runs of one key, over all graphs, run no more at once than the project's langgraph.json says",
)
_REFUSALS = (400, 404, 409, 413, 422, 429)
_CREATING = (_KEY, _PRIORITY, _CONCURRENCY_KEY)
_WAIT = Parameter(name="wait", type=bool, description="answer once the run is over")
_ACTION = Parameter(name="action", type=CancelAction)
_REASON = Parameter(name="reason", type=Literal["taken"], description="the run's input was taken up by another run")
_LAST_ID = Parameter(
    name="Last-Event-ID", type=str, place="header", description="read after this event; -1 or 0 from the start"
)
_LEAVE = Parameter(name="cancel_on_disconnect", type=bool, description="stop the run when this client goes away")
_JOIN = (
    _LAST_ID,
    _LEAVE,
    Parameter(name="stream_mode", type=list[str], description="only events of these modes"),
    Parameter(name="stream_subgraphs", type=bool, description="false leaves out events of sub-graphs"),
)
_LIST = (
    Parameter(name="limit", type=int),
    Parameter(name="offset", type=int),
    Parameter(name="status", type=RunStatus),
    Parameter(name="metadata", type=str, description="a JSON object that the run's metadata must contain"),
    Parameter(name="created_after", type=str, description="ISO 8601, exclusive"),
    Parameter(name="created_before", type=str, description="ISO 8601, exclusive"),
    Parameter(name="select", type=list[str], description=f"columns: {', '.join(COLUMNS)}"),
)
_RUN = "/threads/{thread_id}/runs/{run_id}"
_LEAVING: tuple[tuple[str, Resource, str], ...] = (("cancel_on_disconnect", "threads", "update"),)


def _creating(path: str, endpoint: object, summary: str, **more: object) -> Operation:
    return Operation(
        method="POST", path=path, endpoint=endpoint, summary=summary, tag="runs", request=RunCreate,  # type: ignore[arg-type]
        access=Access("threads", "create_run", uses=True), parameters=_CREATING, errors=_REFUSALS, **more,  # type: ignore[arg-type]
    )  # fmt: skip


def _on_run(method: str, path: str, endpoint: object, summary: str, action: str = "read", **more: object) -> Operation:
    return Operation(
        method=method, path=path, endpoint=endpoint, summary=summary, tag="runs",  # type: ignore[arg-type]
        errors=(404, 422), access=Access("threads", action, flags=_LEAVING), **more,  # type: ignore[arg-type]
    )  # fmt: skip


ROUTES: list[Operation] = [
    _creating("/threads/{thread_id}/runs", create, "Create a background run", response=Run),
    _creating("/threads/{thread_id}/runs/stream", create_and_stream, "Create a run and stream it", streams=True),
    _creating("/threads/{thread_id}/runs/wait", create_and_wait, "Create a run and wait for its result", response=JSON),
    _creating("/runs", create, "Create a stateless background run", response=Run),
    _creating("/runs/stream", create_and_stream, "Create a stateless run and stream it", streams=True),
    _creating("/runs/wait", create_and_wait, "Create a stateless run and wait for its result", response=JSON),
    Operation(
        method="POST",
        path="/runs/batch",
        endpoint=create_batch,
        summary="Create many stateless runs, all or none",
        tag="runs",
        access=Access("threads", "create_run", uses=True),
        request=list[RunCreate],
        spelled=_spelled,
        response=list[Run],
        parameters=_CREATING,
        errors=_REFUSALS,
    ),
    Operation(
        method="POST",
        path="/runs/cancel",
        endpoint=cancel_many,
        summary="Cancel runs by id or by status",
        tag="runs",
        access=Access("threads", "update"),
        request=RunsCancel,
        status=204,
        parameters=(_ACTION,),
        errors=(400, 404, 413, 422),
    ),
    _on_run(
        "GET",
        "/threads/{thread_id}/runs",
        list_runs,
        "List runs, newest first",
        "search",
        response=list[Run],
        parameters=_LIST,
    ),
    _on_run("GET", _RUN, get, "Get a run", response=Run),
    _on_run("DELETE", _RUN, delete, "Delete a run for good", "delete", status=204),
    _on_run(
        "POST",
        f"{_RUN}/cancel",
        cancel,
        "Cancel a run",
        "update",
        status=202,
        otherwise={200: JSON},
        parameters=(_WAIT, _ACTION, _REASON),
    ),
    Operation(
        method="POST",
        path=f"{_RUN}/retry",
        endpoint=retry,
        summary="Ask again what a run that did not succeed was asked",
        tag="runs",
        access=Access("threads", "create_run", uses=True),
        response=Run,
        parameters=(_KEY,),
        errors=(404, 409, 422, 429),
    ),
    _on_run("GET", f"{_RUN}/join", join, "Wait for a run's result", response=JSON, parameters=(_LEAVE,)),
    _on_run("GET", f"{_RUN}/stream", join_stream, "Join a run's stream", streams=True, parameters=_JOIN),
    _on_run(
        "GET", "/runs/{run_id}/join", join, "Wait for a stateless run's result", response=JSON, parameters=(_LEAVE,)
    ),
    _on_run(
        "GET", "/runs/{run_id}/stream", join_stream, "Join a stateless run's stream", streams=True, parameters=_JOIN
    ),
]
