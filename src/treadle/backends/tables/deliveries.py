"""The webhook outbox: written by the transactions that end runs, read by the courier and the API."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson

from treadle.backends.engine.connection import Connection
from treadle.backends.engine.jobs import Engine
from treadle.backends.live.hub import Hub
from treadle.backends.tables import rows
from treadle.model import JSON, WebhookDelivery, WebhookDeliveryLog, WebhookTry
from treadle.ports.deliveries import DeliveryBatch, DeliveryQuery, LeasedDelivery, TryResult
from treadle.ports.queue import Outcome
from treadle.times import from_microseconds

Tell = Callable[[Callable[[], None]], None]

_ENDING = """
SELECT r.run_id, r.thread_id, r.assistant_id, r.metadata, r.status, q.kwargs, r.multitask_strategy, r.created_at,
    r.started_at, r.webhook, r.temporary, o.body
FROM runs r JOIN run_requests q USING (run_id) JOIN threads t ON t.thread_id = r.thread_id
LEFT JOIN outputs o ON o.output_id = t.output_id
WHERE r.run_id = ? AND r.webhook IS NOT NULL
"""
_INSERT = """
INSERT INTO webhook_deliveries
    (delivery_id, run_id, thread_id, run_status, url, receiver, created_at, since, next_try_at, payload)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?7, ?8)
"""
# The oldest pending delivery for each thread and receiver, if it is due and not leased.
_DUE = """
SELECT d.position, d.receiver FROM webhook_deliveries d INDEXED BY webhook_deliveries_due
WHERE d.status = 'pending' AND d.next_try_at <= ?1 AND (d.leased_until IS NULL OR d.leased_until <= ?1)
  AND d.receiver NOT IN (SELECT value FROM json_each(?2))
  AND NOT EXISTS (
    SELECT 1 FROM webhook_deliveries e INDEXED BY webhook_deliveries_lanes
    WHERE e.status = 'pending' AND e.thread_id = d.thread_id AND e.receiver = d.receiver AND e.position < d.position)
ORDER BY d.next_try_at, d.position LIMIT 256
"""
_DUE_LOCKED = f"{_DUE} /*pg: FOR UPDATE OF d SKIP LOCKED */"
_NEXT_DUE = """
SELECT min(greatest(next_try_at, coalesce(leased_until, 0))) FROM webhook_deliveries
WHERE status = 'pending' AND (next_try_at > ?1 OR leased_until > ?1)
"""
_TAKE = """
UPDATE webhook_deliveries SET leased_until = ?, tries = tries + 1 WHERE position = ?
RETURNING delivery_id, tries, url, receiver, payload, since, failures
"""
_RECORD = """
UPDATE webhook_deliveries SET status = ?1, leased_until = NULL, next_try_at = ?2,
    finished_at = CASE WHEN ?1 = 'pending' THEN NULL ELSE ?3 END,
    failures = failures + CASE WHEN ?1 = 'delivered' THEN 0 ELSE 1 END
WHERE delivery_id = ?4 AND tries = ?5 AND status = 'pending' AND leased_until IS NOT NULL
"""
_REDELIVER = """
UPDATE webhook_deliveries SET status = 'pending', next_try_at = ?1, since = ?1, failures = 0, finished_at = NULL
WHERE delivery_id = ?2
"""
_DELETED = Outcome(
    status="interrupted",
    rollback=True,
    error={"error": "ThreadDeleted", "message": "the thread was deleted while the run was pending or running"},
)
_PERMITTED = "thread_id IN (SELECT t.thread_id FROM threads t WHERE json_permits(t.metadata, ?))"
_SHOWN = "delivery_id, run_id, thread_id, run_status, url, status, tries, created_at, next_try_at, finished_at"


def enqueue(conn: Connection, run_id: str, now: int, outcome: Outcome, hub: Hub, tell: Tell) -> None:
    """Add the end of a run with a webhook to the outbox.

    Call it after the run's status is written, before the thread's values change, and before a rollback removes the run.
    """
    row = conn.execute(_ENDING, (run_id,)).fetchone()
    if row is None:
        return
    run_id, thread_id, url = row[0], row[1], row[9]
    status = "rollback" if outcome.rollback else outcome.status
    payload = orjson.dumps(_payload(row, status, now, outcome))
    conn.execute(_INSERT, (str(uuid.uuid4()), run_id, thread_id, status, url, receiver(url), now, payload))
    tell(hub.delivery_due)


def enqueue_active(conn: Connection, thread_id: str, now: int, hub: Hub, tell: Tell) -> None:
    """Add the ends of the active runs that are deleted with their thread."""
    active = conn.execute(
        "SELECT run_id FROM runs WHERE thread_id = ? AND status IN ('pending', 'running') ORDER BY +position",
        (thread_id,),
    ).fetchall()
    for (run_id,) in active:
        enqueue(conn, run_id, now, _DELETED, hub, tell)


def receiver(url: str) -> str:
    """The receiver of a URL: scheme, host and port. Empty for a path on this server."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower() if parts.netloc else ""


def _payload(row: tuple[Any, ...], status: str, now: int, outcome: Outcome) -> dict[str, Any]:
    """The run as it ended (docs/webhooks.md). Stored JSON is embedded unchanged."""
    run_id, thread_id, assistant_id, metadata, _, kwargs, strategy, created_at, started_at, _, temporary, body = row
    values = None if temporary or outcome.rollback else outcome.output if outcome.output is not None else body
    request, session = rows.request_of(_without_user(kwargs))
    payload = {
        "run_id": run_id,
        "thread_id": thread_id,
        "assistant_id": assistant_id,
        "metadata": _fragment(metadata),
        "status": status,
        "kwargs": request,
        "multitask_strategy": strategy,
        "created_at": _stamp(created_at),
        "updated_at": _stamp(now),
        "langsmith_session_name": session,
        "run_started_at": _stamp(started_at),
        "run_ended_at": _stamp(now),
        "values": _fragment(values),
    }
    return payload if outcome.error is None else {**payload, "error": outcome.error}


def _without_user(kwargs: bytes) -> JSON:
    """The request of a run without its user, because the user's fields may be secret."""
    found = rows.load(kwargs)
    configurable = found.get("config", {}).get("configurable", {})
    if configurable.get("langgraph_auth_user") is not None:
        configurable["langgraph_auth_user"] = None
    return found


def _fragment(text: str | bytes | None) -> orjson.Fragment | None:
    return None if text is None else orjson.Fragment(text)


def _stamp(microseconds: int | None) -> str | None:
    return None if microseconds is None else from_microseconds(microseconds).isoformat(timespec="microseconds")


class SqlDeliveries:
    """Implements ports.deliveries.DeliveryQueue."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def lease(
        self, limit: int, *, in_flight: Mapping[str, int], per_receiver: int, seconds: float
    ) -> DeliveryBatch:
        now = self._engine.clock.now()
        busy = rows.dump([name for name, count in in_flight.items() if count >= per_receiver])
        # Look without the writer first, because most of the time nothing is due.
        waiting, next_due = await self._engine.read(lambda conn: _waiting(conn, now, busy))
        if not waiting:
            return DeliveryBatch([], next_due)
        until = now + int(seconds * 1e6)
        return await self._engine.write(lambda conn: _take(conn, now, busy, limit, in_flight, per_receiver, until))

    async def record(self, delivery: LeasedDelivery, tried: TryResult) -> None:
        await self._engine.write(lambda conn: _record(conn, delivery, tried, self._engine.clock.now()))

    async def recover(self) -> None:
        await self._engine.write(
            lambda conn: conn.execute(
                "UPDATE webhook_deliveries SET leased_until = NULL WHERE leased_until IS NOT NULL"
            )
        )

    async def sweep(self, finished_before: int) -> None:
        await self._engine.write(
            lambda conn: conn.execute(
                "DELETE FROM webhook_deliveries WHERE position IN"
                " (SELECT position FROM webhook_deliveries WHERE finished_at < ? LIMIT 500)",
                (finished_before,),
            )
        )


def _waiting(conn: Connection, now: int, busy: str, due: str = _DUE) -> tuple[list[tuple[int, str]], int | None]:
    found = conn.execute(due, (now, busy)).fetchall()
    (next_due,) = conn.execute(_NEXT_DUE, (now,)).fetchone()
    return found, next_due


def _take(
    conn: Connection,
    now: int,
    busy: str,
    limit: int,
    in_flight: Mapping[str, int],
    per_receiver: int,
    until: int,
) -> DeliveryBatch:
    waiting, next_due = _waiting(conn, now, busy, _DUE_LOCKED)
    counts = Counter(in_flight)
    taken: list[LeasedDelivery] = []
    for position, name in waiting:
        if len(taken) < limit and counts[name] < per_receiver:
            counts[name] += 1
            taken.append(LeasedDelivery(*conn.execute(_TAKE, (until, position)).fetchone()))
    return DeliveryBatch(taken, next_due)


def _record(conn: Connection, delivery: LeasedDelivery, tried: TryResult, now: int) -> None:
    settled = conn.execute(_RECORD, (tried.status, tried.next_try_at, now, delivery.delivery_id, delivery.number))
    if settled.rowcount:
        conn.execute(
            "INSERT INTO webhook_tries (delivery_id, number, at, duration_ms, status_code, error)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                *(delivery.delivery_id, delivery.number, tried.at),
                *(tried.duration_ms, tried.status_code, tried.error),
            ),
        )


class DeliveryVerbs:
    """The operations of a transaction on webhook deliveries (ports/records.py)."""

    now: int
    _conn: Connection
    _hub: Hub
    _tell: Tell

    def delivery(self, delivery_id: str) -> WebhookDeliveryLog | None:
        row = self._conn.execute(
            f"SELECT {_SHOWN}, payload FROM webhook_deliveries WHERE delivery_id = ?", (delivery_id,)
        ).fetchone()
        if row is None:
            return None
        tries = self._conn.execute(
            "SELECT number, at, duration_ms, status_code, error FROM webhook_tries"
            " WHERE delivery_id = ? ORDER BY number",
            (delivery_id,),
        )
        log = [
            WebhookTry(number=n, at=from_microseconds(at), duration_ms=ms, status_code=c, error=e)
            for n, at, ms, c, e in tries
        ]
        return WebhookDeliveryLog(**_shown(row[:-1]), log=log, payload=orjson.Fragment(row[-1]))

    def deliveries(self, query: DeliveryQuery) -> list[WebhookDelivery]:
        where, parameters = _filter(query)
        found = self._conn.execute(
            f"SELECT {_SHOWN} FROM webhook_deliveries{where} ORDER BY position DESC LIMIT ? OFFSET ?",
            (*parameters, query.limit, query.offset),
        )
        return [WebhookDelivery(**_shown(row)) for row in found]

    def count_deliveries(self, query: DeliveryQuery) -> int:
        where, parameters = _filter(query)
        return self._conn.execute(f"SELECT count(*) FROM webhook_deliveries{where}", parameters).fetchone()[0]

    def redeliver(self, delivery_id: str) -> bool:
        self._tell(self._hub.delivery_due)
        return self._conn.execute(_REDELIVER, (self.now, delivery_id)).rowcount > 0


def _shown(row: Sequence[Any]) -> dict[str, Any]:
    fields = dict(zip(_SHOWN.split(", "), row, strict=True))
    times = {
        name: fields[name] and from_microseconds(fields[name]) for name in ("created_at", "next_try_at", "finished_at")
    }
    return fields | times


def _filter(query: DeliveryQuery) -> tuple[str, list[Any]]:
    given = {"status": query.status, "thread_id": query.thread_id, "run_id": query.run_id}
    held = {name: value for name, value in given.items() if value is not None}
    conditions = [f"{name} = ?" for name in held]
    parameters = list(held.values())
    if query.permitted:
        conditions.append(_PERMITTED)
        parameters.append(rows.dump(query.permitted))
    return (f" WHERE {' AND '.join(conditions)}" if conditions else ""), parameters
