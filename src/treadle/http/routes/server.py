"""The endpoint that tells what the server is doing, for those who look after it. An addition of treadle's."""

from __future__ import annotations

import os
import platform
import socket
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from treadle.auth.scope import sees_all
from treadle.errors import PermissionDeniedError
from treadle.http.gate import Access
from treadle.http.responses import json_response
from treadle.http.routing import Operation, Services
from treadle.model import JSON
from treadle.ports.statistics import Depth, ServerMetrics, ServerOverview
from treadle.server_state import DatabaseState, ProcessState, Queued, QueueState, ServerState
from treadle.settings import Settings
from treadle.times import from_microseconds


async def state(request: Request, services: Services) -> Response:
    # It tells of everybody's work: it is for those who may see all of it.
    if not sees_all("threads"):
        raise PermissionDeniedError("Only users who may search all threads can see the server's state")
    held = await services.statistics.overview()
    now = services.clock.now()
    return json_response(
        ServerState(
            version=version("treadle"),
            langgraph_py_version=version("langgraph"),
            python_version=platform.python_version(),
            now=from_microseconds(now),
            started_at=from_microseconds(services.started_at),
            uptime_seconds=(now - services.started_at) / 1e6,
            process=_process(services),
            queue=_queue(held.metrics),
            runs=dict(held.runs),
            workers=list(held.workers),
            database=_database(held),
            webhooks=held.outbox,
            crons=held.crons,
            settings=shown(services.settings),
        )
    )


def shown(settings: Settings) -> JSON:
    """The settings as they are in force; of a secret only whether there is one."""
    return {field.name: _shown(getattr(settings, field.name), field.metadata) for field in fields(settings)}


def _shown(value: Any, told: Any) -> Any:
    if told.get("secret"):
        return "set" if value else ""
    return str(value) if isinstance(value, Path) else value


def _process(services: Services) -> ProcessState:
    return ProcessState(
        host=socket.gethostname(),
        pid=os.getpid(),
        concurrency=services.settings.slots,
        open_streams=len(services.streams.open),
    )


def _queue(figures: ServerMetrics) -> QueueState:
    return QueueState(
        pending=figures.pending,
        running=figures.running,
        due=figures.waiting.runs,
        oldest_pending_seconds=figures.waiting.oldest,
        waiting=[_queued(depth) for depth in figures.depths],
    )


def _queued(depth: Depth) -> Queued:
    return Queued(
        graph_id=depth.graph_id,
        priority=depth.priority,
        blocked_by=depth.blocked_by,
        runs=depth.runs,
        oldest_seconds=depth.oldest,
    )


def _database(held: ServerOverview) -> DatabaseState:
    files = dict(held.metrics.file_bytes)
    return DatabaseState(
        kind=held.kind, version=held.version, bytes=sum(files.values()), files=files, rows=dict(held.metrics.rows)
    )


ROUTES: list[Operation] = [
    Operation(
        method="GET",
        path="/server",
        endpoint=state,
        summary="What the server is doing: queue, workers, database, webhooks, crons, settings",
        tag="System",
        access=Access("threads", "search"),
        response=ServerState,
    )
]
