"""Generate the OpenAPI document and a page of the routes from their declarations. The page loads nothing remote."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import escape
from http import HTTPStatus
from typing import Any

import msgspec

from treadle.http.gate import PUBLIC
from treadle.http.routing import Operation, Parameter
from treadle.model import JSON

_REFERENCES = "#/components/schemas/{name}"
_PATH_PARAMETER = re.compile(r"{(\w+)}")
_ERROR_REFERENCE = {"$ref": _REFERENCES.format(name="Error")}
_UUIDS = ("thread_id", "run_id", "cron_id", "delivery_id")
_ERROR = {
    "type": "object",
    "required": ["detail", "code"],
    "properties": {"detail": {"type": "string"}, "code": {"type": "string"}},
}
_EVENT = {
    "description": "One event of a stream; data is JSON on one line.",
    "type": "object",
    "required": ["event", "data", "id"],
    "properties": {
        "event": {"type": "string"},
        "data": {"type": "string", "contentMediaType": "application/json"},
        "id": {"type": "string", "pattern": "^[0-9]+-[0-9]+$"},
    },
}
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
code{font:13px ui-monospace,monospace}b{display:inline-block;width:4.5rem}h2{margin-top:2rem}
summary{cursor:pointer;padding:.3rem 0}pre{background:#f4f4f4;padding:.7rem;overflow:auto}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}pre{background:#262626}a{color:#8bf}}
"""


def document(operations: Sequence[Operation], *, version: str) -> JSON:
    """Return the OpenAPI 3.1 document of ``operations``."""
    schema, components = _schemas(operations)
    paths: JSON = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _describe(operation, schema)
    return {
        "openapi": "3.1.0",
        "info": {"title": "treadle", "version": version},
        "paths": paths,
        "components": {"schemas": {**components, "Error": _ERROR, "StreamEvent": _EVENT}},
    }


def secured(document: JSON, security: JSON) -> JSON:
    """Return the document with the project's security section (``auth.openapi`` in langgraph.json)."""
    schemes = {"securitySchemes": security["securitySchemes"]} if "securitySchemes" in security else {}
    secured = {**document, "components": {**document["components"], **schemes}}
    if "security" in security:
        secured["security"] = security["security"]
    for path, methods in security.get("paths", {}).items():
        known = secured["paths"].get(path, {})
        changed = {
            name.lower(): {**known[name.lower()], "security": requirement}
            for name, requirement in methods.items()
            if name.lower() in known
        }
        if changed:
            secured["paths"] = {**secured["paths"], path: {**known, **changed}}
    return secured


def page(document: JSON) -> str:
    """Return an HTML page that lists the routes of ``document`` with their parameters and bodies."""
    title = f"treadle {escape(document['info']['version'])}"
    tags: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tags.setdefault(operation["tags"][0], []).append(_entry(path, method, operation))
    body = "".join(f"<h2>{escape(tag)}</h2>{''.join(entries)}" for tag, entries in tags.items())
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f'<h1>{title}</h1><p><a href="openapi.json">openapi.json</a></p>{body}</html>'
    )


def _schemas(operations: Sequence[Operation]) -> tuple[Callable[[Any], JSON], JSON]:
    """Return a function from a declared type to its schema, and the component schemas that those reference."""
    types = [
        type
        for operation in operations
        for type in (
            operation.body,
            operation.returns,
            *operation.also_returns.values(),
            *(p.type for p in operation.parameters),
        )
        if type is not None
    ]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCES)
    # Look types up by identity, because different ones may compare equal (bool | int == int | bool).
    # The declarations keep them alive, so ids are not reused.
    by_id = {id(type): schema for type, schema in zip(types, schemas, strict=True)}
    return (lambda type: by_id[id(type)]), components


def _describe(operation: Operation, schema: Callable[[Any], JSON]) -> JSON:
    described: JSON = {
        "summary": operation.summary,
        "tags": [operation.tag],
        "operationId": _operation_id(operation),
        "responses": _responses(operation, schema),
    }
    if parameters := _parameters(operation, schema):
        described["parameters"] = parameters
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": _json(schema(operation.body))}
    return described


def _operation_id(operation: Operation) -> str:
    words = re.findall(r"\w+", operation.path) or ["root"]
    return "_".join([operation.method.lower(), *words]).replace("openapi_json", "openapi")


def _parameters(operation: Operation, schema: Callable[[Any], JSON]) -> list[JSON]:
    names = _PATH_PARAMETER.findall(operation.path)
    return [_in_path(name) for name in names] + [_parameter(parameter, schema) for parameter in operation.parameters]


def _in_path(name: str) -> JSON:
    schema = {"type": "string", "format": "uuid"} if name in _UUIDS else {"type": "string"}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _parameter(parameter: Parameter, schema: Callable[[Any], JSON]) -> JSON:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.description,
        "schema": schema(parameter.type),
    }


def _responses(operation: Operation, schema: Callable[[Any], JSON]) -> JSON:
    statuses = [operation.status, *operation.also_returns]
    successes = {str(status): _response(status, _content(operation, status, schema)) for status in statuses}
    large = (413,) if operation.body is not None else ()
    # The usual statuses of a project's auth handlers, which may choose any other as well.
    auth = () if operation.access is PUBLIC else (401, 403)
    errors = sorted({*operation.errors, *large, *auth})
    return {**successes, **{str(status): _response(status, _json(_ERROR_REFERENCE)) for status in errors}}


def _content(operation: Operation, status: int, schema: Callable[[Any], JSON]) -> JSON:
    """The schema of a successful response by media type."""
    if operation.streams:
        return {"text/event-stream": {"schema": {"$ref": _REFERENCES.format(name="StreamEvent")}}}
    type = operation.returns if status == operation.status else operation.also_returns[status]
    texts = {media: {"schema": {"type": "string"}} for media in operation.media_types}
    return {**(_json(schema(type)) if type is not None else {}), **texts}


def _response(status: int, content: JSON) -> JSON:
    return {"description": HTTPStatus(status).phrase, **({"content": content} if content else {})}


def _json(schema: JSON) -> JSON:
    return {"application/json": {"schema": schema}}


def _entry(path: str, method: str, operation: JSON) -> str:
    details = {key: operation[key] for key in ("parameters", "requestBody", "responses") if key in operation}
    shown = escape(msgspec.json.format(msgspec.json.encode(details), indent=2).decode())
    head = f"<b>{method.upper()}</b> <code>{escape(path)}</code> {escape(operation['summary'])}"
    return f"<details><summary>{head}</summary><pre>{shown}</pre></details>"
