"""The routes of assistants."""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import Response

from treadle.errors import UnprocessableError
from treadle.http import parse, select
from treadle.http.gate import Access
from treadle.http.responses import json_response, no_content, paged
from treadle.http.routing import Call, Parameter, Routes
from treadle.model import (
    JSON,
    Assistant,
    AssistantCreate,
    AssistantLatest,
    AssistantPatch,
    AssistantSearch,
    AssistantVersion,
    AssistantVersions,
)

READ = Access("assistants", "read")
SEARCH = Access("assistants", "search")
UPDATE = Access("assistants", "update")
_DELETE_THREADS = Parameter(name="delete_threads", type=bool, description="also delete the threads that ran it")
_XRAY = Parameter(name="xray", type=bool | int, description="draw subgraphs: all, or this many levels")
_RECURSE = Parameter(name="recurse", type=bool, description="include nested subgraphs")

route = Routes("Assistants", "/assistants", errors=(404, 422))


@route(
    "POST",
    "",
    "Create an assistant",
    access=Access("assistants", "create"),
    body=AssistantCreate,
    returns=Assistant,
    errors=(400, 404, 409, 422),
)
async def create(call: Call[AssistantCreate]) -> Response:
    body = call.body
    assistant_id = None if body.assistant_id is None else parse.uuid_text(body.assistant_id, "assistant")
    return json_response(await call.services.assistants.create(body, assistant_id))


@route("POST", "/search", "Search assistants", access=SEARCH, body=AssistantSearch, returns=list[Assistant])
async def search(call: Call[AssistantSearch]) -> Response:
    body = call.body
    columns = parse.choices("select", body.select, select.ASSISTANT_COLUMNS)
    assistants, total = await call.services.assistants.search(body)
    return paged([select.columns(each, columns) for each in assistants], total=total, offset=body.offset or 0)


@route("POST", "/count", "Count assistants", access=SEARCH, body=AssistantSearch, returns=int)
async def count(call: Call[AssistantSearch]) -> Response:
    return json_response(await call.services.assistants.count(call.body))


@route("GET", "/{assistant_id}", "Get an assistant", access=READ, returns=Assistant)
async def get(call: Call[None]) -> Response:
    return json_response(await call.services.assistants.get(_reference(call)))


@route(
    "PATCH",
    "/{assistant_id}",
    "Update an assistant, creating a new version",
    access=UPDATE,
    body=AssistantPatch,
    returns=Assistant,
    errors=(400, 404, 409, 422),
)
async def patch(call: Call[AssistantPatch]) -> Response:
    return json_response(await call.services.assistants.patch(_reference(call), call.body))


@route(
    "DELETE",
    "/{assistant_id}",
    "Delete an assistant",
    access=Access("assistants", "delete", flags=(("delete_threads", "threads", "delete"),)),
    status=204,
    parameters=(_DELETE_THREADS,),
    errors=(404, 409, 422),
)
async def delete(call: Call[None]) -> Response:
    delete_threads = call.query.flag("delete_threads")
    await call.services.assistants.delete(_reference(call), delete_threads=delete_threads)
    return no_content()


@route(
    "POST",
    "/{assistant_id}/versions",
    "List the versions of an assistant, newest first",
    access=READ,
    body=AssistantVersions,
    returns=list[AssistantVersion],
)
async def versions(call: Call[AssistantVersions]) -> Response:
    return json_response(await call.services.assistants.versions(_reference(call), call.body))


@route(
    "POST",
    "/{assistant_id}/latest",
    "Make an earlier version of an assistant the current one",
    access=UPDATE,
    body=AssistantLatest,
    returns=Assistant,
)
async def set_latest(call: Call[AssistantLatest]) -> Response:
    return json_response(await call.services.assistants.set_latest(_reference(call), call.body.version))


@route(
    "GET",
    "/{assistant_id}/graph",
    "Get the nodes and edges of the graph",
    access=READ,
    returns=JSON,
    parameters=(_XRAY,),
)
async def graph(call: Call[None]) -> Response:
    xray = _xray(call.query.text("xray"))
    return json_response(await call.services.assistants.drawing(_reference(call), xray=xray))


@route("GET", "/{assistant_id}/schemas", "Get the JSON schemas of the graph", access=READ, returns=JSON)
async def schemas(call: Call[None]) -> Response:
    return json_response(await call.services.assistants.schemas(_reference(call)))


@route(
    "GET",
    "/{assistant_id}/subgraphs/{namespace}",
    "Get the schemas of one subgraph",
    access=READ,
    returns=JSON,
    parameters=(_RECURSE,),
)
@route(
    "GET",
    "/{assistant_id}/subgraphs",
    "Get the schemas of the subgraphs",
    access=READ,
    returns=JSON,
    parameters=(_RECURSE,),
)
async def subgraphs(call: Call[None]) -> Response:
    recurse = call.query.flag("recurse")
    namespace = call.request.path_params.get("namespace")
    return json_response(
        await call.services.assistants.subgraphs(_reference(call), namespace=namespace, recurse=recurse)
    )


def _reference(call: Call[Any]) -> str:
    """An assistant's id or a graph's name."""
    return call.request.path_params["assistant_id"]


def _xray(text: str | None) -> int | bool:
    """Parse ``true``, ``false`` or the number of subgraph levels to draw."""
    if text is None or text.lower() in ("true", "false"):
        return text is not None and text.lower() == "true"
    if not re.fullmatch(r"[0-9]{1,3}", text, re.ASCII):
        raise UnprocessableError(
            f"Invalid xray value {text[:80]!r}: must be true, false or a number of levels from 0 to 999", field="xray"
        )
    return int(text)
