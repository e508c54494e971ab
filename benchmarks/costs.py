"""Measure the cost of the operations that limit a cluster: ``python -m benchmarks.costs`` prints the table of scale.md.

Runs treadle's own backend on a private PostgreSQL and Redis. CPU time is that of the server, not of the client.
"""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import empty_checkpoint
from redis.asyncio import Redis

from support.services import PostgresServer, RedisServer
from treadle.backends import open_backend
from treadle.backends.engine.postgres_schema import migrate
from treadle.bench.process import cpu_seconds
from treadle.model import Event
from treadle.ports.backend import Backend
from treadle.ports.queue import Lease, Outcome
from treadle.ports.records import NewRun

REPEATS = 500
BATCH = 16
WAITING = (1_000, 10_000)
LISTENERS = (0, 10, 50, 100)
SUBSCRIBERS = (1, 10, 50)
MESSAGES = 500


class Meter:
    """Measures operations on one PostgreSQL server."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._connection = server.connect()

    async def __call__(
        self, name: str, operation: Callable[[], Awaitable[object]], *, repeats: int = REPEATS, each: int = 1
    ) -> None:
        """Run the operation ``repeats`` times in a row, and print its mean cost. One call is ``each`` operations."""
        cpu, wal, begin = cpu_seconds(self._server.pid) or 0.0, self._wal(), time.perf_counter()
        for _ in range(repeats):
            await operation()
        seconds, used = time.perf_counter() - begin, (cpu_seconds(self._server.pid) or 0.0) - cpu
        count = repeats * each
        written = (self._wal() - wal) / count
        print(f"| {name} | {used / count * 1e6:,.0f} | {written:,.0f} | {seconds / count * 1e3:.2f} |", flush=True)

    def _wal(self) -> int:
        row = self._connection.execute("SELECT pg_current_wal_insert_lsn() - '0/0'").fetchone()
        return int(row[0]) if row else 0


_RUN: Any = {
    "assistant_id": "a",
    "graph_id": "g",
    "multitask_strategy": "enqueue",
    "temporary": False,
    "metadata": {},
    "kwargs": {"config": {}, "padding": "k" * 800},
}


async def create_runs(backend: Backend, count: int = 1, thread_id: str | None = None) -> None:
    """Insert pending runs in one transaction, all on one new thread if it is named, else each on its own."""
    thread_ids = [thread_id or str(uuid.uuid4()) for _ in range(count)]

    def insert(tx: Any) -> None:
        for each in dict.fromkeys(thread_ids):
            tx.insert_thread(each, metadata={})
        for each in thread_ids:
            tx.insert_run(NewRun(run_id=str(uuid.uuid4()), thread_id=each, available_at=tx.now, **_RUN))

    await backend.records.transact(insert)


async def measure_runs(backend: Backend, meter: Meter) -> None:
    """Claims from queues of different depths, then the other operations of a run in their order."""
    leases: list[Lease] = []

    async def claim() -> None:
        leases.extend(each.lease for each in (await backend.queue.claim("w", BATCH)).claims)

    await backend.queue.renew("w", 600)
    await create_runs(backend, 1_000, thread_id=str(uuid.uuid4()))
    await claim()
    await meter("a claim finds nothing, 999 runs wait for their thread", claim)
    for depth in WAITING:
        await create_runs(backend, depth)
        name = f"a run is claimed in a batch of {BATCH}, {depth:,} wait"
        await meter(name, claim, repeats=REPEATS // BATCH, each=BATCH)
    # Random data, because PostgreSQL compresses.
    events = [Event(1_700_000_000_000, "messages", "", os.urandom(110).hex().encode()) for _ in range(64)]
    outcome = Outcome(status="success", output=b'"%b"' % os.urandom(500).hex().encode())
    lease, others = leases[0], iter(leases[1:])
    await meter("a run is created, on a new thread", lambda: create_runs(backend))
    await meter("one event of 220 bytes is appended", lambda: backend.log.append(lease, events[:1]))
    await meter("64 events are appended together", lambda: backend.log.append(lease, events))
    await meter("a checkpoint of 2 KB is written", lambda: _checkpoint(backend, lease))
    await meter("a lease is renewed", lambda: backend.queue.renew("w", 600))
    await meter("a run ends, with 1 KB of state", lambda: backend.queue.finish(next(others), outcome, ()))


async def _checkpoint(backend: Backend, lease: Lease) -> None:
    saver = backend.checkpoints.for_run(lease, eager=False)
    checkpoint = empty_checkpoint()
    checkpoint["channel_values"] = {"messages": os.urandom(2000)}
    checkpoint["channel_versions"] = {"messages": checkpoint["id"]}
    config: Any = {"configurable": {"thread_id": lease.thread_id, "checkpoint_ns": ""}}
    await saver.aput(config, checkpoint, {"source": "loop", "step": 1, "parents": {}}, checkpoint["channel_versions"])


async def measure_notify(server: PostgresServer, meter: Meter, listeners: int) -> None:
    """NOTIFY while other sessions listen: PostgreSQL wakes all listeners of the database, on any channel."""
    with ExitStack() as stack:
        sender, *others = [stack.enter_context(closing(server.connect())) for _ in range(listeners + 1)]
        for each in others:
            each.execute("LISTEN another_channel")

        async def send() -> None:
            sender.execute("SELECT pg_notify('treadle_costs', %s)", (str(uuid.uuid4()),))

        await meter(f"NOTIFY, {listeners} sessions listen", send)


async def measure_publish(url: str, subscribers: int) -> None:
    """PUBLISH of 500 bytes, and the CPU time of a Python process for receiving one message."""
    client: Any = Redis.from_url(url)
    readers = [client.pubsub() for _ in range(subscribers)]
    for each in readers:
        await each.subscribe("treadle_costs")
    pipeline = client.pipeline(transaction=False)
    for _ in range(MESSAGES):
        pipeline.publish("treadle_costs", b"e" * 500)
    cpu = await _redis_cpu(client)
    await pipeline.execute()
    own = time.process_time()
    await asyncio.gather(*map(_receive, readers))
    received = (time.process_time() - own) / MESSAGES / subscribers * 1e6
    used = (await _redis_cpu(client) - cpu) / MESSAGES * 1e6
    await client.aclose()
    print(f"| PUBLISH of 500 bytes, {subscribers} subscribe; received in {received:.0f} µs | {used:.0f} | | |")


async def _receive(pubsub: Any) -> None:
    for _ in range(MESSAGES + 1):  # the first message confirms the subscription
        await pubsub.get_message(timeout=1.0)
    await pubsub.aclose()


async def _redis_cpu(client: Any) -> float:
    info = await client.info("cpu")
    return float(info["used_cpu_sys"]) + float(info["used_cpu_user"])


async def main() -> None:
    print("| operation | CPU, µs | WAL, bytes | one caller, ms |\n|---|---:|---:|---:|")
    with PostgresServer() as postgres, RedisServer() as redis, ExitStack() as stack:
        url = postgres.schema("costs")
        migrate(url)
        # With Redis, transactions send no notifications through PostgreSQL: the cost of NOTIFY has its own rows.
        options: Any = {"clock": None, "index": None, "ttl": None, "serves": False}
        backend = open_backend(data=Path(), database_url=url, redis_url=redis.url, **options)
        stack.callback(backend.close)
        meter = Meter(postgres)
        await measure_runs(backend, meter)
        for listeners in LISTENERS:
            await measure_notify(postgres, meter, listeners)
        for subscribers in SUBSCRIBERS:
            await measure_publish(redis.url, subscribers)


if __name__ == "__main__":
    asyncio.run(main())
