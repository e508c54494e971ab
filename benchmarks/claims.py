"""What claims cost PostgreSQL: through treadle's own queue, by how many runs wait and how many processes claim."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import LiteralString

import psycopg

from treadle.backends import open_backend
from treadle.backends.engine.postgres_schema import migrate
from treadle.ports.backend import Backend

SCHEMA: LiteralString = "treadle_costs_claims"
DEPTHS = (1_000, 10_000, 100_000)
BATCH = 16
CLAIMS = 200

Cpu = Callable[[], float]


def waiting(url: str, cpu_seconds: Cpu) -> Iterator[dict[str, float]]:
    """Claims of batches while so many runs could start."""
    for depth in DEPTHS:
        for claimers in (1, 8):
            yield asyncio.run(_measured(url, cpu_seconds, depth=depth, claimers=claimers))


def blocked(url: str, cpu_seconds: Cpu) -> Iterator[dict[str, float]]:
    """Claims that find nothing, while so many runs wait for others of their threads."""
    for depth in (0, 1_000, 10_000):
        found = asyncio.run(_measured(url, cpu_seconds, depth=depth, claimers=1, blocked_by="thread"))
        assert found["claimed"] == 0
        yield {"depth": depth, "cpu_us": found["cpu_us_per_claim"], "ms": found["ms_per_claim"]}


async def _measured(
    url: str, cpu_seconds: Cpu, *, depth: int, claimers: int, blocked_by: str | None = None
) -> dict[str, float]:
    there = f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3D{SCHEMA}"
    each = max(1, (CLAIMS if blocked_by else min(CLAIMS, depth // BATCH // 2)) // claimers)
    with ExitStack() as stack:
        stack.callback(_drop, url)
        _fill(url, there, depth, blocked_by)
        backends = [_opened(there, stack) for _ in range(claimers)]
        for backend in backends:
            await backend.queue.renew("w", 600)
        cpu, start = cpu_seconds(), time.perf_counter()
        taken = await asyncio.gather(*(_claim(backend, each) for backend in backends))
        spent, used = time.perf_counter() - start, cpu_seconds() - cpu
    claims = each * claimers
    return {
        "depth": depth,
        "claimers": claimers,
        "claimed": sum(taken),
        "cpu_us_per_run": round(used / max(1, sum(taken)) * 1e6, 1),
        "cpu_us_per_claim": round(used / claims * 1e6, 1),
        "ms_per_claim": round(spent / each * 1e3, 2),
    }


async def _claim(backend: Backend, times: int) -> int:
    return sum([len((await backend.queue.claim("w", BATCH)).claims) for _ in range(times)])


def _opened(url: str, stack: ExitStack) -> Backend:
    backend = open_backend(data=Path(), database_url=url, redis_url="", clock=None, index=None, ttl=None, serves=False)
    stack.callback(backend.close)
    return backend


def _drop(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")


def _fill(url: str, there: str, depth: int, blocked_by: str | None) -> None:
    """Runs on threads of their own."""
    _drop(url)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(f"CREATE SCHEMA {SCHEMA}")
    migrate(there)
    with psycopg.connect(there, autocommit=True) as conn:
        conn.execute(
            "INSERT INTO threads (thread_id, created_at, updated_at, state_updated_at, status, metadata)"
            " SELECT 't' || n, n, n, n, 'busy', '{}' FROM generate_series(1, %s) n",
            (depth,),
        )
        conn.execute(
            "INSERT INTO runs (run_id, thread_id, assistant_id, graph_id, multitask_strategy, created_at, updated_at,"
            " available_at, metadata, blocked_by) SELECT 'r' || n, 't' || n, 'a', 'g', 'reject', n, n, n, '{}', %s"
            " FROM generate_series(1, %s) n",
            (blocked_by, depth),
        )
        conn.execute("INSERT INTO run_requests (run_id, kwargs) SELECT run_id, '{}' FROM runs")
        conn.execute("VACUUM (ANALYZE) runs, threads, run_requests")
