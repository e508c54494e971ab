"""What a query asks for, as the WHERE of a statement and its parameters. Pure."""

from __future__ import annotations

from typing import Any

from treadle.backends import rows
from treadle.model import JSON
from treadle.queries import AssistantQuery, RunQuery, ThreadQuery


def _where(conditions: list[tuple[str, Any]]) -> tuple[str, list[Any]]:
    """``(sql, parameter)`` pairs whose parameter is not None, joined by AND."""
    held = [(sql, parameter) for sql, parameter in conditions if parameter is not None]
    text = " AND ".join(sql for sql, _ in held)
    return (f" WHERE {text}" if text else ""), [parameter for _, parameter in held]


def _contained(part: JSON | None) -> str | None:
    return rows.dump(part) if part else None


def run_filter(query: RunQuery) -> tuple[str, list[Any]]:
    return _where(
        [
            ("r.thread_id = ?", query.thread_id),
            ("r.status = ?", query.status),
            ("r.created_at > ?", query.created_after and rows.microseconds(query.created_after)),
            ("r.created_at < ?", query.created_before and rows.microseconds(query.created_before)),
            ("json_contains(r.metadata, ?)", _contained(query.metadata)),
        ]
    )


def thread_filter(query: ThreadQuery) -> tuple[str, list[Any]]:
    where, parameters = _where(
        [
            ("t.status = ?", query.status),
            (
                "t.thread_id IN (SELECT value FROM json_each(?))",
                None if query.ids is None else rows.dump(list(query.ids)),
            ),
            ("json_contains(t.metadata, ?)", _contained(query.metadata)),
            ("json_contains(o.body, ?)", _contained(query.values)),
            ("json_permits(t.metadata, ?)", rows.dump_or_none(query.permitted or None)),
        ]
    )
    return f"{where} AND t.gone_at IS NULL" if where else " WHERE t.gone_at IS NULL", parameters


def assistant_filter(query: AssistantQuery) -> tuple[str, list[Any]]:
    return _where(
        [
            ("graph_id = ?", query.graph_id),
            ("instr(lower(name), lower(?)) > 0", query.name),
            ("json_contains(metadata, ?)", _contained(query.metadata)),
            ("json_permits(metadata, ?)", rows.dump_or_none(query.permitted or None)),
        ]
    )
