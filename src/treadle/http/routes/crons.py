"""The routes of crons."""

from __future__ import annotations

from starlette.responses import Response

from treadle.http import parse, select
from treadle.http.gate import Access
from treadle.http.responses import json_response, no_content, paged
from treadle.http.routing import Call, Routes
from treadle.model import Cron, CronCreate, CronPatch, CronSearch

COLUMNS = (*Cron.__struct_fields__, "now")
"""``now`` is in the SDK's list of columns, but no cron has it: accept it and leave it out."""
CREATE = Access("crons", "create", also=(("threads", "create_run"),), uses=True)
SEARCH = Access("crons", "search")

route = Routes("Crons", errors=(400, 404, 422))


@route(
    "POST", "/threads/{thread_id}/runs/crons", "Create a cron on a thread", access=CREATE, body=CronCreate, returns=Cron
)
@route(
    "POST",
    "/runs/crons",
    "Create a cron that runs on a new thread each time",
    access=CREATE,
    body=CronCreate,
    returns=Cron,
)
async def create(call: Call[CronCreate]) -> Response:
    return json_response(await call.services.crons.create(call.thread_id(), call.body))


@route("POST", "/runs/crons/search", "Search crons", access=SEARCH, body=CronSearch, returns=list[Cron])
async def search(call: Call[CronSearch]) -> Response:
    body = _with_uuid(call.body)
    columns = parse.choices("select", body.select, COLUMNS)
    crons, total = await call.services.crons.search(body)
    return paged([select.columns(cron, columns) for cron in crons], total=total, offset=body.offset or 0)


@route("POST", "/runs/crons/count", "Count crons", access=SEARCH, body=CronSearch, returns=int)
async def count(call: Call[CronSearch]) -> Response:
    return json_response(await call.services.crons.count(_with_uuid(call.body)))


@route("GET", "/runs/crons/{cron_id}", "Get a cron", access=Access("crons", "read"), returns=Cron, errors=(404, 422))
async def get(call: Call[None]) -> Response:
    return json_response(await call.services.crons.get(call.id("cron")))


@route(
    "PATCH", "/runs/crons/{cron_id}", "Update a cron", access=Access("crons", "update"), body=CronPatch, returns=Cron
)
async def patch(call: Call[CronPatch]) -> Response:
    return json_response(await call.services.crons.patch(call.id("cron"), call.body))


@route(
    "DELETE",
    "/runs/crons/{cron_id}",
    "Delete a cron",
    access=Access("crons", "delete"),
    status=204,
    errors=(404, 422),
)
async def delete(call: Call[None]) -> Response:
    await call.services.crons.delete(call.id("cron"))
    return no_content()


def _with_uuid(body: CronSearch) -> CronSearch:
    if body.thread_id is not None:
        body.thread_id = parse.uuid_text(body.thread_id, "thread")
    return body
