"""The endpoints for runs of all threads. An addition of treadle's."""

from __future__ import annotations

from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from treadle.http import parse, select
from treadle.http.gate import Access
from treadle.http.responses import json_response
from treadle.http.routing import Operation, Services
from treadle.run_search import FoundRun, RunFilter, RunSearch

F = TypeVar("F", bound=RunFilter)

COLUMNS = FoundRun.__struct_fields__


async def search(request: Request, services: Services) -> Response:
    body = await _filter(request, services, RunSearch)
    names = parse.choices("select", body.select, COLUMNS)
    page = await services.run_searches.search(body, kwargs=names is not None and "kwargs" in names)
    headers = None if page.next is None else {"x-pagination-next": page.next}
    return json_response([select.columns(run, names) for run in page.items], headers=headers)


async def count(request: Request, services: Services) -> Response:
    return json_response(await services.run_searches.count(await _filter(request, services, RunFilter)))


async def _filter(request: Request, services: Services, kind: type[F]) -> F:
    body = await parse.body(request, kind, limit=services.settings.max_body_bytes)
    if body.ids is not None:
        body.ids = [parse.uuid_text(run_id, "run") for run_id in body.ids]
    if body.thread_id is not None:
        body.thread_id = parse.uuid_text(body.thread_id, "thread")
    return body


def _operation(path: str, endpoint: Any, summary: str, **more: Any) -> Operation:
    return Operation(
        method="POST",
        path=f"/runs{path}",
        endpoint=endpoint,
        summary=summary,
        tag="runs",
        access=Access("threads", "search", metadata="thread_metadata"),
        errors=(400, 413, 422),
        **more,
    )


ROUTES: list[Operation] = [
    _operation(
        "/search", search, "Search runs of all threads, newest first", request=RunSearch, response=list[FoundRun]
    ),
    _operation("/count", count, "Count runs of all threads", request=RunFilter, response=int),
]
