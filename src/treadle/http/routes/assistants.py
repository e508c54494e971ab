"""The endpoints of assistants."""

from __future__ import annotations

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from treadle.errors import UnprocessableError
from treadle.http import parse, select
from treadle.http.gate import Access
from treadle.http.responses import json_response, no_content, paged
from treadle.http.routing import Operation, Parameter, Services
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


async def create(request: Request, services: Services) -> Response:
    body = await parse.body(request, AssistantCreate, limit=services.settings.max_body_bytes)
    assistant_id = None if body.assistant_id is None else parse.uuid_text(body.assistant_id, "assistant")
    return json_response(await services.assistants.create(body, assistant_id))


async def get(request: Request, services: Services) -> Response:
    return json_response(await services.assistants.get(_reference(request)))


async def patch(request: Request, services: Services) -> Response:
    body = await parse.body(request, AssistantPatch, limit=services.settings.max_body_bytes)
    return json_response(await services.assistants.patch(_reference(request), body))


async def delete(request: Request, services: Services) -> Response:
    delete_threads = parse.query(request).flag("delete_threads")
    await services.assistants.delete(_reference(request), delete_threads=delete_threads)
    return no_content()


async def search(request: Request, services: Services) -> Response:
    body = await parse.body(request, AssistantSearch, limit=services.settings.max_body_bytes)
    names = parse.choices("select", body.select, select.ASSISTANT_COLUMNS)
    found, total = await services.assistants.search(body)
    return paged([select.columns(item, names) for item in found], total=total, offset=body.offset or 0)


async def count(request: Request, services: Services) -> Response:
    body = await parse.body(request, AssistantSearch, limit=services.settings.max_body_bytes)
    return json_response(await services.assistants.count(body))


async def versions(request: Request, services: Services) -> Response:
    body = await parse.body(request, AssistantVersions, limit=services.settings.max_body_bytes)
    return json_response(await services.assistants.versions(_reference(request), body))


async def set_latest(request: Request, services: Services) -> Response:
    body = await parse.body(request, AssistantLatest, limit=services.settings.max_body_bytes)
    return json_response(await services.assistants.set_latest(_reference(request), body.version))


async def graph(request: Request, services: Services) -> Response:
    xray = _xray(parse.query(request).text("xray"))
    return json_response(await services.assistants.drawing(_reference(request), xray=xray))


async def schemas(request: Request, services: Services) -> Response:
    return json_response(await services.assistants.schemas(_reference(request)))


async def subgraphs(request: Request, services: Services) -> Response:
    recurse = parse.query(request).flag("recurse")
    namespace = request.path_params.get("namespace")
    found = await services.assistants.subgraphs(_reference(request), namespace=namespace, recurse=recurse)
    return json_response(found)


def _reference(request: Request) -> str:
    return request.path_params["assistant_id"]


def _xray(text: str | None) -> int | bool:
    """``true``, ``false`` or how many levels of sub-graphs to draw."""
    if text is None or text.lower() in ("true", "false"):
        return text is not None and text.lower() == "true"
    if not re.fullmatch(r"[0-9]{1,3}", text, re.ASCII):
        raise UnprocessableError(
            f"Invalid xray value {text[:80]!r}: must be true, false or a number of levels from 0 to 999", field="xray"
        )
    return int(text)


def _operation(method: str, path: str, endpoint: Any, summary: str, **more: Any) -> Operation:
    return Operation(
        method=method, path=f"/assistants{path}", endpoint=endpoint, summary=summary, tag="Assistants", **more
    )


_RECURSE = Parameter(name="recurse", type=bool, description="sub-graphs of sub-graphs too")

ROUTES: list[Operation] = [
    _operation(
        "POST",
        "",
        create,
        "Create an assistant",
        access=Access("assistants", "create"),
        request=AssistantCreate,
        response=Assistant,
        errors=(400, 404, 409, 422),
    ),
    _operation(
        "POST",
        "/search",
        search,
        "Search assistants",
        access=Access("assistants", "search"),
        request=AssistantSearch,
        response=list[Assistant],
        errors=(404, 422),
    ),
    _operation(
        "POST",
        "/count",
        count,
        "Count assistants",
        access=Access("assistants", "search"),
        request=AssistantSearch,
        response=int,
        errors=(404, 422),
    ),
    _operation(
        "GET",
        "/{assistant_id}",
        get,
        "Get an assistant",
        access=Access("assistants", "read"),
        response=Assistant,
        errors=(404, 422),
    ),
    _operation(
        "PATCH",
        "/{assistant_id}",
        patch,
        "Change an assistant: a new version",
        access=Access("assistants", "update"),
        request=AssistantPatch,
        response=Assistant,
        errors=(400, 404, 409, 422),
    ),
    _operation(
        "DELETE",
        "/{assistant_id}",
        delete,
        "Delete an assistant",
        access=Access("assistants", "delete", flags=(("delete_threads", "threads", "delete"),)),
        status=204,
        parameters=(Parameter(name="delete_threads", type=bool, description="and the threads that ran it"),),
        errors=(404, 409, 422),
    ),
    _operation(
        "POST",
        "/{assistant_id}/versions",
        versions,
        "List the versions of an assistant, newest first",
        access=Access("assistants", "read"),
        request=AssistantVersions,
        response=list[AssistantVersion],
        errors=(404, 422),
    ),
    _operation(
        "POST",
        "/{assistant_id}/latest",
        set_latest,
        "Bring back a version of an assistant",
        access=Access("assistants", "update"),
        request=AssistantLatest,
        response=Assistant,
        errors=(404, 422),
    ),
    _operation(
        "GET",
        "/{assistant_id}/graph",
        graph,
        "Get the nodes and edges of the graph",
        access=Access("assistants", "read"),
        response=JSON,
        parameters=(Parameter(name="xray", type=bool | int, description="draw sub-graphs, all or that many levels"),),
        errors=(404, 422),
    ),
    _operation(
        "GET",
        "/{assistant_id}/schemas",
        schemas,
        "Get the JSON schemas of the graph",
        access=Access("assistants", "read"),
        response=JSON,
        errors=(404, 422),
    ),
    _operation(
        "GET",
        "/{assistant_id}/subgraphs",
        subgraphs,
        "Get the schemas of the sub-graphs",
        access=Access("assistants", "read"),
        response=JSON,
        parameters=(_RECURSE,),
        errors=(404, 422),
    ),
    _operation(
        "GET",
        "/{assistant_id}/subgraphs/{namespace}",
        subgraphs,
        "Get the schemas of one sub-graph",
        access=Access("assistants", "read"),
        response=JSON,
        parameters=(_RECURSE,),
        errors=(404, 422),
    ),
]
