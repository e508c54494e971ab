"""Databases of earlier schemas are brought forward with all they hold, and processes of the release before go on."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib import resources
from pathlib import Path

import psycopg
import pytest

from support.databases import drop_schema, fresh_schema
from support.server import Running, running
from treadle.backends.clock import SystemClock
from treadle.backends.engine import postgres_schema
from treadle.backends.engine.sqlite import SqliteEngine
from treadle.errors import TreadleError

RELEASES = Path(__file__).parent / "releases"
SCRIPTS = [
    item.read_text()
    for item in sorted(resources.files("treadle.backends.migrations").iterdir(), key=lambda item: item.name)
    if item.name.endswith(".sql")
]
OBJECTS = "SELECT type, name, tbl_name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY 1, 2"


def objects(file: Path) -> tuple[list[object], dict[str, list[object]]]:
    """Tables, indexes and columns of a file."""
    with closing(sqlite3.connect(file)) as conn:
        found = conn.execute(OBJECTS).fetchall()
        tables = [name for kind, name, _ in found if kind == "table"]
        return list(found), {name: conn.execute(f"PRAGMA table_xinfo({name})").fetchall() for name in tables}


def brought_forward(file: Path) -> None:
    engine = SqliteEngine(file, clock=SystemClock())
    engine.start()
    engine.close()


@pytest.mark.parametrize("version", range(1, len(SCRIPTS)))
def test_a_file_of_every_schema_comes_to_the_newest(version: int, tmp_path: Path) -> None:
    old = tmp_path / "old.sqlite3"
    with closing(sqlite3.connect(old)) as conn:
        for script in SCRIPTS[:version]:
            conn.executescript(script)
        conn.execute(f"PRAGMA user_version = {version}")
    brought_forward(old)
    brought_forward(tmp_path / "new.sqlite3")
    assert objects(old) == objects(tmp_path / "new.sqlite3")


def test_a_file_of_a_later_schema_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "later.sqlite3"
    with closing(sqlite3.connect(file)) as conn:
        conn.execute("PRAGMA user_version = 1000")
    with pytest.raises(TreadleError, match="upgrade treadle"):
        SqliteEngine(file, clock=SystemClock())


async def test_what_the_release_before_left_is_served_and_goes_on(tmp_path: Path) -> None:
    """A file as the first release wrote it: ended runs, one that waits to be resumed, one that is due by now, an
    item of the store and a cron."""
    with closing(sqlite3.connect(tmp_path / "treadle.sqlite3")) as conn:
        conn.executescript((RELEASES / "schema-7.sql").read_text())
        conn.execute("UPDATE runs SET available_at = created_at WHERE status = 'pending'")
        conn.commit()
        resting, waiting, due = (_thread_in(conn, status) for status in ("idle", "interrupted", "busy"))

    async with running(tmp_path) as server:
        runs = await server.get(f"/threads/{resting}/runs")
        assert [run["status"] for run in runs] == ["success"] * 3
        log = await server.read(f"/threads/{resting}/runs/{runs[-1]['run_id']}")
        assert log.startswith(b"event: metadata")
        assert await _said_on(server, resting) == ["one", "two", "later"]
        resumed = await server.run("hil", None, thread_id=waiting, command={"resume": "yes"})
        assert await server.ended(resumed) == "success"
        assert (await server.get(f"/threads/{waiting}"))["status"] == "idle"
        (run,) = await server.get(f"/threads/{due}/runs")
        assert await server.ended(f"/threads/{due}/runs/{run['run_id']}") == "success"
        assert await _said_on(server, due) == ["much later"]
        item = await server.get("/store/items", params={"namespace": "a", "key": "k"})
        assert item["value"] == {"v": 1}
        assert len(await server.post("/runs/crons/search", {})) == 1


def _thread_in(conn: sqlite3.Connection, status: str) -> str:
    (found,) = conn.execute("SELECT thread_id FROM threads WHERE status = ?", (status,)).fetchall()
    return found[0]


async def _said_on(server: Running, thread_id: str) -> list[str]:
    """What people said on the thread."""
    messages = (await server.get(f"/threads/{thread_id}/state"))["values"]["messages"]
    return [each["content"] for each in messages if each["type"] == "human"]


# Requests as earlier releases stored them: the tags of two runs can be recovered.
REQUESTS = {
    "tagged": b'{"input":{"tags":["not these"]},"config":{"tags":["a","b c"],"configurable":{}}}',
    "odd": b'{"input":"\\u0000\\ud800","config":{"tags":["\xc3\xa4"],"configurable":{}}}',
    "none": b'{"input":{"tags":["not these"]},"config":{"configurable":{}}}',
    "empty": b'{"input":null,"config":{"tags":[],"configurable":{}}}',
}
TAGS = {"tagged": ["a", "b c"], "odd": ["ä"], "none": None, "empty": None}
OLD_THREAD = """
INSERT INTO threads (thread_id, created_at, updated_at, state_updated_at, metadata) VALUES ('t', 1, 1, 1, '{}')
"""
OLD_RUN = """
INSERT INTO runs (run_id, thread_id, assistant_id, graph_id, multitask_strategy, created_at, updated_at, available_at,
    metadata) VALUES ('%s', 't', 'a', 'g', 'enqueue', 1, 1, 1, '{}')
"""


def test_runs_of_earlier_releases_can_be_searched_by_their_tags(tmp_path: Path) -> None:
    file = tmp_path / "old.sqlite3"
    names = sorted(item.name for item in resources.files("treadle.backends.migrations").iterdir())
    version = [name for name in names if name.endswith(".sql")].index("0010_overview.sql")
    with closing(sqlite3.connect(file)) as conn:
        for script in SCRIPTS[:version]:
            conn.executescript(script)
        conn.execute(f"PRAGMA user_version = {version}")
        conn.execute(OLD_THREAD)
        for run_id, kwargs in REQUESTS.items():
            conn.execute(OLD_RUN % run_id)
            conn.execute("INSERT INTO run_requests (run_id, kwargs) VALUES (?, ?)", (run_id, kwargs))
        conn.commit()
    brought_forward(file)
    with closing(sqlite3.connect(file)) as conn:
        found = conn.execute("SELECT run_id, tags FROM runs").fetchall()
    assert {run_id: tags and json.loads(tags) for run_id, tags in found} == TAGS


# --- PostgreSQL -------------------------------------------------------------------------------------------------------

CATALOG = """
SELECT 'column', table_name || '.' || column_name, data_type || coalesce(collation_name, '') || is_nullable
    || coalesce(generation_expression, '') FROM information_schema.columns WHERE table_schema = current_schema()
UNION ALL SELECT 'index', indexname, replace(indexdef, current_schema(), '') FROM pg_indexes
    WHERE schemaname = current_schema()
UNION ALL SELECT 'check', conrelid::regclass::text || conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = current_schema()::regnamespace
UNION ALL SELECT 'function', proname || pronargs, prosrc FROM pg_proc
    WHERE pronamespace = current_schema()::regnamespace
ORDER BY 1, 2, 3
"""


@pytest.fixture
def empty() -> Iterator[str]:
    url = fresh_schema(migrated=False)
    yield url
    drop_schema(url)


def catalog(url: str) -> list[object]:
    with psycopg.connect(url, autocommit=True) as conn:
        return list(conn.execute(CATALOG).fetchall())


@pytest.mark.parametrize("version", range(1, postgres_schema.newest_version()))
def test_a_database_of_every_schema_comes_to_the_newest(version: int, empty: str) -> None:
    assert postgres_schema.migrate(empty, upto=version) == (0, version)
    assert postgres_schema.migrate(empty) == (version, postgres_schema.newest_version())
    new = fresh_schema()
    assert catalog(empty) == catalog(new)
    drop_schema(new)


def test_runs_of_earlier_releases_can_be_searched_by_their_tags_there_too(empty: str) -> None:
    postgres_schema.migrate(empty, upto=2)
    with psycopg.connect(empty, autocommit=True) as conn:
        conn.execute(OLD_THREAD)
        for run_id, kwargs in REQUESTS.items():
            conn.execute((OLD_RUN % run_id).encode())
            conn.execute("INSERT INTO run_requests (run_id, kwargs) VALUES (%s, %s)", (run_id, kwargs))
    postgres_schema.migrate(empty)
    with psycopg.connect(empty, autocommit=True) as conn:
        found = conn.execute("SELECT run_id, tags FROM runs").fetchall()
    assert {run_id: tags and json.loads(tags) for run_id, tags in found} == TAGS


async def test_many_processes_may_migrate_at_once(empty: str) -> None:
    async with asyncio.timeout(60):
        done = await asyncio.gather(*(asyncio.to_thread(postgres_schema.migrate, empty) for _ in range(6)))
    assert sorted(before for before, _ in done) == [0] + [postgres_schema.newest_version()] * 5


async def test_a_process_of_the_release_before_works_on_the_next_schema(tmp_path: Path, empty: str) -> None:
    """What a later release may do while this one runs: add tables, and columns that may be left out."""
    postgres_schema.migrate(empty)

    async with asyncio.timeout(60), running(tmp_path, database_url=empty) as server:
        thread = await server.thread()
        assert await server.ended(await _said(server, thread, "before")) == "success"
        await asyncio.to_thread(_next_release, empty, compatible_from=postgres_schema.newest_version())
        assert await server.ended(await _said(server, thread, "after")) == "success"
    async with asyncio.timeout(60), running(tmp_path, database_url=empty) as restarted:
        assert await restarted.ended(await _said(restarted, thread, "again")) == "success"


async def _said(server: Running, thread_id: str, text: str) -> str:
    return await server.run("chat", {"messages": [{"role": "user", "content": text}]}, thread_id=thread_id)


def test_a_schema_that_this_release_cannot_work_with_is_refused(empty: str) -> None:
    postgres_schema.migrate(empty)
    _next_release(empty, compatible_from=postgres_schema.newest_version() + 1)
    with pytest.raises(postgres_schema.SchemaMismatch, match="but this release supports at most"):
        postgres_schema.require_current(empty)
    with pytest.raises(postgres_schema.SchemaMismatch):
        postgres_schema.migrate(empty)


def _next_release(url: str, *, compatible_from: int) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("ALTER TABLE runs ADD COLUMN later TEXT; ALTER TABLE threads ADD COLUMN later BIGINT DEFAULT 1")
        conn.execute("CREATE TABLE later (one BIGINT)")
        conn.execute("UPDATE treadle_schema SET version = version + 1, compatible_from = %s", (compatible_from,))
