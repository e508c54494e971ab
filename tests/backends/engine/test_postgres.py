"""What the PostgreSQL engine is for: jobs are done once, whatever becomes of connections and locks."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import psycopg
import pytest
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.base.id import uuid6

from backends.leases import begin, tables
from support.databases import drop_schema, fresh_schema
from support.services import PostgresServer
from treadle.backends.checkpoints.saver import SqlCheckpointer
from treadle.backends.engine import postgres
from treadle.backends.engine.connection import Connection
from treadle.backends.engine.postgres import PostgresEngine
from treadle.backends.engine.postgres_connection import PostgresConnection
from treadle.errors import ConflictError, UnprocessableError

SECONDS = 30
_COUNT = "UPDATE counters SET n = n + 1 WHERE name = ? RETURNING n"


@pytest.fixture
def url() -> Iterator[str]:
    url = fresh_schema(migrated=False)
    _tables(url)
    yield url
    drop_schema(url)


@pytest.fixture
def pg(url: str) -> Iterator[PostgresEngine]:
    engine = PostgresEngine(url)
    engine.start()
    yield engine
    engine.close()


def _tables(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("CREATE TABLE counters (name TEXT PRIMARY KEY, n BIGINT NOT NULL)")
        conn.execute("CREATE TABLE marks (job TEXT NOT NULL)")
        conn.execute("INSERT INTO counters VALUES ('a', 0), ('b', 0), ('c', 0)")


def marking(name: str) -> Callable[[Connection], int]:
    def work(conn: Connection) -> int:
        conn.execute("INSERT INTO marks (job) VALUES (?)", (name,))
        return conn.execute(_COUNT, ("a",)).fetchone()[0]

    return work


def rows(url: str, sql: str) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as conn:
        return conn.execute(sql.encode()).fetchall()


def test_each_job_is_done_once_while_connections_are_cut(pg: PostgresEngine, url: str) -> None:
    """Sessions are ended at random instants, between a commit and its answer too."""
    stop = threading.Event()

    def cut() -> None:
        with psycopg.connect(url, autocommit=True) as conn:
            while not stop.wait(0.03):
                conn.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name LIKE 'treadle %' AND datname = current_database()"
                )

    cutting = threading.Thread(target=cut)
    cutting.start()
    try:
        futures = [pg.submit(marking(f"job {number}"), key=f"k{number % 7}") for number in range(300)]
        results = [future.result(SECONDS) for future in futures]
    finally:
        stop.set()
        cutting.join(SECONDS)
    assert sorted(results) == list(range(1, 301))
    assert rows(url, "SELECT count(*), count(DISTINCT job) FROM marks") == [(300, 300)]
    # Within a key they were done in the order they were given.
    for key in range(7):
        assert results[key::7] == sorted(results[key::7])


@pytest.mark.parametrize("arrives", [True, False])
def test_a_commit_whose_answer_is_lost_is_looked_up(
    arrives: bool, pg: PostgresEngine, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection breaks while a commit is on its way: after it has reached the database, or before."""
    commit = PostgresConnection.commit
    breaks = iter([True, False, True, True])

    def breaking(self: PostgresConnection) -> None:
        if not next(breaks, False):
            return commit(self)
        if arrives:
            commit(self)
        self.close()
        raise psycopg.OperationalError("the connection is lost")

    monkeypatch.setattr(PostgresConnection, "commit", breaking)
    results = [pg.submit(marking(f"job {number}"), key="k").result(SECONDS) for number in range(5)]
    assert results == [1, 2, 3, 4, 5]
    assert rows(url, "SELECT job FROM marks ORDER BY job") == [(f"job {number}",) for number in range(5)]


def test_a_restart_of_the_database_is_a_pause() -> None:
    with PostgresServer(fsync=False) as server:
        _tables(server.url)
        engine = PostgresEngine(server.url)
        engine.start()
        done = [engine.submit(marking("before"), key="k").result(SECONDS)]
        server.kill()
        waiting = [engine.submit(marking(f"during {number}"), key="k") for number in range(5)]
        server.start()
        done += [future.result(SECONDS) for future in waiting]
        assert engine.steady_seconds() < SECONDS
        engine.close()
        assert done == [1, 2, 3, 4, 5, 6]


def test_a_lock_that_somebody_holds_stops_only_who_needs_it(pg: PostgresEngine, url: str) -> None:
    def needing(name: str) -> Callable[[Connection], Any]:
        return lambda conn: conn.execute(_COUNT, (name,)).fetchone()[0]

    with psycopg.connect(url) as holder:
        holder.execute("SELECT 1 FROM counters WHERE name = 'a' FOR UPDATE")
        stuck = [pg.submit(needing("a"), key="thread a") for _ in range(3)]
        free = [pg.submit(needing("b"), key="thread b") for _ in range(20)]
        assert [future.result(SECONDS) for future in free] == list(range(1, 21))
        assert not any(future.done() for future in stuck)
        holder.rollback()
    assert [future.result(SECONDS) for future in stuck] == [1, 2, 3]


def test_what_a_run_saves_while_its_thread_is_locked_waits_and_nothing_fails() -> None:
    url = fresh_schema()
    engine = PostgresEngine(url)
    engine.start()

    async def main() -> None:
        saver = SqlCheckpointer(engine, lease=begin(engine, "r1"), eager=True)
        config: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
        with psycopg.connect(url) as holder:
            holder.execute("SELECT 1 FROM threads WHERE thread_id = 't' FOR UPDATE")
            for _ in range(3):
                made = {**empty_checkpoint(), "id": str(uuid6())}
                config = await saver.aput(config, made, {}, {})
                engine.submit(lambda _: None).result(SECONDS)  # the put before it was tried by then
            holder.rollback()
        await asyncio.wait_for(saver.settled(), SECONDS)

    try:
        asyncio.run(main())
        assert len(tables(engine)["checkpoints"]) == 3
    finally:
        engine.close()
        drop_schema(url)


def test_who_is_stopped_in_the_middle_of_a_transaction_loses_its_locks(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgres._SETTINGS, "idle_in_transaction_session_timeout", "200ms")
    engines = [PostgresEngine(url, name=f"treadle {number}") for number in range(2)]
    for engine in engines:
        engine.start()
    locked, go_on = threading.Event(), threading.Event()

    def stopping(conn: Connection) -> int:
        conn.execute(_COUNT, ("a",)).fetchone()
        locked.set()
        go_on.wait(SECONDS)
        return conn.execute(_COUNT, ("a",)).fetchone()[0]

    stopped = engines[0].submit(stopping, key="thread a")
    assert locked.wait(SECONDS)
    assert engines[1].submit(lambda conn: conn.execute(_COUNT, ("a",)).fetchone()[0]).result(SECONDS) == 1
    go_on.set()
    assert stopped.result(SECONDS) == 3, "what it had begun is gone, and done again"
    for engine in engines:
        engine.close()


def test_jobs_that_lock_in_opposite_orders_are_both_done(url: str) -> None:
    """Two processes, each with a group that holds what the other wants."""
    engines = [PostgresEngine(url, name=f"treadle {number}") for number in range(2)]
    for engine in engines:
        engine.start()
    started = threading.Barrier(2, timeout=SECONDS)
    meeting = threading.Event()

    def crossing(first: str, second: str) -> Callable[[Connection], None]:
        def work(conn: Connection) -> None:
            conn.execute(_COUNT, (first,)).fetchone()
            if not meeting.is_set():
                started.wait()
                meeting.set()
            conn.execute(_COUNT, (second,)).fetchone()

        return work

    futures: list[Future[None]] = [
        engines[0].submit(crossing("a", "b"), key="x"),
        engines[1].submit(crossing("b", "a"), key="y"),
    ]
    for future in futures:
        future.result(SECONDS)
    for engine in engines:
        engine.close()
    assert rows(url, "SELECT n FROM counters ORDER BY name") == [(2,), (2,), (0,)]


def test_of_jobs_that_race_for_a_key_one_wins_and_the_others_see_it(url: str) -> None:
    engines = [PostgresEngine(url, name=f"treadle {number}") for number in range(4)]
    for engine in engines:
        engine.start()

    def once(conn: Connection) -> str:
        if conn.execute("SELECT 1 FROM counters WHERE name = ?", ("new",)).fetchone():
            return "found"
        conn.execute("INSERT INTO counters (name, n) VALUES (?, 0)", ("new",))
        return "made"

    results = [future.result(SECONDS) for future in [engine.submit(once) for engine in engines for _ in range(5)]]
    for engine in engines:
        engine.close()
    assert sorted(results) == ["found"] * 19 + ["made"]


def test_a_job_that_raises_leaves_nothing_and_tells_nothing(pg: PostgresEngine, url: str) -> None:
    told: list[str] = []

    def failing(conn: Connection) -> None:
        conn.execute("INSERT INTO marks (job) VALUES (?)", ("bad",))
        pg.after_commit(lambda: told.append("bad"))
        raise ConflictError("no")

    def refused(conn: Connection) -> None:
        pg.after_commit(lambda: told.append("refused"))
        conn.execute("INSERT INTO counters (name, n) VALUES (?, ?)", ("d", None))

    def good(conn: Connection) -> None:
        conn.execute("INSERT INTO marks (job) VALUES (?)", ("good",))
        pg.after_commit(lambda: told.append("good"))

    async def main() -> list[Any]:
        return await asyncio.gather(
            *(pg.write(work) for work in (good, failing, good, refused, good)), return_exceptions=True
        )

    results = asyncio.run(main())
    assert [type(result) for result in results] == [
        *(type(None), ConflictError, type(None)),
        *(psycopg.errors.NotNullViolation, type(None)),
    ]
    assert told == ["good"] * 3
    assert rows(url, "SELECT job FROM marks") == [("good",)] * 3


def test_a_text_with_nul_is_refused_as_the_callers_mistake(pg: PostgresEngine) -> None:
    with pytest.raises(UnprocessableError):
        pg.submit(marking("a\0b")).result(SECONDS)
    assert pg.submit(marking("fine")).result(SECONDS) == 1


def test_time_is_the_databases_and_goes_on_by_itself(pg: PostgresEngine, url: str) -> None:
    ((theirs,),) = rows(url, "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
    ours = pg.clock.now()
    assert abs(ours - theirs) < 5_000_000
    before = time.monotonic_ns()
    first, second = pg.clock.now(), pg.clock.now()
    assert 0 <= second - first <= (time.monotonic_ns() - before) // 1000 + 1
