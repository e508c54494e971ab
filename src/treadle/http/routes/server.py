"""The route of the server's state, for its operators. An addition to the official API."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Mapping
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

from starlette.responses import Response

from treadle.auth.scope import sees_all
from treadle.errors import PermissionDeniedError
from treadle.http.gate import Access
from treadle.http.responses import json_response
from treadle.http.routing import Call, Routes
from treadle.model import JSON
from treadle.ports.statistics import ServerMetrics, ServerOverview
from treadle.server_state import DatabaseState, ProcessState, Queued, QueueState, ServerState
from treadle.settings import Settings
from treadle.times import from_microseconds

route = Routes("System")


@route(
    "GET",
    "/server",
    "Get the server's state: queue, workers, database, webhooks, crons, settings",
    access=Access("threads", "search"),
    returns=ServerState,
)
async def state(call: Call[None]) -> Response:
    # The counts cover the work of all users.
    if not sees_all("threads"):
        raise PermissionDeniedError("Only users who may search all threads can see the server's state")
    services = call.services
    overview = await services.statistics.overview()
    now = services.clock.now()
    return json_response(
        ServerState(
            version=version("treadle"),
            langgraph_py_version=version("langgraph"),
            python_version=platform.python_version(),
            now=from_microseconds(now),
            started_at=from_microseconds(services.started_at),
            uptime_seconds=(now - services.started_at) / 1e6,
            process=ProcessState(
                host=socket.gethostname(),
                pid=os.getpid(),
                concurrency=services.settings.slots,
                open_streams=len(services.streams.open),
            ),
            queue=_queue(overview.metrics),
            runs=dict(overview.runs),
            workers=list(overview.workers),
            database=_database(overview),
            webhooks=overview.outbox,
            crons=overview.crons,
            settings=shown(services.settings),
        )
    )


def shown(settings: Settings) -> JSON:
    """The effective settings; a secret is only shown as ``set`` or empty."""
    return {field.name: _shown(getattr(settings, field.name), field.metadata) for field in fields(settings)}


def _shown(value: Any, metadata: Mapping[str, Any]) -> Any:
    if metadata.get("secret"):
        return "set" if value else ""
    return str(value) if isinstance(value, Path) else value


def _queue(figures: ServerMetrics) -> QueueState:
    return QueueState(
        pending=figures.pending,
        running=figures.running,
        due=figures.waiting.runs,
        oldest_pending_seconds=figures.waiting.oldest,
        waiting=[
            Queued(
                graph_id=depth.graph_id,
                priority=depth.priority,
                blocked_by=depth.blocked_by,
                runs=depth.runs,
                oldest_seconds=depth.oldest,
            )
            for depth in figures.depths
        ],
    )


def _database(overview: ServerOverview) -> DatabaseState:
    files = dict(overview.metrics.file_bytes)
    rows = dict(overview.metrics.rows)
    return DatabaseState(
        kind=overview.kind, version=overview.version, bytes=sum(files.values()), files=files, rows=rows
    )
