"""The webhook outbox: written by the transactions that end runs, read by the courier and the API."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson

from treadle.backends.tables import rows
from treadle.backends.tables.conditions import delivery_filter
from treadle.backends.tables.tx import SqlPort, Tx
from treadle.model import JSON, WebhookDelivery, WebhookDeliveryLog, WebhookTry
from treadle.ports.deliveries import DeliveryBatch, DeliveryQuery, LeasedDelivery, TryResult
from treadle.ports.queue import Outcome
from treadle.times import from_microseconds

_ENDED_RUN = """
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
# Deliveries of one thread to one receiver go in order: only the oldest pending one of them is due. Leased ones are left
# to the courier that holds the lease.
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
_LEASE = """
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
_COLUMNS = "delivery_id, run_id, thread_id, run_status, url, status, tries, created_at, next_try_at, finished_at"
_FIELDS = _COLUMNS.split(", ")


# --- writing: inside the transaction that ends a run ------------------------------------------------------------------


def enqueue(tx: Tx, run_id: str, outcome: Outcome) -> None:
    """Put the end of a run into the outbox, if the run has a webhook.

    Call it after the run's status is written, before the thread's values change, and before a rollback deletes the run:
    the payload is built from these rows."""
    row = tx.one(_ENDED_RUN, run_id)
    if row is None:
        return
    run_id, thread_id, url = row[0], row[1], row[9]
    status = "rollback" if outcome.rollback else outcome.status
    payload = orjson.dumps(_payload(row, status, tx.now, outcome))
    tx.execute(_INSERT, (str(uuid.uuid4()), run_id, thread_id, status, url, receiver(url), tx.now, payload))
    tx.after_commit(tx.hub.delivery_due)


def enqueue_active(tx: Tx, thread_id: str) -> None:
    """``enqueue`` for the active runs of a thread that is about to be deleted."""
    active = tx.all(
        "SELECT run_id FROM runs WHERE thread_id = ? AND status IN ('pending', 'running') ORDER BY +position", thread_id
    )
    for (run_id,) in active:
        enqueue(tx, run_id, _DELETED)


def receiver(url: str) -> str:
    """Scheme, host and port of a URL; empty for a path on this server."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower() if parts.netloc else ""


def _payload(row: tuple[Any, ...], status: str, now: int, outcome: Outcome) -> dict[str, Any]:
    """The ended run (docs/http.md). Columns that are JSON already are not decoded."""
    run_id, thread_id, assistant_id, metadata, _, kwargs, strategy, created_at, started_at, _, temporary, body = row
    values = None if temporary or outcome.rollback else outcome.output if outcome.output is not None else body
    request, session = rows.split_request(_without_user(kwargs))
    payload = {
        "run_id": run_id,
        "thread_id": thread_id,
        "assistant_id": assistant_id,
        "metadata": _fragment(metadata),
        "status": status,
        "kwargs": request,
        "multitask_strategy": strategy,
        "created_at": _timestamp(created_at),
        "updated_at": _timestamp(now),
        "langsmith_session_name": session,
        "run_started_at": _timestamp(started_at),
        "run_ended_at": _timestamp(now),
        "values": _fragment(values),
    }
    return payload if outcome.error is None else {**payload, "error": outcome.error}


def _without_user(kwargs: bytes) -> JSON:
    # The auth handlers may return secrets about a user, so receivers do not get the user.
    request = rows.load(kwargs)
    configurable = request.get("config", {}).get("configurable", {})
    if configurable.get("langgraph_auth_user") is not None:
        configurable["langgraph_auth_user"] = None
    return request


def _fragment(text: str | bytes | None) -> orjson.Fragment | None:
    return None if text is None else orjson.Fragment(text)


def _timestamp(microseconds: int | None) -> str | None:
    return None if microseconds is None else from_microseconds(microseconds).isoformat(timespec="microseconds")


# --- delivering -------------------------------------------------------------------------------------------------------


class SqlDeliveries(SqlPort):
    """ports.deliveries.DeliveryQueue."""

    async def lease(
        self, limit: int, *, in_flight: Mapping[str, int], per_receiver: int, seconds: float
    ) -> DeliveryBatch:
        busy = rows.dump([name for name, count in in_flight.items() if count >= per_receiver])
        # Most polls find nothing due: a read finds that out without occupying the writer.
        due, next_due = await self._read(lambda tx: _due(tx, busy))
        if not due:
            return DeliveryBatch([], next_due)
        return await self._write(lambda tx: _lease(tx, busy, limit, in_flight, per_receiver, seconds))

    async def record(self, delivery: LeasedDelivery, result: TryResult) -> None:
        await self._write(lambda tx: _record(tx, delivery, result))

    async def recover(self) -> None:
        await self._write(
            lambda tx: tx.execute("UPDATE webhook_deliveries SET leased_until = NULL WHERE leased_until IS NOT NULL")
        )

    async def sweep(self, finished_before: int) -> None:
        await self._write(
            lambda tx: tx.execute(
                "DELETE FROM webhook_deliveries WHERE position IN"
                " (SELECT position FROM webhook_deliveries WHERE finished_at < ? LIMIT 500)",
                (finished_before,),
            )
        )


def _due(tx: Tx, busy: str, sql: str = _DUE) -> tuple[list[tuple[int, str]], int | None]:
    due = tx.all(sql, tx.now, busy)
    return due, tx.value(_NEXT_DUE, (tx.now,))


def _lease(
    tx: Tx, busy: str, limit: int, in_flight: Mapping[str, int], per_receiver: int, seconds: float
) -> DeliveryBatch:
    due, next_due = _due(tx, busy, _DUE_LOCKED)
    until, counts = tx.now + int(seconds * 1e6), Counter(in_flight)
    leased: list[LeasedDelivery] = []
    for position, name in due:
        if len(leased) < limit and counts[name] < per_receiver:
            counts[name] += 1
            leased.append(LeasedDelivery(*tx.one(_LEASE, until, position)))
    return DeliveryBatch(leased, next_due)


def _record(tx: Tx, delivery: LeasedDelivery, result: TryResult) -> None:
    # The number of the try is a fencing token: a courier that lost its lease must not record over a later try.
    recorded = tx.execute(
        _RECORD, (result.status, result.next_try_at, tx.now, delivery.delivery_id, delivery.number)
    ).rowcount
    if recorded:
        tx.execute(
            "INSERT INTO webhook_tries (delivery_id, number, at, duration_ms, status_code, error)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                *(delivery.delivery_id, delivery.number, result.at),
                *(result.duration_ms, result.status_code, result.error),
            ),
        )


# --- showing and redelivering -----------------------------------------------------------------------------------------


class DeliveryVerbs(Tx):
    def delivery(self, delivery_id: str) -> WebhookDeliveryLog | None:
        row = self.one(f"SELECT {_COLUMNS}, payload FROM webhook_deliveries WHERE delivery_id = ?", delivery_id)
        if row is None:
            return None
        tries = self.all(
            "SELECT number, at, duration_ms, status_code, error FROM webhook_tries"
            " WHERE delivery_id = ? ORDER BY number",
            delivery_id,
        )
        log = [
            WebhookTry(number=number, at=from_microseconds(at), duration_ms=ms, status_code=code, error=error)
            for number, at, ms, code, error in tries
        ]
        return WebhookDeliveryLog(**_fields(row[:-1]), log=log, payload=orjson.Fragment(row[-1]))

    def deliveries(self, query: DeliveryQuery) -> list[WebhookDelivery]:
        where, parameters = delivery_filter(query)
        sql = f"SELECT {_COLUMNS} FROM webhook_deliveries{where} ORDER BY position DESC LIMIT ? OFFSET ?"
        return [WebhookDelivery(**_fields(row)) for row in self.all(sql, *parameters, query.limit, query.offset)]

    def count_deliveries(self, query: DeliveryQuery) -> int:
        where, parameters = delivery_filter(query)
        return self.value(f"SELECT count(*) FROM webhook_deliveries{where}", parameters)

    def redeliver(self, delivery_id: str) -> bool:
        self.after_commit(self.hub.delivery_due)
        return self.execute(_REDELIVER, (self.now, delivery_id)).rowcount > 0


def _fields(row: Sequence[Any]) -> dict[str, Any]:
    return rows.record(_FIELDS, row, times=("created_at", "next_try_at", "finished_at"))
