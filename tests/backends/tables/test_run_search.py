"""Searches over all runs find what a look at every run would find, page by page, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import settings as chosen
from hypothesis import strategies as st

from support import shapes
from treadle.auth import filters
from treadle.backends.clock import SystemClock
from treadle.backends.engine.connection import Connection
from treadle.backends.engine.jobs import Engine
from treadle.backends.engine.sqlite import SqliteEngine
from treadle.backends.live.hub import Hub
from treadle.backends.tables import rows
from treadle.backends.tables import run_search as run_rows
from treadle.backends.tables.transaction import SqlTransaction
from treadle.model import ACTIVE, RUN_STATUSES
from treadle.ports.queries import RunSearchQuery
from treadle.run_search import FoundRun
from treadle.times import from_microseconds

NOW = 2_000_000_000
ASSISTANTS = ("a", "b", "never")
THREADS = [f"thread-{number}" for number in range(6)]
OWNERS = ("ann", "ben")


@st.composite
def runs(draw: st.DrawFn) -> dict[str, Any]:
    status = draw(st.sampled_from(RUN_STATUSES))
    created = draw(st.integers(1, 20))
    started = draw(st.none() | st.integers(created, 30)) if status != "running" else created
    return {
        "thread_id": draw(st.sampled_from(THREADS)),
        "assistant_id": draw(st.sampled_from(ASSISTANTS[:2])),
        "status": status,
        "created_at": created,
        "updated_at": draw(st.integers(created, 40)),
        "started_at": started,
        "finished_at": None if status in ACTIVE else draw(st.integers(started or created, 50)),
        "temporary": draw(st.booleans()),
        "tags": draw(st.lists(st.sampled_from("xyz"), max_size=2)),
        "metadata": {"k": draw(st.integers(0, 2))},
    }


@st.composite
def queries(draw: st.DrawFn) -> RunSearchQuery:
    some_day = st.none() | st.integers(1, 20).map(lambda us: datetime.fromtimestamp(us / 1e6, UTC))
    return RunSearchQuery(
        statuses=draw(st.lists(st.sampled_from(RUN_STATUSES), max_size=3)),
        assistant_id=draw(st.none() | st.sampled_from(ASSISTANTS)),
        thread_id=draw(st.none() | st.sampled_from(THREADS)),
        ids=draw(st.none() | st.lists(st.integers(0, 24).map(name), max_size=8)),
        metadata=draw(st.sampled_from([None, {}, {"k": 1}])),
        thread_metadata=draw(st.sampled_from([None, {"owner": "ann"}])),
        tags=draw(st.lists(st.sampled_from("xy"), max_size=2)),
        created_after=draw(some_day),
        created_before=draw(some_day),
        sort_by=draw(st.sampled_from(["created_at", "updated_at", "started_at", "finished_at", "duration"])),
        ascending=draw(st.booleans()),
        permitted=draw(st.sampled_from([(), ({"owner": "ben"},), ({"team": {"$contains": "red"}}, {"owner": "ann"})])),
        limit=draw(st.integers(1, 7)),
    )


def name(number: int) -> str:
    return f"run-{number:02}"


def of_thread(thread_id: str) -> dict[str, Any]:
    number = THREADS.index(thread_id)
    return {"owner": OWNERS[number % 2], "team": ["red", "blue"][: number % 3]}


def fill(conn: Connection, made: list[dict[str, Any]]) -> None:
    for thread_id in THREADS:
        conn.execute(
            "INSERT INTO threads (thread_id, created_at, updated_at, state_updated_at, metadata)"
            " VALUES (?, 1, 1, 1, ?)",
            (thread_id, rows.dump(of_thread(thread_id))),
        )
    for number, run in enumerate(made):
        conn.execute(
            "INSERT INTO runs (run_id, thread_id, assistant_id, graph_id, status, multitask_strategy, created_at,"
            " updated_at, started_at, finished_at, available_at, temporary, attempt, worker_id, tags, metadata)"
            " VALUES (?, ?, ?, 'g', ?, 'enqueue', ?, ?, ?, ?, 1, ?, 1, ?, ?, ?)",
            (
                *(name(number), run["thread_id"], run["assistant_id"], run["status"], run["created_at"]),
                *(run["updated_at"], run["started_at"], run["finished_at"], int(run["temporary"])),
                *("w" if run["status"] == "running" else None, rows.dump_or_none(run["tags"] or None)),
                rows.dump(run["metadata"]),
            ),
        )


def one_running(made: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As the schema wants it: no more than one running run on a thread."""
    running: set[str] = set()
    kept: list[dict[str, Any]] = []
    for run in made:
        if run["status"] != "running" or run["thread_id"] not in running:
            kept.append(run)
        if run["status"] == "running":
            running.add(run["thread_id"])
    return kept


KEYS: dict[str, Callable[[dict[str, Any]], int]] = {
    "created_at": lambda run: run["created_at"],
    "updated_at": lambda run: run["updated_at"],
    "started_at": lambda run: run["started_at"] or 0,
    "finished_at": lambda run: run["finished_at"] or 0,
    "duration": lambda run: run["finished_at"] - run["started_at"] if run["finished_at"] and run["started_at"] else 0,
}


def expected(made: list[dict[str, Any]], query: RunSearchQuery) -> list[str]:
    """By a look at every run."""
    key = KEYS[query.sort_by]
    found = [(key(run), number) for number, run in enumerate(made) if matches(name(number), run, query)]
    return [name(number) for _, number in sorted(found, reverse=not query.ascending)]


def matches(run_id: str, run: dict[str, Any], query: RunSearchQuery) -> bool:
    at = from_microseconds(run["created_at"])
    thread = of_thread(run["thread_id"])
    return (
        not (run["temporary"] and run["status"] not in ACTIVE)
        and (not query.statuses or run["status"] in query.statuses)
        and query.assistant_id in (None, run["assistant_id"])
        and query.thread_id in (None, run["thread_id"])
        and (query.ids is None or run_id in query.ids)
        and (query.metadata or {}).items() <= run["metadata"].items()
        and (query.thread_metadata is None or thread["owner"] == query.thread_metadata["owner"])
        and set(query.tags) <= set(run["tags"])
        and (query.created_after is None or at > query.created_after)
        and (query.created_before is None or at < query.created_before)
        and filters.permits(query.permitted, thread)
    )


def pages(tx: SqlTransaction, query: RunSearchQuery) -> list[FoundRun]:
    """All that a search finds, a page at a time. Only where runs are looked at one by one a page may be short."""
    found: list[FoundRun] = []
    while True:
        page = tx.search_runs(query)
        assert len(page.runs) <= query.limit
        found += page.runs
        if page.last is None:
            return found
        assert len(page.runs) == query.limit or query.metadata or query.thread_metadata or query.tags or query.permitted
        assert page.last != query.after
        query = RunSearchQuery(
            **{field: getattr(query, field) for field in query.__struct_fields__} | {"after": page.last}
        )


@given(
    made=st.lists(runs(), max_size=25).map(one_running),
    asked=st.lists(queries(), min_size=8, max_size=8),
    examined=st.integers(1, 9),
    few=st.integers(0, 4),
)
@chosen(deadline=None, max_examples=15)
def test_a_search_finds_what_a_look_at_every_run_finds(
    shape: shapes.Shape, made: list[dict[str, Any]], asked: list[RunSearchQuery], examined: int, few: int
) -> None:
    with shapes.fresh_engine() as engine:
        engine.submit(lambda conn: fill(conn, made)).result(20)
        for query in asked:

            def work(conn: Connection, query: RunSearchQuery = query) -> tuple[list[FoundRun], int]:
                tx = SqlTransaction(conn, NOW, Hub(), engine.after_commit)
                tx.examined, tx.few = examined, few
                return pages(tx, query), tx.count_runs(query)

            found, counted = engine.snapshot(work)
            assert [run.run_id for run in found] == expected(made, query), query
            assert counted == len(found), query


def test_what_a_run_says(engine: Engine) -> None:
    made = one_running(
        [
            {**dict.fromkeys(("started_at", "finished_at")), **each, "thread_id": THREADS[0], "assistant_id": "a"}
            | {"updated_at": 9, "created_at": 5, "temporary": False, "tags": [], "metadata": {}}
            for each in (
                {"status": "pending"},
                {"status": "running", "started_at": 1_000_000},
                {"status": "success", "started_at": 1_000_000, "finished_at": 3_500_000},
                {"status": "interrupted", "finished_at": 3_500_000},
            )
        ]
    )
    engine.submit(lambda conn: fill(conn, made)).result(20)
    engine.submit(lambda conn: conn.execute("UPDATE runs SET blocked_by = 'key:k\n' WHERE status = 'pending'")).result(
        20
    )

    def work(conn: Connection) -> list[FoundRun]:
        tx = SqlTransaction(conn, 11_000_000, Hub(), engine.after_commit)
        return tx.search_runs(RunSearchQuery(ascending=True)).runs

    pending, running, ended, never_started = engine.snapshot(work)
    assert (pending.duration_seconds, pending.blocked_by) == (None, "key")
    assert (running.duration_seconds, running.worker_id, running.finished_at) == (10.0, "w", None)
    assert (ended.duration_seconds, ended.finished_at) == (2.5, from_microseconds(3_500_000))
    assert (never_started.duration_seconds, never_started.started_at) == (None, None)


PLAIN: list[dict[str, Any]] = [
    {},
    {"statuses": ["error"]},
    {"statuses": ["error", "timeout"], "ascending": True},
    {"assistant_id": "a"},
    {"assistant_id": "a", "statuses": ["success"], "after": (5, 5)},
    {"created_after": from_microseconds(1), "created_before": from_microseconds(9), "after": (5, 5)},
]


def test_a_page_is_read_from_an_index_in_its_order(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "plans", clock=SystemClock())
    for asked in PLAIN:
        parameters = run_rows.Parameters()
        explained = f"EXPLAIN QUERY PLAN {run_rows.page(RunSearchQuery(**asked), parameters)}"
        plan = engine.snapshot(lambda conn, sql=explained, given=parameters.values: conn.execute(sql, given).fetchall())
        reads = [step for *_, step in plan if step.startswith(("SCAN r ", "SEARCH r "))]
        index = "runs_of_assistant" if "assistant_id" in asked else "runs_listed"
        assert reads
        assert [step for step in reads if not step.startswith(f"SEARCH r USING COVERING INDEX {index} ")] == [], asked
    engine.close()
