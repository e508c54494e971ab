"""Convert rows to models and back."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from treadle.model import JSON, Assistant, Run, Thread, ThreadExpiry
from treadle.times import from_microseconds

RUN = (
    "r.run_id, r.thread_id, r.assistant_id, r.created_at, r.updated_at, r.status, r.metadata, q.kwargs,"
    " r.multitask_strategy"
)
ASSISTANT = "assistant_id, graph_id, config, context, metadata, name, created_at, updated_at, version, description"
THREAD = (
    "t.thread_id, t.created_at, t.updated_at, t.state_updated_at, t.metadata, t.status, t.config, t.settled,"
    " t.error, t.interrupts, t.ttl_strategy, t.ttl_minutes, t.expires_at"
)


def dump(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def dump_or_none(value: Any) -> str | None:
    return None if value is None else dump(value)


def load(text: str | bytes) -> Any:
    return msgspec.json.decode(text)


def load_or_none(text: str | bytes | None) -> Any:
    return None if text is None else load(text)


def run(row: tuple[Any, ...]) -> Run:
    run_id, thread_id, assistant_id, created_at, updated_at, status, metadata, kwargs, strategy = row
    request, session = request_of(load(kwargs))
    return Run(
        run_id=run_id,
        thread_id=thread_id,
        assistant_id=assistant_id,
        created_at=from_microseconds(created_at),
        updated_at=from_microseconds(updated_at),
        status=status,
        metadata=load(metadata),
        kwargs=request,
        multitask_strategy=strategy,
        langsmith_session_name=session,
    )


def request_of(kwargs: JSON) -> tuple[JSON, str | None]:
    """The ``(kwargs, session)`` that a run shows: the tracer named in a request is its session, and removed from
    kwargs."""
    if "langsmith_tracer" not in kwargs:
        return kwargs, None
    shown = {name: value for name, value in kwargs.items() if name != "langsmith_tracer"}
    return shown, kwargs["langsmith_tracer"].get("project_name")


def assistant(row: tuple[Any, ...]) -> Assistant:
    assistant_id, graph_id, config, context, metadata, name, created_at, updated_at, version, description = row
    return Assistant(
        assistant_id=assistant_id,
        graph_id=graph_id,
        config=load(config),
        context=load(context),
        metadata=load(metadata),
        name=name,
        created_at=from_microseconds(created_at),
        updated_at=from_microseconds(updated_at),
        version=version,
        description=description,
    )


def thread(row: tuple[Any, ...]) -> Thread:
    """Convert a row of ``THREAD`` and the body of its output; ``values`` keeps its stored bytes."""
    thread_id, created_at, updated_at, state_updated_at, metadata, status, config, settled = row[:8]
    error, interrupts, strategy, minutes, expires_at, body = row[8:]
    result = Thread(
        thread_id=thread_id,
        created_at=from_microseconds(created_at),
        updated_at=from_microseconds(updated_at),
        state_updated_at=from_microseconds(state_updated_at),
        metadata=load(metadata),
        status=status,
        config=load(config),
        values=None if body is None else orjson.Fragment(body),
        ttl=None if minutes is None else _expiry(strategy, minutes, expires_at),
    )
    if settled:
        result.error = load_or_none(error)
        result.interrupts = load(interrupts)
    return result


def _expiry(strategy: Any, minutes: float, expires_at: int | None) -> ThreadExpiry:
    expiry = None if expires_at is None else from_microseconds(expires_at)
    return ThreadExpiry(strategy=strategy, ttl_minutes=minutes, expires_at=expiry)
