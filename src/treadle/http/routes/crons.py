"""The endpoints of crons (wire.md, Crons)."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from treadle.http import parse, select
from treadle.http.gate import Access
from treadle.http.responses import json_response, no_content, paged
from treadle.http.routing import Operation, Services
from treadle.model import Cron, CronCreate, CronPatch, CronSearch

COLUMNS = (*Cron.__struct_fields__, "now")
"""``now`` is in the SDK's list, yet no cron has it: it may be asked for and is left out."""


async def create(request: Request, services: Services) -> Response:
    body = await parse.body(request, CronCreate, limit=services.settings.max_body_bytes)
    thread_id = parse.path_uuid(request, "thread_id", "thread") if "thread_id" in request.path_params else None
    return json_response(await services.crons.create(thread_id, body))


async def get(request: Request, services: Services) -> Response:
    return json_response(await services.crons.get(_cron_id(request)))


async def patch(request: Request, services: Services) -> Response:
    body = await parse.body(request, CronPatch, limit=services.settings.max_body_bytes)
    return json_response(await services.crons.patch(_cron_id(request), body))


async def delete(request: Request, services: Services) -> Response:
    await services.crons.delete(_cron_id(request))
    return no_content()


async def search(request: Request, services: Services) -> Response:
    body = await _searched(request, services)
    names = parse.choices("select", body.select, COLUMNS)
    found, total = await services.crons.search(body)
    return paged([select.columns(cron, names) for cron in found], total=total, offset=body.offset or 0)


async def count(request: Request, services: Services) -> Response:
    return json_response(await services.crons.count(await _searched(request, services)))


async def _searched(request: Request, services: Services) -> CronSearch:
    body = await parse.body(request, CronSearch, limit=services.settings.max_body_bytes)
    if body.thread_id is not None:
        body.thread_id = parse.uuid_text(body.thread_id, "thread")
    return body


def _cron_id(request: Request) -> str:
    return parse.path_uuid(request, "cron_id", "cron")


def _operation(method: str, path: str, endpoint: Any, summary: str, **more: Any) -> Operation:
    return Operation(method=method, path=path, endpoint=endpoint, summary=summary, tag="Crons", **more)


_ONE = "/runs/crons/{cron_id}"

ROUTES: list[Operation] = [
    _operation(
        "POST",
        "/runs/crons",
        create,
        "Create a cron whose every run gets a thread of its own",
        access=Access("crons", "create", also=(("threads", "create_run"),), uses=True),
        request=CronCreate,
        response=Cron,
        errors=(400, 404, 422),
    ),
    _operation(
        "POST",
        "/threads/{thread_id}/runs/crons",
        create,
        "Create a cron on a thread",
        access=Access("crons", "create", also=(("threads", "create_run"),), uses=True),
        request=CronCreate,
        response=Cron,
        errors=(400, 404, 422),
    ),
    _operation(
        "POST",
        "/runs/crons/search",
        search,
        "Search crons",
        access=Access("crons", "search"),
        request=CronSearch,
        response=list[Cron],
        errors=(400, 404, 422),
    ),
    _operation(
        "POST",
        "/runs/crons/count",
        count,
        "Count crons",
        access=Access("crons", "search"),
        request=CronSearch,
        response=int,
        errors=(400, 404, 422),
    ),
    _operation("GET", _ONE, get, "Get a cron", access=Access("crons", "read"), response=Cron, errors=(404, 422)),
    _operation(
        "PATCH",
        _ONE,
        patch,
        "Change a cron",
        access=Access("crons", "update"),
        request=CronPatch,
        response=Cron,
        errors=(400, 404, 422),
    ),
    _operation(
        "DELETE", _ONE, delete, "Delete a cron", access=Access("crons", "delete"), status=204, errors=(404, 422)
    ),
]
