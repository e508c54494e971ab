"""The operations of a transaction on crons (ports/records.py)."""

from __future__ import annotations

from typing import Any

from treadle.backends.engine.connection import Connection
from treadle.backends.tables import rows
from treadle.model import JSON, Cron
from treadle.ports.queries import CronQuery
from treadle.times import from_microseconds, to_microseconds

_COLUMNS = (
    "cron_id, assistant_id, thread_id, end_time, schedule, timezone, payload, next_run_date, metadata,"
    " on_run_completed, enabled, created_at, updated_at"
)
_DUE = f"""
SELECT {_COLUMNS} FROM crons
WHERE enabled = 1 AND next_run_date IS NOT NULL AND next_run_date <= ? ORDER BY next_run_date, cron_id LIMIT ?
/*pg: FOR UPDATE SKIP LOCKED */
"""
_PUT = f"""
INSERT INTO crons ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (cron_id) DO UPDATE SET end_time = excluded.end_time, schedule = excluded.schedule,
    timezone = excluded.timezone, payload = excluded.payload, next_run_date = excluded.next_run_date,
    metadata = excluded.metadata, on_run_completed = excluded.on_run_completed, enabled = excluded.enabled,
    updated_at = excluded.updated_at
"""


class CronVerbs:
    """Mixed into the transaction."""

    now: int
    _conn: Connection

    def cron(self, cron_id: str) -> Cron | None:
        row = self._conn.execute(f"SELECT {_COLUMNS} FROM crons WHERE cron_id = ?", (cron_id,)).fetchone()
        return _cron(row) if row else None

    def put_cron(self, cron: Cron) -> None:
        c = cron
        end_time = None if c.end_time is None else to_microseconds(c.end_time)
        next_run_date = None if c.next_run_date is None else to_microseconds(c.next_run_date)
        self._conn.execute(
            _PUT,
            (
                *(c.cron_id, c.assistant_id, c.thread_id, end_time, c.schedule, c.timezone, rows.dump(c.payload)),
                *(next_run_date, rows.dump(c.metadata), c.on_run_completed, c.enabled),
                *(to_microseconds(c.created_at), to_microseconds(c.updated_at)),
            ),
        )

    def cron_requester(self, cron_id: str) -> JSON | None:
        row = self._conn.execute("SELECT requester FROM crons WHERE cron_id = ?", (cron_id,)).fetchone()
        return rows.load(row[0]) if row and row[0] is not None else None

    def set_cron_requester(self, cron_id: str, requester: JSON) -> None:
        self._conn.execute("UPDATE crons SET requester = ? WHERE cron_id = ?", (rows.dump(requester), cron_id))

    def delete_cron(self, cron_id: str) -> bool:
        return self._conn.execute("DELETE FROM crons WHERE cron_id = ?", (cron_id,)).rowcount > 0

    def search_crons(self, query: CronQuery) -> list[Cron]:
        where, parameters = _filter(query)
        direction = "ASC" if query.ascending else "DESC"
        found = self._conn.execute(
            f"SELECT {_COLUMNS} FROM crons{where} ORDER BY {query.sort_by} {direction}, cron_id {direction}"
            " LIMIT ? OFFSET ?",
            (*parameters, query.limit, query.offset),
        )
        return [_cron(row) for row in found]

    def count_crons(self, query: CronQuery) -> int:
        where, parameters = _filter(query)
        return self._conn.execute(f"SELECT count(*) FROM crons{where}", parameters).fetchone()[0]

    def due_crons(self, limit: int) -> list[Cron]:
        return [_cron(row) for row in self._conn.execute(_DUE, (self.now, limit))]

    def next_cron_at(self) -> int | None:
        return self._conn.execute(
            "SELECT min(next_run_date) FROM crons WHERE enabled = 1 AND next_run_date IS NOT NULL"
        ).fetchone()[0]


def _cron(row: tuple[Any, ...]) -> Cron:
    fields: dict[str, Any] = dict(zip(_COLUMNS.split(", "), row, strict=True))
    for name in ("end_time", "next_run_date", "created_at", "updated_at"):
        fields[name] = None if fields[name] is None else from_microseconds(fields[name])
    for name in ("payload", "metadata"):
        fields[name] = rows.load(fields[name])
    fields["enabled"] = bool(fields["enabled"])
    return Cron(**fields)


def _filter(query: CronQuery) -> tuple[str, list[Any]]:
    given = {
        "assistant_id = ?": query.assistant_id,
        "thread_id = ?": query.thread_id,
        "enabled = ?": query.enabled,
        "json_contains(metadata, ?)": rows.dump(query.metadata) if query.metadata else None,
        "json_permits(metadata, ?)": rows.dump_or_none(query.permitted or None),
    }
    held = {text: value for text, value in given.items() if value is not None}
    return (f" WHERE {' AND '.join(held)}" if held else ""), list(held.values())
