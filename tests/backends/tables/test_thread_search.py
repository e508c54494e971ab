"""Searches of threads find what their filters say, by an index, whatever the metadata of threads has been through."""

from __future__ import annotations

import asyncio
import itertools
import re
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support import shapes
from treadle.auth import filters
from treadle.backends.clock import SystemClock
from treadle.backends.engine.connection import Connection
from treadle.backends.engine.jobs import Engine
from treadle.backends.engine.sqlite import SqliteEngine, contains
from treadle.backends.live.hub import Hub
from treadle.backends.tables.thread_search import _FEW  # pyright: ignore[reportPrivateUsage]
from treadle.backends.tables.transaction import SqlRecords
from treadle.ports.queries import ThreadQuery
from treadle.ports.records import Transaction

SORTS = ("created_at", "updated_at", "state_updated_at", "status", "thread_id")
VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    1.0,
    -1,
    0.5,
    2**53,
    "",
    "a",
    "A",
    "1",
    'q"',
    "ü" * 300,
    "ü" * 200,
    [],
    {},
]
metadata = st.dictionaries(st.sampled_from(["a", "b", 'k"', "c\\d", ""]), st.sampled_from(VALUES), max_size=3)


def pairs(engine: Engine) -> tuple[list[Any], list[Any]]:
    """What the index of metadata holds, and what it has to hold."""

    def read(conn: Any) -> tuple[list[Any], list[Any]]:
        kept, due = (
            conn.execute(f"SELECT key, value, created_at, thread_id FROM {name}").fetchall()
            for name in ("thread_metadata", "thread_pairs")
        )
        return sorted(kept), sorted(set(due))

    return engine.snapshot(read)


def test_the_index_of_metadata_follows_every_change_of_a_thread(engine: Engine) -> None:
    records = SqlRecords(engine, Hub())

    def write(work: Any) -> None:
        asyncio.run(records.transact(work))
        kept, due = pairs(engine)
        assert kept == due

    write(lambda tx: tx.insert_thread("t", metadata={"owner": "ann", "n": 1, "tags": ["x"]}))
    write(lambda tx: tx.merge_thread("t", metadata={"owner": "bob", "more": None}))
    write(lambda tx: tx.copy_thread("t", "u"))
    assert {row[3] for row in pairs(engine)[0]} == {"t", "u"}
    write(lambda tx: tx.delete_thread("t"))
    engine.submit(lambda conn: conn.execute("UPDATE threads SET gone_at = 1")).result(20)
    assert pairs(engine) == ([], [])


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(threads=st.lists(metadata, min_size=1, max_size=6), asked=metadata)
def test_a_filter_of_metadata_finds_what_contains_it(threads: list[dict[str, Any]], asked: dict[str, Any]) -> None:
    rules = [{key: value for key, value in asked.items() if not isinstance(value, dict)}]
    with shapes.fresh_engine() as engine:
        records = SqlRecords(engine, Hub())

        def work(tx: Transaction) -> list[Any]:
            for number, each in enumerate(threads):
                tx.insert_thread(str(number), metadata=each)
            found: list[Any] = []
            for query in (ThreadQuery(metadata=asked), ThreadQuery(permitted=rules)):
                found.append(sorted(int(thread.thread_id) for thread in tx.search_threads(query)))
                found.append(tx.count_threads(query))
            return found

        found = asyncio.run(records.transact(work))
    contained = [number for number, each in enumerate(threads) if contains(each, asked)]
    permitted = [number for number, each in enumerate(threads) if filters.permits(rules, each)]
    assert found == [contained, len(contained), permitted, len(permitted)]


def test_pages_join_up_in_every_order(engine: Engine) -> None:
    """Also where a status or a pair of metadata is common, and the search goes another way."""
    records, count = SqlRecords(engine, Hub()), 30

    def fill(tx: Transaction) -> None:
        for number in range(count):
            tx.insert_thread(f"{number:02}", metadata={"graph_id": "g", "owner": f"o{number % 3}"})

    asyncio.run(records.transact(fill))
    for metadata, sort_by, ascending in itertools.product(
        ({}, {"graph_id": "g"}, {"owner": "o1"}), SORTS, (True, False)
    ):
        asked: dict[str, Any] = {"metadata": metadata, "sort_by": sort_by, "ascending": ascending, "status": "idle"}

        def pages(tx: Transaction, asked: dict[str, Any] = asked) -> list[str]:
            queries = [ThreadQuery(**asked, limit=7, offset=offset) for offset in range(0, count, 7)]
            return [thread.thread_id for query in queries for thread in tx.search_threads(query)]

        expected = [f"{number:02}" for number in range(count) if "owner" not in metadata or number % 3 == 1]
        assert asyncio.run(records.read(pages)) == (expected if ascending else expected[::-1])


def test_a_bounded_count_is_of_at_least_so_many(engine: Engine) -> None:
    records = SqlRecords(engine, Hub())

    def work(tx: Transaction) -> list[int]:
        for number in range(20):
            tx.insert_thread(str(number), metadata={"n": number % 2})
        asked = [ThreadQuery(), ThreadQuery(metadata={"n": 1}), ThreadQuery(status="idle", metadata={"n": 0})]
        return [tx.count_threads(query, most=most) for query in asked for most in (5, 1000)]

    found = asyncio.run(records.transact(work))
    assert found[1::2] == [20, 10, 10]
    assert all(least <= 5 for least in found[::2])


# --- the ways of SQLite -----------------------------------------------------------------------------------------------


class Explaining:
    """A connection that keeps the plans of what it is asked."""

    def __init__(self, conn: Any, *, many: bool) -> None:
        self._conn = conn
        self._many = many
        self.plans: list[tuple[str, list[str]]] = []

    def execute(self, sql: str, parameters: Any = ()) -> Any:
        plan = [row[3] for row in self._conn.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]
        self.plans.append((sql, plan))
        if self._many and sql.startswith("SELECT (SELECT count(*)"):
            return self._conn.execute(f"SELECT {', '.join([str(_FEW + 1)] * sql.count('AS counted'))}")
        return self._conn.execute(sql, parameters)


@pytest.mark.parametrize("many", [False, True])
def test_every_search_goes_through_an_index(many: bool, tmp_path: Path) -> None:
    """No search reads rows of threads that it does not show, unless few are sorted or what it asks is in no index."""
    from treadle.backends.tables.thread_search import ThreadSearchVerbs

    engine = SqliteEngine(tmp_path / "db", clock=SystemClock())
    searches = itertools.product(SORTS, (None, "idle"), ({}, {"graph_id": "g"}, {"graph_id": "g", "owner": "ann"}))

    def look(conn: Any) -> None:
        for sort_by, status, wanted in searches:
            explaining = Explaining(conn, many=many)
            verbs = ThreadSearchVerbs(cast("Connection", explaining), 0, Hub(), engine.after_commit)
            query = ThreadQuery(sort_by=sort_by, status=status, metadata=wanted)  # type: ignore[arg-type]
            verbs.search_threads(query)
            verbs.count_threads(query, most=10)
            for sql, plan in explaining.plans:
                read = [step for step in plan if re.match(r"(SCAN|SEARCH) [tm]\b", step)]
                assert read, (sql, plan)
                by_index = [step for step in read if "COVERING INDEX" in step or "PRIMARY KEY" in step]
                others = [step for step in read if step not in by_index]
                # In the order of ids the table itself is the index; the order of states has no status beside it.
                allowed = {"thread_id": "SCAN t", "state_updated_at": "SCAN t USING INDEX threads_by_state"}
                few = [
                    step for step in others if not many and step == "SEARCH t USING INDEX threads_by_status (status=?)"
                ]
                assert [step for step in others if step not in few and step != allowed.get(sort_by)] == [], (sql, plan)

    engine.snapshot(look)
    engine.close()
