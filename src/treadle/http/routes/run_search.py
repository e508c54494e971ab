"""The routes for runs of all threads, an addition to the official API."""

from __future__ import annotations

from typing import TypeVar

from starlette.responses import Response

from treadle.http import parse, select
from treadle.http.gate import Access
from treadle.http.responses import json_response
from treadle.http.routing import Call, Routes
from treadle.run_search import FoundRun, RunFilter, RunSearch

F = TypeVar("F", bound=RunFilter)

COLUMNS = FoundRun.__struct_fields__
SEARCH = Access("threads", "search", metadata="thread_metadata")

route = Routes("runs", "/runs", errors=(400, 413, 422))


@route(
    "POST", "/search", "Search runs of all threads, newest first", access=SEARCH, body=RunSearch, returns=list[FoundRun]
)
async def search(call: Call[RunSearch]) -> Response:
    body = _with_uuids(call.body)
    columns = parse.choices("select", body.select, COLUMNS)
    page = await call.services.run_searches.search(body, kwargs=columns is not None and "kwargs" in columns)
    headers = None if page.next is None else {"x-pagination-next": page.next}
    return json_response([select.columns(run, columns) for run in page.items], headers=headers)


@route("POST", "/count", "Count runs of all threads", access=SEARCH, body=RunFilter, returns=int)
async def count(call: Call[RunFilter]) -> Response:
    return json_response(await call.services.run_searches.count(_with_uuids(call.body)))


def _with_uuids(body: F) -> F:
    if body.ids is not None:
        body.ids = [parse.uuid_text(run_id, "run") for run_id in body.ids]
    if body.thread_id is not None:
        body.thread_id = parse.uuid_text(body.thread_id, "thread")
    return body
