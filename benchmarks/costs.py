"""What single operations cost PostgreSQL and Redis: processor time of the server, bytes of WAL, time of one caller.

Processor time is read from /proc, so the servers run on this machine; what else they do meanwhile is counted too. The
statements are those of ``treadle.backends`` as PostgreSQL gets them, on tables of their own (costs.sql).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import platform
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, LiteralString

import psycopg
import redis
import redis.asyncio

from benchmarks import claims, statements
from benchmarks.statements import NOW as _NOW
from benchmarks.statements import Connection

Operation = Callable[[Connection, int], None]

SCHEMA: LiteralString = "treadle_costs"
LISTENERS = (0, 10, 50, 100)
SUBSCRIBERS = (0, 10, 50, 100)
SECONDS = 1.5
_TICK = 1.0 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """Of one operation."""

    cpu_us: float
    wal_bytes: float
    ms: float


class Postgres:
    """The server behind ``url``, seen from outside too."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connection = self.connect()
        backend = self.connection.info.backend_pid
        self.postmaster = int(Path(f"/proc/{backend}/stat").read_text().rpartition(")")[2].split()[1])

    def connect(self) -> Connection:
        connection: Connection = psycopg.connect(self.url, autocommit=True, prepare_threshold=1)
        connection.execute(f"SET search_path TO {SCHEMA}, public")
        return connection

    def cpu_seconds(self) -> float:
        """Of all its processes since their start, those that have ended included."""
        found = [_process(stat) for stat in Path("/proc").glob("[0-9]*/stat")]
        own = [times for pid, parent, times in found if self.postmaster in (pid, parent)]
        ended = next(times[1] for pid, _, times in found if pid == self.postmaster)
        return sum(times[0] for times in own) + ended

    def wal(self) -> int:
        row = self.connection.execute("SELECT pg_current_wal_insert_lsn() - '0/0'").fetchone()
        return int(row[0]) if row else 0

    def setting(self, name: LiteralString) -> str:
        row = self.connection.execute(f"SHOW {name}").fetchone()
        return str(row[0]) if row else ""


def _process(stat: Path) -> tuple[int, int, tuple[float, float]]:
    """``(pid, parent, (its processor seconds, those of its children that ended))``."""
    with contextlib.suppress(OSError):
        fields = stat.read_text().rpartition(")")[2].split()
        user, system, children_user, children_system = (int(field) * _TICK for field in fields[11:15])
        return int(stat.parent.name), int(fields[1]), (user + system, children_user + children_system)
    return 0, 0, (0.0, 0.0)


def measure(url: str, redis_url: str | None) -> dict[str, Any]:
    """Every cost, and on what it was measured. Leaves nothing behind."""
    server = Postgres(url)
    try:
        _make_tables(server)
        costs: dict[str, Any] = {
            "machine": _machine(server),
            "operations": {name: asdict(cost) for name, cost in _operations(server)},
            "claim": list(claims.waiting(url, server.cpu_seconds)),
            "blocked": list(claims.blocked(url, server.cpu_seconds)),
            "flush_ms": _flush(server),
            "together": list(_together(server)),
            "notify": list(_notify(server)),
            "connection_kib": _connection_memory(server),
        }
    finally:
        server.connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        server.connection.close()
    if redis_url:
        costs |= {"publish": list(_publish(redis_url)), "receive_us": asyncio.run(_receive(redis_url))}
    return costs


def medians(rounds: Sequence[Any]) -> Any:
    """The same figures, each the median of the rounds."""
    first = rounds[0]
    if isinstance(first, dict):
        return {key: medians([each[key] for each in rounds]) for key in first}
    if isinstance(first, list):
        return [medians(list(each)) for each in zip(*rounds, strict=True)]
    return median(rounds) if isinstance(first, float | int) else first


def _make_tables(server: Postgres) -> None:
    server.connection.execute(Path(__file__).with_name("costs.sql").read_bytes())


def _machine(server: Postgres) -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
    settings = ("server_version", "shared_buffers", "synchronous_commit", "fsync", "max_connections")
    return {"processor": model, "cores": os.cpu_count(), **{name: server.setting(name) for name in settings}}


def timed(server: Postgres, operation: Operation, *, seconds: float = SECONDS) -> Cost:
    """The mean of one operation over ``seconds``, one after another on one connection."""
    for number in range(10):
        operation(server.connection, -1 - number)
    cpu, wal, start = server.cpu_seconds(), server.wal(), time.perf_counter()
    count = 0
    while (spent := time.perf_counter() - start) < seconds:
        operation(server.connection, count)
        count += 1
    return Cost(
        round((server.cpu_seconds() - cpu) / count * 1e6, 1),
        round((server.wal() - wal) / count),
        round(spent / count * 1e3, 3),
    )


# --- operations, each one transaction ---------------------------------------------------------------------------------


def _operations(server: Postgres) -> Iterator[tuple[str, Cost]]:
    yield "empty", timed(server, statements.empty)
    yield "insert_run", timed(server, statements.insert_run)
    held = _running(server.connection, 4)
    numbers = itertools.count(1)
    yield "append_1", timed(server, lambda conn, _: statements.append(conn, held[0], next(numbers), 1, 220))
    newest = next(numbers) - 1
    yield "read_1", timed(server, lambda conn, _: statements.read(conn, held[0], newest))
    yield "append_64", timed(server, lambda conn, _: statements.append(conn, held[1], next(numbers), 64, 220 * 64))
    yield "checkpoint", timed(server, lambda conn, _: statements.checkpoint(conn, held[2]))
    yield "renew", timed(server, statements.renew)
    waiting = iter(_running(server.connection, 20_000))
    yield "finish", timed(server, lambda conn, _: statements.finish(conn, next(waiting)))


def _fill(conn: Connection, count: int, *, status: LiteralString = "pending") -> None:
    """``count`` runs, each on a thread of its own, and nothing else."""
    conn.execute("TRUNCATE threads, runs, run_requests, event_chunks, outputs, checkpoints, checkpoint_writes")
    conn.execute(
        "INSERT INTO threads (thread_id, created_at, updated_at, state_updated_at, status)"
        " SELECT 't' || n, %s, %s, %s, 'busy' FROM generate_series(1, %s) n",
        (_NOW, _NOW, _NOW, count),
    )
    worker = "'w'" if status == "running" else "NULL"
    chosen = f"'{status}', 1, {worker}"
    conn.execute(
        "INSERT INTO runs (run_id, thread_id, assistant_id, graph_id, status, attempt, worker_id, multitask_strategy,"
        f" created_at, updated_at, available_at, metadata) SELECT 'r' || n, 't' || n, 'a', 'g', {chosen},"
        " 'reject', %s, %s, %s + n - 1000000, repeat('m', 200) FROM generate_series(1, %s) n",
        (_NOW, _NOW, _NOW, count),
    )
    conn.execute("INSERT INTO run_requests SELECT run_id, '\\x00' FROM runs")
    conn.execute("VACUUM (ANALYZE) runs, threads, run_requests")


def _running(conn: Connection, count: int) -> list[tuple[str, str]]:
    _fill(conn, count, status="running")
    return [(f"r{number}", f"t{number}") for number in range(1, count + 1)]


# --- commits, hints, connections --------------------------------------------------------------------------------------


def _flush(server: Postgres) -> float:
    """How much longer a commit takes because it is on disk."""
    durable = timed(server, statements.empty).ms
    server.connection.execute("SET synchronous_commit TO off")
    quick = timed(server, statements.empty).ms
    server.connection.execute("SET synchronous_commit TO on")
    return round(max(0.0, durable - quick), 3)


def _together(server: Postgres) -> Iterator[dict[str, float]]:
    """Commits per second of so many connections that each append one event at a time."""
    for writers in (1, 4, 16):
        yield {"writers": writers, "commits_per_second": round(_commits_of(server, writers) / SECONDS)}


def _commits_of(server: Postgres, writers: int) -> int:
    runs = _running(server.connection, writers)
    counts = [0] * writers
    _in_threads([lambda n=n: _append_for(server, runs[n], counts, n) for n in range(writers)])
    return sum(counts)


def _append_for(server: Postgres, run: tuple[str, str], counts: list[int], index: int) -> None:
    with contextlib.closing(server.connect()) as conn:
        start = time.perf_counter()
        while time.perf_counter() - start < SECONDS:
            counts[index] += 1
            statements.append(conn, run, counts[index], 1, 220)


def _in_threads(jobs: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _notify(server: Postgres) -> Iterator[dict[str, float]]:
    """One NOTIFY in a transaction of its own, by how many sessions listen: on any channel, for all are woken."""
    listeners: list[Connection] = []
    for count in LISTENERS:
        while len(listeners) < count:
            conn = server.connect()
            conn.execute("LISTEN treadle_other")
            listeners.append(conn)
        cost = timed(server, lambda conn, n: _notify_once(conn, n), seconds=1.0)
        yield {"listeners": count, "notifiers": 1, "cpu_us": cost.cpu_us, "ms": cost.ms}
    yield {"listeners": len(listeners), "notifiers": 8, **_notify_together(server, 8)}
    for conn in listeners:
        conn.close()


def _notify_together(server: Postgres, notifiers: int) -> dict[str, float]:
    """So many sessions notify as fast as they can: a listener that is behind takes several at a time."""
    counts = [0] * notifiers

    def work(index: int) -> None:
        with contextlib.closing(server.connect()) as conn:
            start = time.perf_counter()
            while time.perf_counter() - start < SECONDS:
                _notify_once(conn, counts[index])
                counts[index] += 1

    cpu = server.cpu_seconds()
    _in_threads([lambda n=n: work(n) for n in range(notifiers)])
    total = sum(counts)
    used = server.cpu_seconds() - cpu
    return {"cpu_us": round(used / total * 1e6, 1), "ms": round(SECONDS * notifiers / total * 1e3, 3)}


def _notify_once(conn: Connection, number: int) -> None:
    conn.execute("SELECT pg_notify('treadle', %s)", (f"{uuid.UUID(int=abs(number))}:{number}",))


def _connection_memory(server: Postgres) -> dict[str, float]:
    """Memory that is a session's own: just opened, and after it has done each operation a few times."""
    with contextlib.closing(server.connect()) as conn:
        fresh = _own_kib(conn.info.backend_pid)
        runs = _running(server.connection, 200)
        for number, run in enumerate(runs[:100]):
            statements.insert_run(conn, number)
            statements.append(conn, run, number + 1, 1, 220)
            statements.checkpoint(conn, run)
            statements.finish(conn, run)
        return {"fresh": fresh, "used": _own_kib(conn.info.backend_pid)}


def _own_kib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith(("Private_Clean", "Private_Dirty")))


# --- Redis ------------------------------------------------------------------------------------------------------------


def _publish(url: str) -> Iterator[dict[str, float]]:
    """One PUBLISH of 500 bytes, by how many processes subscribe to the channel."""
    client: Any = redis.Redis.from_url(url)
    stop = threading.Event()
    channel = f"treadle-costs-{uuid.uuid4()}"
    readers: list[threading.Thread] = []
    for count in SUBSCRIBERS:
        new = [threading.Thread(target=_drain, args=(url, channel, stop)) for _ in range(count - len(readers))]
        for thread in new:
            thread.start()
        readers += new
        while client.pubsub_numsub(channel)[0][1] < count:
            time.sleep(0.01)
        yield {"subscribers": count, "cpu_us": round(_publish_cost(client, channel, 5_000), 1)}
    stop.set()
    for thread in readers:
        thread.join()
    client.close()


def _publish_cost(client: Any, channel: str, count: int) -> float:
    """In pipelines of 50, as a process that publishes what it has just committed."""
    payload, before = os.urandom(500), _redis_cpu(client)
    for _ in range(count // 50):
        pipeline = client.pipeline(transaction=False)
        for _ in range(50):
            pipeline.publish(channel, payload)
        pipeline.execute()
    return (_redis_cpu(client) - before) / count * 1e6


def _redis_cpu(client: Any) -> float:
    info = client.info("cpu")
    return float(info["used_cpu_sys"]) + float(info["used_cpu_user"])


def _drain(url: str, channel: str, stop: threading.Event) -> None:
    client: Any = redis.Redis.from_url(url)
    with client.pubsub() as pubsub:
        pubsub.subscribe(channel)
        while not stop.is_set():
            pubsub.get_message(timeout=0.2)
    client.close()


async def _receive(url: str, count: int = 20_000) -> float:
    """Processor time of a subscriber for one message of 500 bytes, before it looks at what is in it."""
    client: Any = redis.asyncio.Redis.from_url(url)
    channel = f"treadle-costs-{uuid.uuid4()}"
    async with client.pubsub() as pubsub:
        await pubsub.subscribe(channel)
        while await pubsub.get_message(timeout=0.1) is None:
            pass
        used = 0.0
        for _ in range(count // 500):
            pipeline = client.pipeline(transaction=False)
            for _ in range(500):
                pipeline.publish(channel, b"e" * 500)
            await pipeline.execute()
            before = time.process_time()
            for _ in range(500):
                await pubsub.get_message(timeout=1.0)
            used += time.process_time() - before
    await client.aclose()
    return round(used / count * 1e6, 1)
