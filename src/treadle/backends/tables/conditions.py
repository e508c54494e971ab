"""Translate queries to WHERE conditions with parameters, or to pairs of metadata. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from treadle.auth import filters
from treadle.backends.tables import rows
from treadle.model import JSON
from treadle.ports.queries import AssistantQuery, ThreadRunsQuery
from treadle.times import to_microseconds

_LONGEST = 200
"""thread_metadata stores only the beginning of longer texts."""
_EXACT = 2**53
"""From this value on, not every integer is a distinct float."""


class Pair(NamedTuple):
    """A row of thread_metadata: a top-level key of the metadata, with its value as text."""

    key: str
    value: str


def pairs_of(metadata: JSON) -> tuple[list[Pair], JSON]:
    """Split the metadata that a thread must contain into pairs and the rest that pairs cannot express."""
    pairs = {key: pair for key, value in metadata.items() if (pair := _pair(key, value))}
    return list(pairs.values()), {key: value for key, value in metadata.items() if key not in pairs}


def pairs_of_filters(permitted: Iterable[JSON]) -> tuple[list[Pair], list[JSON]]:
    """The same for filters that the metadata must pass (auth/filters.py)."""
    pairs: list[Pair] = []
    rest: list[JSON] = []
    for filter in permitted:
        told, _ = pairs_of(filters.equalities(filter))
        pairs += told
        keys = {pair.key for pair in told}
        left = {key: wanted for key, wanted in filter.items() if key not in keys or _asks_more(wanted)}
        rest += [left] if left else []
    return pairs, rest


def _asks_more(wanted: Any) -> bool:
    return isinstance(wanted, dict) and len(wanted) > 1


def _pair(key: str, value: Any) -> Pair | None:
    """None for values that pairs cannot express: objects, lists, long texts, fractions, keys that JSON has to
    escape."""
    if not (key.isprintable() and '"' not in key and "\\" not in key):
        return None
    told = _as_told(value)
    return None if told is None else Pair(key, told)


def _as_told(value: Any) -> str | None:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (int, float)) and abs(value) < _EXACT and value == int(value):
        return str(int(value))
    if isinstance(value, str) and len(value) < _LONGEST and "\0" not in value and _is_text(value):
        return f'"{value}'
    return None


def _is_text(value: str) -> bool:
    """Whether it has no lone surrogates, which JSON can represent but no database can store."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _where(conditions: list[tuple[str, Any]]) -> tuple[str, list[Any]]:
    """Join the ``(sql, parameter)`` pairs whose parameter is not None by AND."""
    held = [(sql, parameter) for sql, parameter in conditions if parameter is not None]
    text = " AND ".join(sql for sql, _ in held)
    return (f" WHERE {text}" if text else ""), [parameter for _, parameter in held]


def _contained(part: JSON | None) -> str | None:
    return rows.dump(part) if part else None


def run_filter(query: ThreadRunsQuery) -> tuple[str, list[Any]]:
    return _where(
        [
            ("r.thread_id = ?", query.thread_id),
            ("r.status = ?", query.status),
            ("r.created_at > ?", query.created_after and to_microseconds(query.created_after)),
            ("r.created_at < ?", query.created_before and to_microseconds(query.created_before)),
            ("json_contains(r.metadata, ?)", _contained(query.metadata)),
        ]
    )


def assistant_filter(query: AssistantQuery) -> tuple[str, list[Any]]:
    return _where(
        [
            ("graph_id = ?", query.graph_id),
            ("instr(lower(name), lower(?)) > 0", query.name),
            ("json_contains(metadata, ?)", _contained(query.metadata)),
            ("json_permits(metadata, ?)", rows.dump_or_none(query.permitted or None)),
        ]
    )
