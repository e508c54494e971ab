"""The endpoints of the server itself: alive, what it is, and its documents."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from treadle.http import openapi
from treadle.http.gate import PUBLIC
from treadle.http.responses import json_response
from treadle.http.routing import Operation, Services
from treadle.model import JSON

SHOWN_SETTINGS = (
    "concurrency",
    "max_attempts",
    "heartbeat_seconds",
    "cancel_seconds",
    "drain_seconds",
    "run_timeout_seconds",
    "stateless_retention_seconds",
    "idempotency_seconds",
    "max_body_bytes",
)
"""What anybody may know of the settings: the limits that a client meets, no path and no address."""


class Ok(msgspec.Struct):
    ok: bool = True
    services: JSON = {}


class Info(msgspec.Struct, kw_only=True):
    """``flags`` says what clients may rely on, ``settings`` which limits they meet."""

    version: str
    langgraph_py_version: str
    flags: dict[str, bool]
    host: JSON
    settings: JSON


async def ok(request: Request, services: Services) -> Response:
    return json_response(Ok())


async def info(request: Request, services: Services) -> Response:
    return json_response(
        Info(
            version=version("treadle"),
            langgraph_py_version=version("langgraph"),
            flags={"assistants": True, "crons": True, "store": True, "strict_resume": True, "langsmith": False},
            host={"kind": "self-hosted", "server": "treadle"},
            settings={name: getattr(services.settings, name) for name in SHOWN_SETTINGS},
        )
    )


async def document(request: Request, services: Services) -> Response:
    return json_response(_document(request, services))


async def docs(request: Request, services: Services) -> Response:
    return HTMLResponse(openapi.page(_document(request, services)))


def _document(request: Request, services: Services) -> JSON:
    described = openapi.document(request.app.state.treadle_operations, version=version("treadle"))
    return described if services.gate is None else openapi.secured(described, services.gate.openapi)


def _operation(path: str, endpoint: Any, summary: str, **more: Any) -> Operation:
    return Operation(method="GET", path=path, endpoint=endpoint, summary=summary, tag="System", access=PUBLIC, **more)


ROUTES: list[Operation] = [
    _operation("/", ok, "Whether the server is up", response=Ok),
    _operation("/ok", ok, "Whether the server is up", response=Ok),
    _operation("/info", info, "What the server is and can do", response=Info),
    _operation("/openapi.json", document, "This document", response=JSON),
    _operation("/docs", docs, "The routes as a page", texts=("text/html",)),
]
