"""The routes of the server itself: health, capabilities and API documents."""

from __future__ import annotations

from importlib.metadata import version

import msgspec
from starlette.responses import HTMLResponse, Response

from treadle.http import openapi
from treadle.http.gate import PUBLIC
from treadle.http.responses import json_response
from treadle.http.routing import Call, Routes
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
"""The settings that are public: limits that clients run into, but no paths or addresses."""


class Ok(msgspec.Struct):
    ok: bool = True
    services: JSON = {}


class Info(msgspec.Struct, kw_only=True):
    """``flags`` are capabilities, ``settings`` the limits that clients run into."""

    version: str
    langgraph_py_version: str
    flags: dict[str, bool]
    host: JSON
    settings: JSON


route = Routes("System")


@route("GET", "/ok", "Check that the server is up", access=PUBLIC, returns=Ok)
@route("GET", "/", "Check that the server is up", access=PUBLIC, returns=Ok)
async def ok(call: Call[None]) -> Response:
    return json_response(Ok())


@route("GET", "/info", "Get the server's version, capabilities and limits", access=PUBLIC, returns=Info)
async def info(call: Call[None]) -> Response:
    return json_response(
        Info(
            version=version("treadle"),
            langgraph_py_version=version("langgraph"),
            flags={"assistants": True, "crons": True, "store": True, "strict_resume": True, "langsmith": False},
            host={"kind": "self-hosted", "server": "treadle"},
            settings={name: getattr(call.services.settings, name) for name in SHOWN_SETTINGS},
        )
    )


@route("GET", "/openapi.json", "Get this document", access=PUBLIC, returns=JSON)
async def document(call: Call[None]) -> Response:
    return json_response(_document(call))


@route("GET", "/docs", "Get the routes as a page", access=PUBLIC, media_types=("text/html",))
async def docs(call: Call[None]) -> Response:
    return HTMLResponse(openapi.page(_document(call)))


def _document(call: Call[None]) -> JSON:
    document = openapi.document(call.request.app.state.treadle_operations, version=version("treadle"))
    return document if call.services.gate is None else openapi.secured(document, call.services.gate.openapi)
