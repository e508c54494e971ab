"""Both databases give the same answers: to filters, names, orders and pages, however odd."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from support.databases import give_back, lend_schema
from treadle.backends.clock import SystemClock
from treadle.backends.engine.jobs import Engine
from treadle.backends.engine.postgres import PostgresEngine
from treadle.backends.engine.sqlite import SqliteEngine
from treadle.backends.live.hub import Hub
from treadle.backends.tables.transaction import SqlRecords
from treadle.errors import TreadleError
from treadle.model import Assistant
from treadle.ports.queries import AssistantQuery, ThreadQuery, ThreadRunsQuery
from treadle.ports.records import Transaction

NAMES = ["a", "B", "ä", "Ä", "z", "Z", "_", "ß", "ẞ", "İ", "i", "I", "é", "e\u0301", "日本", "😀", "", "%", "a_b", "ﬀ"]
MANY: list[Any] = [
    *(1, 1.0, True, None, "1", "x\0y", "\U0001f600", [], {}, [[1], [2]], [1, 2, {"b": 1}], {"b": {"c": 1}}),
    *(2**70, 2**63, 2**53 + 1, float(2**53), 1e308, -0.0, 0.1, 1e-320),
]
METADATA: list[dict[str, Any]] = [{}, {"": ""}, {"\0k": 1}, *({"a": value} for value in MANY)]
LONG_AGO, NEVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
AT = datetime(2026, 1, 1, tzinfo=UTC)


def id_of(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


@pytest.fixture
def engines(tmp_path: Path) -> Iterator[tuple[Engine, Engine]]:
    url = lend_schema()
    embedded, shared = SqliteEngine(tmp_path / "db", clock=SystemClock()), PostgresEngine(url)
    for engine in (embedded, shared):
        engine.start()
    yield embedded, shared
    for engine in (embedded, shared):
        engine.close()
    give_back(url)


def answers(engine: Engine, questions: list[Callable[[Transaction], Any]]) -> list[Any]:
    async def ask() -> list[Any]:
        records = SqlRecords(engine, Hub())
        found: list[Any] = []
        for question in questions:
            try:
                found.append(await records.transact(question))
            except TreadleError as error:
                found.append(type(error))
        return found

    return asyncio.run(ask())


def alike(engines: tuple[Engine, Engine], questions: list[Callable[[Transaction], Any]]) -> None:
    embedded, shared = (answers(engine, questions) for engine in engines)
    assert embedded == shared


def threads(**query: Any) -> Callable[[Transaction], Any]:
    return lambda tx: sorted(thread.thread_id for thread in tx.search_threads(ThreadQuery(**{"limit": 100, **query})))


def with_threads() -> list[Callable[[Transaction], Any]]:
    def insert(number: int) -> Callable[[Transaction], Any]:
        return lambda tx: tx.insert_thread(id_of(number), metadata=METADATA[number])

    return [insert(number) for number in range(len(METADATA))]


def test_threads_by_metadata(engines: tuple[Engine, Engine]) -> None:
    asked = with_threads()
    for metadata in METADATA:
        asked += [threads(metadata=metadata), threads(permitted=[metadata])]
        for operator in ("$eq", "$contains"):
            asked.append(threads(permitted=[{"a": {operator: metadata.get("a")}}]))
        asked.append(lambda tx, metadata=metadata: tx.count_threads(ThreadQuery(metadata=metadata)))
    alike(engines, asked)


def test_merged_metadata(engines: tuple[Engine, Engine]) -> None:
    asked = with_threads()
    for metadata in METADATA:
        asked.append(lambda tx, metadata=metadata: tx.merge_thread(id_of(1), metadata=metadata))
        asked.append(lambda tx: repr(tx.thread_metadata(id_of(1))))
    alike(engines, asked)


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (1, 0), (2, 1), (10**9, 0), (5, 10**9), (2**63 - 1, 2**63 - 1)])
def test_pages(engines: tuple[Engine, Engine], limit: int, offset: int) -> None:
    ids = [id_of(number) for number in range(9)]

    def page(tx: Transaction) -> int:
        return len(tx.search_threads(ThreadQuery(ids=[*ids, "é", ids[0]], limit=limit, offset=offset)))

    alike(engines, [*with_threads(), page, threads(ids=[]), threads(ids=ids[:1] * 3)])


def test_names_of_assistants_and_their_order(engines: tuple[Engine, Engine]) -> None:
    def put(number: int) -> Callable[[Transaction], Any]:
        more: dict[str, Any] = {"config": {}, "context": {}, "metadata": {}, "version": 1, "description": None}
        made = Assistant(
            assistant_id=id_of(number), graph_id="g", name=NAMES[number], created_at=AT, updated_at=AT, **more
        )
        return lambda tx: tx.put_assistant(made)

    def named(**query: Any) -> Callable[[Transaction], Any]:
        return lambda tx: [one.name for one in tx.search_assistants(AssistantQuery(limit=100, **query))]

    asked = [put(number) for number in range(len(NAMES))]
    asked += [named(sort_by="name", ascending=ascending) for ascending in (True, False)]
    asked += [named(name=name, sort_by="name") for name in (*NAMES, "A", "ss", "SS", "Ff")]
    alike(engines, asked)


def test_keys_and_times_at_their_ends(engines: tuple[Engine, Engine]) -> None:
    asked: list[Callable[[Transaction], Any]] = with_threads()
    for key in ("", "ключ", "a" * 3000):
        asked += [
            lambda tx, key=key: tx.idempotency_record(key),
            lambda tx, key=key: tx.save_idempotency_record(key, "digest", ["run"]),
            lambda tx, key=key: tx.idempotency_record(key),
        ]
    for bounds in ({"created_after": LONG_AGO}, {"created_before": NEVER}):
        asked.append(lambda tx, bounds=bounds: tx.list_runs(ThreadRunsQuery(thread_id=id_of(1), **bounds)))
    alike(engines, asked)
