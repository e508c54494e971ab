"""Queries as WHERE clauses with parameters, and metadata as key-value pairs. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from treadle.auth import filters
from treadle.backends.tables import rows
from treadle.model import JSON
from treadle.ports.deliveries import DeliveryQuery
from treadle.ports.queries import AssistantQuery, CronQuery, ThreadRunsQuery

_MAX_TEXT = 200
"""thread_metadata stores longer texts truncated, so a pair cannot match them exactly."""
_MAX_EXACT = 2**53
"""From here on a float no longer identifies one integer."""
_OF_PERMITTED_THREAD = "thread_id IN (SELECT t.thread_id FROM threads t WHERE json_permits(t.metadata, ?))"


class Pair(NamedTuple):
    """A row of thread_metadata: a top-level key of a thread's metadata, and its value encoded as text."""

    key: str
    value: str


def pairs_of(metadata: JSON) -> tuple[list[Pair], JSON]:
    """Split required metadata into the pairs that the index can match and the rest, which needs a containment test."""
    pairs = {key: pair for key, value in metadata.items() if (pair := _pair(key, value))}
    return list(pairs.values()), {key: value for key, value in metadata.items() if key not in pairs}


def pairs_of_filters(permitted: Iterable[JSON]) -> tuple[list[Pair], list[JSON]]:
    """``pairs_of`` for the filters that metadata has to pass (treadle.auth.filters)."""
    pairs: list[Pair] = []
    rest: list[JSON] = []
    for filter in permitted:
        indexed, _ = pairs_of(filters.equalities(filter))
        pairs += indexed
        keys = {pair.key for pair in indexed}
        unindexed = {key: wanted for key, wanted in filter.items() if key not in keys or _has_operators(wanted)}
        rest += [unindexed] if unindexed else []
    return pairs, rest


def _has_operators(wanted: Any) -> bool:
    return isinstance(wanted, dict) and len(wanted) > 1


def _pair(key: str, value: Any) -> Pair | None:
    """None for values that pairs cannot match: objects, lists, long texts, fractions, keys that JSON has to escape."""
    if not (key.isprintable() and '"' not in key and "\\" not in key):
        return None
    text = _encode(value)
    return None if text is None else Pair(key, text)


def _encode(value: Any) -> str | None:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (int, float)) and abs(value) < _MAX_EXACT and value == int(value):
        return str(int(value))
    if isinstance(value, str) and len(value) < _MAX_TEXT and "\0" not in value and _is_storable(value):
        return f'"{value}'
    return None


def _is_storable(value: str) -> bool:
    """False for lone surrogates, which JSON can express but no database stores."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def where(conditions: Iterable[tuple[str, Any]]) -> tuple[str, list[Any]]:
    """A WHERE clause and its parameters, from ``(sql, parameter)`` pairs; those without a parameter are left out."""
    used = [(sql, parameter) for sql, parameter in conditions if parameter is not None]
    text = " AND ".join(sql for sql, _ in used)
    return (f" WHERE {text}" if text else ""), [parameter for _, parameter in used]


def dump_if_any(value: JSON | Sequence[Any] | None) -> str | None:
    """JSON, or None for an empty value, which restricts nothing."""
    return rows.dump(value) if value else None


def run_filter(query: ThreadRunsQuery) -> tuple[str, list[Any]]:
    return where(
        [
            ("r.thread_id = ?", query.thread_id),
            ("r.status = ?", query.status),
            ("r.created_at > ?", rows.microseconds_or_none(query.created_after)),
            ("r.created_at < ?", rows.microseconds_or_none(query.created_before)),
            ("json_contains(r.metadata, ?)", dump_if_any(query.metadata)),
        ]
    )


def assistant_filter(query: AssistantQuery) -> tuple[str, list[Any]]:
    return where(
        [
            ("graph_id = ?", query.graph_id),
            ("instr(lower(name), lower(?)) > 0", query.name),
            ("json_contains(metadata, ?)", dump_if_any(query.metadata)),
            ("json_permits(metadata, ?)", dump_if_any(query.permitted)),
        ]
    )


def cron_filter(query: CronQuery) -> tuple[str, list[Any]]:
    return where(
        [
            ("assistant_id = ?", query.assistant_id),
            ("thread_id = ?", query.thread_id),
            ("enabled = ?", query.enabled),
            ("json_contains(metadata, ?)", dump_if_any(query.metadata)),
            ("json_permits(metadata, ?)", dump_if_any(query.permitted)),
        ]
    )


def delivery_filter(query: DeliveryQuery) -> tuple[str, list[Any]]:
    return where(
        [
            ("status = ?", query.status),
            ("thread_id = ?", query.thread_id),
            ("run_id = ?", query.run_id),
            (_OF_PERMITTED_THREAD, dump_if_any(query.permitted)),
        ]
    )
