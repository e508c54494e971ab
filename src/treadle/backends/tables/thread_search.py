"""Search and count threads.

A search reads one index, which this module chooses instead of the planner. If few threads have the requested status or
one of the metadata pairs, the search reads and sorts these threads. Otherwise it walks the index in the order of the
page until the page is full. The indexes cover the conditions of a walk (migrations/0009_thread_search.sql), so the cost
depends on the offset and the size of the page, not on the number of threads. Other conditions (values, nested metadata)
are evaluated for each thread.

A unary plus keeps SQLite from using another index than the chosen one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from treadle.backends.engine.connection import Connection
from treadle.backends.tables import rows
from treadle.backends.tables.conditions import Pair, pairs_of, pairs_of_filters
from treadle.backends.tables.tx import Tx
from treadle.model import Thread
from treadle.ports.queries import ThreadQuery

_FEW = 1000
"""Up to this number, reading and sorting all candidates is faster than walking an index in order."""
_ORDERS = {
    "created_at": ("created_at", "thread_id"),
    "updated_at": ("updated_at", "thread_id"),
    "state_updated_at": ("state_updated_at", "thread_id"),
    "status": ("status", "created_at", "thread_id"),
    "thread_id": ("thread_id",),
}
_IN_ORDER_OF_CREATION = ("created_at", "status")
"""Orders that the index by status provides for the threads of one status."""
_HAS_PAIR = """EXISTS (
    SELECT 1 FROM thread_metadata p WHERE p.key = ? AND p.value = ?
    AND p.created_at = {source}.created_at AND p.thread_id = {source}.thread_id)"""


class Condition(NamedTuple):
    sql: str
    parameters: Sequence[Any] = ()


class _Asked(NamedTuple):
    """A query and its conditions. ``looked_at`` are those that need the rows of threads (t) and outputs (v)."""

    query: ThreadQuery
    pairs: Sequence[Pair]
    looked_at: Sequence[Condition]


class _Way(NamedTuple):
    """The index that a search reads: by a metadata pair, by status or by id, else the one in the order of the page.
    ``few``: it yields at most _FEW threads."""

    pair: Pair | None = None
    by_status: bool = False
    few: bool = False


class ThreadSearchVerbs(Tx):
    def search_threads(self, query: ThreadQuery) -> list[Thread]:
        asked = _parted(query)
        page = _page(asked, _way_to_page(self.conn, asked))
        order = ", ".join(f"page.{column} {_direction(query)}" for column in _ORDERS[query.sort_by])
        found = self.execute(
            f"SELECT {rows.THREAD}, o.body FROM ({page.sql}) AS page"
            " CROSS JOIN threads t ON t.thread_id = page.thread_id"
            f" LEFT JOIN outputs o ON o.output_id = t.output_id ORDER BY {order}",
            page.parameters,
        )
        return [rows.thread(row) for row in found]

    def count_threads(self, query: ThreadQuery, *, most: int | None = None) -> int:
        asked = _parted(query)
        count = _count(asked, _way_to_count(self.conn, asked), most)
        return self.execute(count.sql, count.parameters).fetchone()[0]


def _parted(query: ThreadQuery) -> _Asked:
    pairs, rest = pairs_of(query.metadata or {})
    permitted, filters = pairs_of_filters(query.permitted)
    looked_at = [
        Condition(f"{function}({column}, ?)", [rows.dump(value)])
        for function, column, value in (
            ("json_contains", "t.metadata", rest),
            ("json_permits", "t.metadata", filters),
            ("json_contains", "v.body", query.values),
        )
        if value
    ]
    return _Asked(query, list(dict.fromkeys([*pairs, *permitted])), looked_at)


# --- the way ----------------------------------------------------------------------------------------------------------


def _way_to_page(conn: Connection, asked: _Asked) -> _Way:
    query = asked.query
    if query.ids is not None:
        return _Way(few=True)
    way = _fewest(conn, asked)
    if way.few:
        return way
    if query.sort_by not in _IN_ORDER_OF_CREATION:
        return _Way()
    return _Way(by_status=True) if query.status is not None or query.sort_by == "status" else way


def _way_to_count(conn: Connection, asked: _Asked) -> _Way:
    return _Way(few=True) if asked.query.ids is not None else _fewest(conn, asked)


def _fewest(conn: Connection, asked: _Asked) -> _Way:
    """The index that yields the fewest threads. Counting stops above _FEW, which bounds its cost."""
    ways = [_Way(by_status=True)] if asked.query.status is not None else []
    ways += [_Way(pair=pair) for pair in asked.pairs]
    if not ways:
        return _Way()
    ranges = [_range(asked, way) for way in ways]
    count = f"(SELECT count(*) FROM (SELECT 1 FROM {{}} WHERE {{}} LIMIT {_FEW + 1}) AS counted)"
    counts = ", ".join(count.format(range.table, range.where.sql) for range in ranges)
    found = conn.execute(f"SELECT {counts}", _parameters([range.where for range in ranges])).fetchone()
    fewest = min(range(len(ways)), key=lambda number: found[number])
    return ways[fewest]._replace(few=found[fewest] <= _FEW)


class _Range(NamedTuple):
    """The part of a table that a search reads. ``source`` is the alias of the table with created_at and thread_id."""

    table: str
    where: Condition
    source: str = "t"


def _range(asked: _Asked, way: _Way) -> _Range:
    query = asked.query
    if way.pair is not None:
        return _Range("thread_metadata m", Condition("m.key = ? AND m.value = ?", way.pair), "m")
    if query.ids is not None:
        ids = "t.thread_id IN (SELECT value FROM json_each(?)) AND t.gone_at IS NULL"
        return _Range("threads t", Condition(ids, [rows.dump(list(query.ids))]))
    if way.by_status and query.status is not None:
        return _Range("threads t", Condition("t.status = ? AND t.gone_at IS NULL", [query.status]))
    return _Range("threads t", Condition("t.gone_at IS NULL"))


# --- statements -------------------------------------------------------------------------------------------------------


def _page(asked: _Asked, way: _Way) -> Condition:
    """SQL for the ids of a page, with their sort columns."""
    query, (table, where, source) = asked.query, _range(asked, way)
    others = _others(asked, way, source)
    columns = _ORDERS[query.sort_by]
    in_index = {"created_at", "thread_id"} if source == "m" else set(columns)
    if source == "m" and (not in_index.issuperset(columns) or _looks_at_rows(asked, way)):
        table += " CROSS JOIN threads t ON t.thread_id = m.thread_id"
    if query.values:
        table += " LEFT JOIN outputs v ON v.output_id = t.output_id"
    named = [f"{source if column in in_index else 't'}.{column}" for column in columns]
    sorts = way.few and source == "t" and not (way.by_status and query.sort_by in _IN_ORDER_OF_CREATION)
    order = ", ".join(f"{'+' if sorts else ''}{column} {_direction(query)}" for column in named)
    conditions = " AND ".join(condition.sql for condition in (where, *others))
    return Condition(
        f"SELECT {', '.join(named)} FROM {table} WHERE {conditions} ORDER BY {order} LIMIT ? OFFSET ?",
        [*_parameters([where, *others]), query.limit, query.offset],
    )


def _count(asked: _Asked, way: _Way, most: int | None) -> Condition:
    """``most`` bounds the number of threads that are examined."""
    table, where, source = _range(asked, way)
    passed = f"SELECT {source}.created_at, {source}.thread_id FROM {table} WHERE {where.sql}"
    sql = f"SELECT count(*) FROM ({passed}{'' if most is None else ' LIMIT ?'}) AS s"
    if _looks_at_rows(asked, way):
        sql += " CROSS JOIN threads t ON t.thread_id = s.thread_id"
    if asked.query.values:
        sql += " LEFT JOIN outputs v ON v.output_id = t.output_id"
    others = _others(asked, way, "s")
    if others:
        sql += f" WHERE {' AND '.join(condition.sql for condition in others)}"
    return Condition(sql, [*where.parameters, *([] if most is None else [most]), *_parameters(others)])


def _looks_at_rows(asked: _Asked, way: _Way) -> bool:
    return bool(asked.looked_at) or (asked.query.status is not None and not way.by_status)


def _others(asked: _Asked, way: _Way, source: str) -> list[Condition]:
    """The conditions that the chosen index does not cover."""
    status = asked.query.status
    by_status = [] if status is None or way.by_status else [Condition("+t.status = ?", [status])]
    has_pair = _HAS_PAIR.format(source=source)
    return [
        *by_status,
        *(Condition(has_pair, pair) for pair in asked.pairs if pair != way.pair),
        *asked.looked_at,
    ]


def _parameters(conditions: Sequence[Condition]) -> list[Any]:
    return [parameter for condition in conditions for parameter in condition.parameters]


def _direction(query: ThreadQuery) -> str:
    return "ASC" if query.ascending else "DESC"
