"""Measure how much slower lists and searches are on a large database: ``python -m benchmarks.lists``.

SQL fills a database file that treadle has created, and ``treadle serve`` serves it. Every figure is the median of
single requests, sent one after another on one connection.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.output import RESULTS
from benchmarks.server import MeasuredServer, start_server
from treadle.backends.clock import SystemClock
from treadle.backends.engine.sqlite import SqliteEngine
from treadle.bench.pace import median
from treadle.bench.server import BadResponse

SIZES = ((100, 1_000), (100_000, 1_000_000))
"""Threads and runs of the small database and of the large one."""
REQUESTS = 80
SECONDS = 2.0
"""Each request is sent REQUESTS times, or fewer times if SECONDS have passed."""
_OWNED = 10  # threads of each owner
_STEP = 40_000_000  # microseconds between two runs: a million runs cover 463 days
_START = 1_700_000_000_000_000
_ASSISTANT = "a0000000-0000-5000-8000-000000000000"


# --- filling a file ---------------------------------------------------------------------------------------------------

_SERIES = "WITH RECURSIVE series (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series LIMIT :count)"
# Consecutive runs belong to different threads, so that the runs of one thread are spread over the whole table.
_THREAD = "(n * 7919 % :threads)"
_AT = "(:start + n * :step)"
_METADATA = """json_object('graph_id', 'chain', 'assistant_id', :assistant, 'owner', 'user-' || ({t} / :owned),
    'tenant', 'tenant-' || ({t} % 50), 'title', 'Conversation number ' || {t})"""
_FILL = (
    "INSERT INTO outputs (output_id, body) SELECT n, CAST(:output AS BLOB) FROM series",
    f"""
    INSERT INTO threads (thread_id, created_at, updated_at, state_updated_at, status, resting, settled, event_seq,
        output_id, metadata)
    SELECT thread_id(n - 1), {_AT}, last, last, status, status, 1, 3 * :runs / :threads, at,
        {_METADATA.format(t="(n - 1)")}
    FROM (SELECT n, :runs - n + 1 AS at, :start + (:runs - n + 1) * :step AS last,
        CASE n * 31 % 50 WHEN 0 THEN 'error' WHEN 1 THEN 'interrupted' ELSE 'idle' END AS status FROM series)
    """,
    f"""
    INSERT INTO runs (position, run_id, thread_id, assistant_id, graph_id, status, multitask_strategy, created_at,
        updated_at, started_at, finished_at, available_at, attempt, event_seq, output_id, metadata)
    SELECT n, run_id(n), thread_id({_THREAD}), :assistant, 'chain',
        CASE n * 17 % 100 WHEN 0 THEN 'error' WHEN 1 THEN 'interrupted' WHEN 2 THEN 'timeout' ELSE 'success' END,
        'enqueue', {_AT}, {_AT} + 4000000, {_AT} + 1000, {_AT} + 4000000, {_AT}, 1, 3, n, {_METADATA.format(t=_THREAD)}
    FROM series
    """,
    "INSERT INTO run_requests (run_id, kwargs) SELECT run_id(n), CAST(:kwargs AS BLOB) FROM series",
    f"""
    INSERT INTO event_chunks (run_id, first_seq, last_seq, thread_id, thread_seq, attempt, events)
    SELECT run_id(n), 1, 3, thread_id({_THREAD}), 3 * ((n - 1) / :threads + 1), 1, zeroblob(400) FROM series
    """,
)
_KWARGS: dict[str, Any] = {
    "input": {"messages": [{"role": "user", "content": "Why is the sky blue, and why is it red in the evening?"}]},
    "config": {"configurable": {"langgraph_auth_user_id": "", "__after_seconds__": 0}, "metadata": {"source": "app"}},
    "context": {"model": "small", "language": "en"},
    "stream_mode": ["values", "messages-tuple"],
    "temporary": False,
}
_OUTPUT = {"messages": [{"type": "ai", "content": "Air scatters blue light more than red light. " * 12}]}


def seed(data: Path, threads: int, runs: int) -> None:
    """Create a data directory with a database of that size, which holds ended runs with their events and outputs."""
    data.mkdir(parents=True, exist_ok=True)
    file = data / "treadle.sqlite3"
    SqliteEngine(file, clock=SystemClock()).close()
    values = {
        "threads": threads,
        "runs": runs,
        "owned": _OWNED,
        "start": _START,
        "step": _STEP,
        "assistant": _ASSISTANT,
        "kwargs": json.dumps(_KWARGS),
        "output": json.dumps(_OUTPUT),
    }
    with closing(sqlite3.connect(file, isolation_level=None)) as conn:
        conn.execute("PRAGMA journal_mode = OFF")
        conn.execute("PRAGMA synchronous = OFF")
        conn.execute("PRAGMA cache_size = -1000000")
        conn.create_function("thread_id", 1, thread_id, deterministic=True)
        conn.create_function("run_id", 1, run_id, deterministic=True)
        conn.execute("BEGIN")
        with _indexed_afterwards(conn, ("runs", "event_chunks", "threads")):
            for statement in _FILL:
                count = threads if "INTO threads" in statement else runs
                conn.execute(statement.replace("SELECT", f"{_SERIES} SELECT", 1), {**values, "count": count})
        conn.execute("COMMIT")


def thread_id(number: int) -> str:
    """Return the id of a thread in a seeded file, numbered from 0. Ids increase with the number."""
    return f"{(_START + number) // 65_536_000:08x}-0000-7000-8000-{number:012x}"


def run_id(number: int) -> str:
    """Return the id of a run in a seeded file, numbered from 1."""
    ms = (_START + number * _STEP) // 1000
    return f"{ms >> 16:08x}-{ms & 0xFFFF:04x}-7000-9000-{number:012x}"


@contextmanager
def _indexed_afterwards(conn: sqlite3.Connection, tables: Sequence[str]) -> Generator[None]:
    """Drop the indexes of the tables, and create them again afterwards: sorting once is faster than inserting."""
    marks = ", ".join("?" * len(tables))
    indexes = conn.execute(
        f"SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ({marks})",
        tables,
    ).fetchall()
    for name, _ in indexes:
        conn.execute(f"DROP INDEX {name}")
    yield
    for _, sql in indexes:
        conn.execute(sql)


# --- measuring --------------------------------------------------------------------------------------------------------

Request = tuple[str, Any]
"""A path with the body of a POST, or with None for a GET."""

_SORTS = ("updated_at", "state_updated_at", "status", "thread_id")
_BY_CHANGE = {"sort_by": "updated_at"}
_GRAPH = {"graph_id": "chain"}
_RUN = {"assistant_id": "chain", "input": {"n": []}}


def requests(thread: int, threads: int) -> dict[str, Request]:
    """Return every measured request by name, for one of the threads where it concerns one."""
    path = f"/threads/{thread_id(thread)}"
    ids = [thread_id((thread + n) % threads) for n in range(10)]
    return {
        "runs of a thread": (f"{path}/runs", None),
        "runs that failed": (f"{path}/runs?status=error", None),
        "thread": (path, None),
        **{name: ("/threads/search", query) for name, query in _searches(thread).items()},
        "ten threads by id": ("/threads/search", {"ids": ids}),
        "threads, middle page": ("/threads/search", {"offset": threads // 2}),
        "threads, last page": ("/threads/search", {"offset": threads - 10}),
        "threads by change, last page": ("/threads/search", {"offset": threads - 10, **_BY_CHANGE}),
        "count of threads": ("/threads/count", {}),
        "count of idle threads": ("/threads/count", {"status": "idle"}),
        "count of an owner's": ("/threads/count", {"metadata": _owner(thread)}),
        "count of a graph's": ("/threads/count", {"metadata": _GRAPH}),
        "runs": ("/runs/search", {}),
        "runs that failed of all threads": ("/runs/search", {"status": "error"}),
        "running runs": ("/runs/search", {"status": ["pending", "running"]}),
        "runs of an assistant": ("/runs/search", {"assistant_id": _ASSISTANT}),
        "figures": ("/metrics", None),
        "run on a thread": (f"{path}/runs/wait", _RUN),
        "stateless run": ("/runs/wait", _RUN),
    }


def _searches(thread: int) -> dict[str, dict[str, Any]]:
    """Return the searches for threads that have a filter or an order."""
    filters: dict[str, dict[str, Any]] = {
        **{f"{status} threads": {"status": status} for status in ("idle", "interrupted", "busy")},
        "threads of an owner": {"metadata": _owner(thread)},
        "threads of a graph": {"metadata": _GRAPH},
        "threads of a tenant": {"metadata": {**_GRAPH, "tenant": f"tenant-{thread % 50}"}},
    }
    return {
        "threads": {},
        "threads, 100 of them": {"limit": 100},
        **{f"threads by {column}": {"sort_by": column} for column in _SORTS},
        **filters,
        **{f"{name} by change": {**query, **_BY_CHANGE} for name, query in filters.items()},
        "threads of nobody": {"metadata": {"owner": "nobody"}},
        "idle threads of a graph": {"metadata": _GRAPH, "status": "idle"},
    }


def _owner(thread: int) -> dict[str, str]:
    return {"owner": f"user-{thread // _OWNED}"}


ROWS = {"list_runs": "runs of a thread", "search_threads": "threads"}
"""The figures that have a row in the table of all benchmarks, and the names of their requests."""


def figures(directory: Path) -> Iterator[tuple[str, float]]:
    """Measure both databases, once. Yield milliseconds on the large one, and the ratios to those on the small one."""
    small, large = both(directory)
    for row, name in ROWS.items():
        yield from ((f"treadle.{row}", large[name]), (f"treadle.{row}_slowdown", large[name] / small[name]))
    for name in large:
        yield from ((f"lists.{name}", large[name]), (f"lists.{name}, slowdown", large[name] / small[name]))


def both(directory: Path) -> Iterator[dict[str, float]]:
    """Measure the small database and the large one. Creating the large one takes a minute."""
    return (measure(directory / str(runs), threads, runs) for threads, runs in SIZES)


def measure(directory: Path, threads: int, runs: int) -> dict[str, float]:
    """Return medians in milliseconds by name, of a server on a database of that size in ``directory``."""
    data = directory / "data"
    if not data.exists():
        seed(data, threads, runs)
    _read_into_cache(data)
    with start_server(directory) as server:
        return {"start-up": server.started_seconds * 1e3, **dict(_medians(server, threads))}


def _read_into_cache(data: Path) -> None:
    """Read all files once, so that they are in the page cache and no figure depends on the disk."""
    for file in data.iterdir():
        with file.open("rb") as content:
            while content.read(1 << 24):
                pass


def _medians(server: MeasuredServer, threads: int) -> Iterator[tuple[str, float]]:
    """Yield the median of each request; the first quarter of its times warms up."""
    url = urlsplit(server.url)
    connection = HTTPConnection(url.hostname or "", url.port, timeout=300)
    for name in requests(0, threads):
        chance = random.Random(name)
        times: list[float] = []
        end = time.perf_counter() + SECONDS
        while len(times) < 2 or (len(times) < REQUESTS and time.perf_counter() < end):
            times.append(_time(connection, requests(chance.randrange(threads), threads)[name]))
        yield name, median(times[len(times) // 4 :])


def _time(connection: HTTPConnection, request: Request) -> float:
    """Send a request and return its milliseconds. Raise BadResponse for any status but 200."""
    path, body = request
    begin = time.perf_counter()
    content = None if body is None else json.dumps(body).encode()
    connection.request("GET" if body is None else "POST", path, content, {"content-type": "application/json"})
    response = connection.getresponse()
    received = response.read()
    if response.status != 200:
        raise BadResponse(f"{path} {body!r}: {response.status} {received[:500]!r}")
    return (time.perf_counter() - begin) * 1e3


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lists", description=__doc__)
    parser.add_argument("--directory", type=Path, help="keep the database files here, for the next time")
    options = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RESULTS, prefix="lists-") as scratch:
        small, large = both(options.directory or Path(scratch))
    print(f"{'ms':32}{'small':>10}{'large':>10}{'ratio':>8}")
    for name in small:
        print(f"{name:32}{small[name]:10.2f}{large[name]:10.2f}{large[name] / small[name]:8.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
