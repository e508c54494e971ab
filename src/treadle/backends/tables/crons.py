"""The table of crons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from treadle.backends.tables import rows
from treadle.backends.tables.conditions import cron_filter
from treadle.backends.tables.tx import Tx
from treadle.model import JSON, Cron
from treadle.ports.queries import CronQuery
from treadle.times import to_microseconds

_COLUMNS = (
    "cron_id, assistant_id, thread_id, end_time, schedule, timezone, payload, next_run_date, metadata,"
    " on_run_completed, enabled, created_at, updated_at"
)
_FIELDS = _COLUMNS.split(", ")
_TIMES = ("end_time", "next_run_date", "created_at", "updated_at")
# Several processes may fire crons: each skips the crons that another is firing instead of waiting for them.
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


class CronVerbs(Tx):
    def cron(self, cron_id: str) -> Cron | None:
        row = self.one(f"SELECT {_COLUMNS} FROM crons WHERE cron_id = ?", cron_id)
        return _cron(row) if row else None

    def put_cron(self, cron: Cron) -> None:
        c = cron
        end_time, next_run_date = rows.microseconds_or_none(c.end_time), rows.microseconds_or_none(c.next_run_date)
        self.execute(
            _PUT,
            (
                *(c.cron_id, c.assistant_id, c.thread_id, end_time, c.schedule, c.timezone, rows.dump(c.payload)),
                *(next_run_date, rows.dump(c.metadata), c.on_run_completed, c.enabled),
                *(to_microseconds(c.created_at), to_microseconds(c.updated_at)),
            ),
        )

    def cron_requester(self, cron_id: str) -> JSON | None:
        row = self.one("SELECT requester FROM crons WHERE cron_id = ?", cron_id)
        return rows.load_or_none(row[0]) if row else None

    def set_cron_requester(self, cron_id: str, requester: JSON) -> None:
        self.execute("UPDATE crons SET requester = ? WHERE cron_id = ?", (rows.dump(requester), cron_id))

    def delete_cron(self, cron_id: str) -> bool:
        return self.execute("DELETE FROM crons WHERE cron_id = ?", (cron_id,)).rowcount > 0

    def search_crons(self, query: CronQuery) -> list[Cron]:
        where, parameters = cron_filter(query)
        direction = "ASC" if query.ascending else "DESC"
        matches = self.execute(
            f"SELECT {_COLUMNS} FROM crons{where} ORDER BY {query.sort_by} {direction}, cron_id {direction}"
            " LIMIT ? OFFSET ?",
            (*parameters, query.limit, query.offset),
        )
        return [_cron(row) for row in matches]

    def count_crons(self, query: CronQuery) -> int:
        where, parameters = cron_filter(query)
        return self.value(f"SELECT count(*) FROM crons{where}", parameters)

    def due_crons(self, limit: int) -> list[Cron]:
        return [_cron(row) for row in self.execute(_DUE, (self.now, limit))]

    def next_cron_at(self) -> int | None:
        return self.value("SELECT min(next_run_date) FROM crons WHERE enabled = 1 AND next_run_date IS NOT NULL")


def _cron(row: Sequence[Any]) -> Cron:
    return Cron(**rows.record(_FIELDS, row, times=_TIMES, json=("payload", "metadata"), flags=("enabled",)))
