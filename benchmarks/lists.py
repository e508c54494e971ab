"""How much slower lists are when the database is large: ``python -m benchmarks.lists`` prints both sizes and ratios.

A file is filled with SQL, in the schema as treadle makes it, and served by ``treadle serve``. Every figure is the
median over single requests, one after another, on one connection.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from benchmarks.server import Serving, serving
from treadle.backends.clock import SystemClock
from treadle.backends.engine.sqlite import SqliteEngine

SIZES = ((100, 1_000), (100_000, 1_000_000))
"""Threads and runs: the size that is compared with, and the one that is measured."""
REQUESTS = 60
SECONDS = 2.0
"""A median is of so many requests, or of what is done in that time; a tenth of it warms up."""
_OWNED = 10  # threads of one owner
_STEP = 40_000_000  # microseconds between two runs: a million are of 463 days
_START = 1_700_000_000_000_000
_ASSISTANT = "a0000000-0000-5000-8000-000000000000"
_ROOT = Path(__file__).parent / "results"


# --- filling a file ---------------------------------------------------------------------------------------------------

_SERIES = "WITH RECURSIVE series (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series LIMIT :count)"
# Consecutive runs are of different threads, so the runs of a thread lie as far apart as they can.
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
    "command": None,
    "config": {"configurable": {"langgraph_auth_user_id": "", "__after_seconds__": 0}, "metadata": {"source": "app"}},
    "context": {"model": "small", "language": "en"},
    "stream_mode": ["values", "messages-tuple"],
    "interrupt_before": None,
    "interrupt_after": None,
    "webhook": None,
    "feedback_keys": None,
    "temporary": False,
    "subgraphs": False,
    "resumable": False,
    "checkpoint_during": True,
    "durability": "async",
}
_OUTPUT = {"messages": [{"type": "ai", "content": "Air scatters blue light more than red light. " * 12}]}


def seed(data: Path, threads: int, runs: int) -> None:
    """A data directory with a database of that size: runs that have ended, and what they left."""
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
    """Of the threads in a seeded file, from 0; the ids of later ones are greater."""
    return f"{(_START + number) // 65_536_000:08x}-0000-7000-8000-{number:012x}"


def run_id(number: int) -> str:
    """From 1."""
    ms = (_START + number * _STEP) // 1000
    return f"{ms >> 16:08x}-{ms & 0xFFFF:04x}-7000-9000-{number:012x}"


@contextmanager
def _indexed_afterwards(conn: sqlite3.Connection, tables: Sequence[str]) -> Generator[None]:
    """Sorting a million rows once is quicker than finding the place of each."""
    marks = ", ".join("?" * len(tables))
    found = conn.execute(
        f"SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ({marks})",
        tables,
    ).fetchall()
    for name, _ in found:
        conn.execute(f"DROP INDEX {name}")
    yield
    for _, sql in found:
        conn.execute(sql)


# --- measuring --------------------------------------------------------------------------------------------------------


class Api:
    """One keep-alive connection. Raises Unexpected for any answer but 200."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = HTTPConnection(parts.hostname or "", parts.port, timeout=300)

    def get(self, path: str) -> bytes:
        return self._call("GET", path, None)

    def post(self, path: str, body: Any) -> bytes:
        return self._call("POST", path, json.dumps(body).encode())

    def serves(self, path: str) -> bool:
        """Whether there is such a route for POST."""
        self._connection.request("POST", path, b"{}", {"content-type": "application/json"})
        answer = self._connection.getresponse()
        answer.read()
        return answer.status not in (404, 405)

    def _call(self, method: str, path: str, body: bytes | None) -> bytes:
        self._connection.request(method, path, body, {"content-type": "application/json"})
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise Unexpected(f"{method} {path} {body!r}: {answer.status} {content[:500]!r}")
        return content


class Unexpected(Exception):
    """The server answered with something else than a list."""


class Call(NamedTuple):
    """A request that is measured; ``of`` makes it for a thread that was picked by chance."""

    name: str
    of: Callable[[Api, int], bytes]


def _search(name: str, body: Callable[[int], dict[str, Any]]) -> Call:
    return Call(name, lambda api, thread: api.post("/threads/search", body(thread)))


def _calls(api: Api, threads: int) -> Iterator[Call]:
    def owner(thread: int) -> dict[str, Any]:
        return {"owner": f"user-{thread // _OWNED}"}

    def tenant(thread: int) -> dict[str, Any]:
        return {"tenant": f"tenant-{thread % 50}"}

    yield Call("runs of a thread", lambda api, thread: api.get(f"/threads/{thread_id(thread)}/runs"))
    yield Call("runs that failed", lambda api, thread: api.get(f"/threads/{thread_id(thread)}/runs?status=error"))
    yield Call("thread", lambda api, thread: api.get(f"/threads/{thread_id(thread)}"))
    yield _search("threads", lambda _: {})
    yield _search("threads, 100 of them", lambda _: {"limit": 100})
    yield from (_search(f"threads by {column}", lambda _, column=column: {"sort_by": column}) for column in _SORTS)
    for status in ("idle", "interrupted", "busy"):
        yield _search(f"{status} threads", lambda _, status=status: {"status": status})
        yield _search(f"{status} threads by change", lambda _, status=status: {"status": status, **_BY_CHANGE})
    yield _search("threads of an owner", lambda thread: {"metadata": owner(thread)})
    yield _search("threads of an owner by change", lambda thread: {"metadata": owner(thread), **_BY_CHANGE})
    yield _search("threads of nobody", lambda _: {"metadata": {"owner": "nobody"}})
    yield _search("threads of a graph", lambda _: {"metadata": _GRAPH})
    yield _search("threads of a graph by change", lambda _: {"metadata": _GRAPH, **_BY_CHANGE})
    yield _search("idle threads of a graph", lambda _: {"metadata": _GRAPH, "status": "idle"})
    yield _search("threads of a tenant", lambda thread: {"metadata": _GRAPH | tenant(thread)})
    yield _search("threads of a tenant by change", lambda thread: {"metadata": _GRAPH | tenant(thread), **_BY_CHANGE})
    yield _search("ten threads by id", lambda thread: {"ids": [thread_id((thread + n) % threads) for n in range(10)]})
    yield _search("threads, middle page", lambda _: {"offset": threads // 2})
    yield _search("threads, last page", lambda _: {"offset": threads - 10})
    yield _search("threads by change, last page", lambda _: {"offset": threads - 10, **_BY_CHANGE})
    yield Call("count of threads", lambda api, _: api.post("/threads/count", {}))
    yield Call("count of idle threads", lambda api, _: api.post("/threads/count", {"status": "idle"}))
    yield Call("count of an owner's", lambda api, thread: api.post("/threads/count", {"metadata": owner(thread)}))
    yield Call("count of a graph's", lambda api, _: api.post("/threads/count", {"metadata": _GRAPH}))
    if api.serves("/runs/search"):
        yield Call("runs", lambda api, _: api.post("/runs/search", {}))
        yield Call("runs that failed of all threads", lambda api, _: api.post("/runs/search", {"status": "error"}))
        yield Call("running runs", lambda api, _: api.post("/runs/search", {"status": ["pending", "running"]}))
        yield Call("runs of an assistant", lambda api, _: api.post("/runs/search", {"assistant_id": _ASSISTANT}))
    yield Call("figures", lambda api, _: api.get("/metrics"))
    yield Call("run on a thread", lambda api, thread: api.post(f"/threads/{thread_id(thread)}/runs/wait", _RUN))
    yield Call("stateless run", lambda api, _: api.post("/runs/wait", _RUN))


_SORTS = ("updated_at", "state_updated_at", "status", "thread_id")
_BY_CHANGE = {"sort_by": "updated_at"}
_GRAPH = {"graph_id": "chain"}
_RUN = {"assistant_id": "chain", "input": {"n": []}}


def measure(directory: Path, threads: int, runs: int) -> dict[str, float]:
    """Medians in milliseconds by name, with a server over a database of that size below ``directory``."""
    data = directory / "data"
    if not data.exists():
        seed(data, threads, runs)
    _warm(data)
    with serving(directory) as server:
        return {"start-up": server.started_seconds * 1e3, **dict(_figures(server, threads))}


def _warm(data: Path) -> None:
    """Has the system keep the file in memory, so that no figure is that of the disk."""
    for file in data.iterdir():
        with file.open("rb") as content:
            while content.read(1 << 24):
                pass


def _figures(server: Serving, threads: int) -> Iterator[tuple[str, float]]:
    api = Api(server.url)
    for call in _calls(api, threads):
        chance = random.Random(call.name)
        _timed(call, api, chance, threads, REQUESTS // 3, SECONDS / 10)
        yield call.name, median(_timed(call, api, chance, threads, REQUESTS, SECONDS))


def _timed(call: Call, api: Api, chance: random.Random, threads: int, requests: int, seconds: float) -> list[float]:
    """Milliseconds of each request."""
    took: list[float] = []
    end = time.perf_counter() + seconds
    while not took or (len(took) < requests and time.perf_counter() < end):
        begin = time.perf_counter()
        call.of(api, chance.randrange(threads))
        took.append((time.perf_counter() - begin) * 1e3)
    return took


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lists", description=__doc__)
    parser.add_argument("--directory", type=Path, help="keeps the seeded files here, for the next time")
    given = parser.parse_args()
    _ROOT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_ROOT, prefix="lists-") as scratch:
        directory = given.directory or Path(scratch)
        small, large = (measure(directory / str(runs), threads, runs) for threads, runs in SIZES)
    print(table(small, large))
    return 0


def table(small: Mapping[str, float], large: Mapping[str, float]) -> str:
    """One line for each figure: at both sizes, and how many times more the large one takes."""
    lines = [f"{'ms':32}{'small':>10}{'large':>10}{'times':>8}"]
    lines += [f"{name:32}{small[name]:10.2f}{large[name]:10.2f}{large[name] / small[name]:8.2f}" for name in small]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
