"""Conversion between rows and the wire model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import orjson

from treadle.model import JSON, Assistant, Run, Thread, ThreadExpiry
from treadle.times import from_microseconds, to_microseconds

RUN = (
    "r.run_id, r.thread_id, r.assistant_id, r.created_at, r.updated_at, r.status, r.metadata, q.kwargs,"
    " r.multitask_strategy"
)
ASSISTANT = "assistant_id, graph_id, config, context, metadata, name, created_at, updated_at, version, description"
THREAD = (
    "t.thread_id, t.created_at, t.updated_at, t.state_updated_at, t.metadata, t.status, t.config, t.settled,"
    " t.error, t.interrupts, t.ttl_strategy, t.ttl_minutes, t.expires_at"
)
_ASSISTANT_FIELDS = ASSISTANT.split(", ")


def dump(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def dump_or_none(value: Any) -> str | None:
    return None if value is None else dump(value)


def load(text: str | bytes) -> Any:
    return msgspec.json.decode(text)


def load_or_none(text: str | bytes | None) -> Any:
    return None if text is None else load(text)


def time_or_none(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else from_microseconds(microseconds)


def microseconds_or_none(moment: datetime | None) -> int | None:
    return None if moment is None else to_microseconds(moment)


def record(
    names: Sequence[str],
    row: Sequence[Any],
    *,
    times: Sequence[str] = ("created_at", "updated_at"),
    json: Sequence[str] = (),
    flags: Sequence[str] = (),
) -> dict[str, Any]:
    """A row by name, with its instants as datetimes, its JSON columns decoded and its 0/1 columns as booleans."""
    values = dict(zip(names, row, strict=True))
    for columns, convert in ((times, time_or_none), (json, load_or_none), (flags, bool)):
        for name in columns:
            values[name] = convert(values[name])
    return values


def run(row: Sequence[Any]) -> Run:
    run_id, thread_id, assistant_id, created_at, updated_at, status, metadata, kwargs, strategy = row
    request, session = split_request(load(kwargs))
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


def split_request(kwargs: JSON) -> tuple[JSON, str | None]:
    """``(kwargs, session)`` of a run as the API returns them: the requested tracer is its session, not a kwarg."""
    if "langsmith_tracer" not in kwargs:
        return kwargs, None
    request = {name: value for name, value in kwargs.items() if name != "langsmith_tracer"}
    return request, kwargs["langsmith_tracer"].get("project_name")


def assistant(row: Sequence[Any]) -> Assistant:
    return Assistant(**record(_ASSISTANT_FIELDS, row, json=("config", "context", "metadata")))


def thread(row: Sequence[Any]) -> Thread:
    """A thread from a row of ``THREAD`` and the body of its output, which passes through as bytes."""
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
    return ThreadExpiry(strategy=strategy, ttl_minutes=minutes, expires_at=time_or_none(expires_at))
