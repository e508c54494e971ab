"""Events on their way to a real log: in order, none lost, bounded in memory, whatever the graph does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from support import shapes
from treadle.backends.clock import SystemClock
from treadle.backends.live.hub import Hub
from treadle.backends.tables.log import SqlEventLog
from treadle.backends.tables.queue import SqlQueue
from treadle.backends.tables.transaction import SqlRecords
from treadle.ports.log import Chunk
from treadle.ports.queue import Lease, Outcome
from treadle.ports.records import NewRun, Transaction
from treadle.worker.attempt import Appender

MIB = 1024 * 1024


class Written:
    """A running run, what appends to its log, and what is in it."""

    def __init__(self, log: SqlEventLog, queue: SqlQueue, lease: Lease) -> None:
        self.log = log
        self.queue = queue
        self.lease = lease
        self.appender = Appender(log, lease, SystemClock())

    async def emit(self, count: int, size: int = 1) -> None:
        """As a graph that never waits by itself."""
        for number in range(count):
            self.appender.add([("custom", "", b"%d" % number + b"." * size)])
            if self.appender.full:
                await self.appender.wait_for_capacity()

    async def last(self) -> int:
        return (await self.log.bounds(self.lease.run_id))[1]

    async def finish(self) -> list[Chunk]:
        """What is in the log then, as it was committed."""
        await self.queue.finish(self.lease, Outcome(status="success"), await self.appender.close())
        follower, chunks = self.log.follow(self.lease.run_id), list[Chunk]()
        while not follower.ended:
            for chunk in await follower.read(5):
                chunks += chunk.parts or [chunk]
        follower.close()
        return chunks


@asynccontextmanager
async def written(data: Path) -> AsyncIterator[Written]:
    hub = Hub()
    with shapes.engine_on(data) as engine:
        await SqlRecords(engine, hub).transact(_insert)
        queue = SqlQueue(engine, hub)
        (claim,) = (await queue.claim("w", 1)).claims
        async with asyncio.timeout(30):
            yield Written(SqlEventLog(engine, hub), queue, claim.lease)


def _insert(tx: Transaction) -> None:
    tx.insert_thread("t", metadata={})
    tx.insert_run(
        NewRun(
            run_id="r",
            thread_id="t",
            assistant_id="a",
            graph_id="g",
            metadata={},
            kwargs={"config": {}},
            multitask_strategy="enqueue",
            available_at=0,
            temporary=False,
        )
    )


def numbers(chunks: list[Chunk]) -> list[int]:
    events = [event for chunk in chunks for event in chunk.events]
    return [int(event.data.rstrip(b".")) for event in events if event.mode == "custom"]


async def test_events_reach_the_log_while_a_graph_emits_without_ever_waiting(tmp_path: Path) -> None:
    async with written(tmp_path) as run:
        await run.emit(30_000)
        assert await run.last() > 10_000
        assert numbers(await run.finish()) == list(range(30_000))


async def test_what_was_just_emitted_can_be_waited_for(tmp_path: Path) -> None:
    async with written(tmp_path) as run:
        await run.emit(1)
        await run.appender.flushed()
        assert await run.last() == 2
        await run.appender.flushed()
        assert numbers(await run.finish()) == [0]


async def test_what_is_emitted_in_one_turn_of_the_loop_is_one_chunk(tmp_path: Path) -> None:
    async with written(tmp_path) as run:
        await run.emit(10)
        chunks = await run.finish()
        assert [len(chunk.events) for chunk in chunks] == [1, 11]
        assert numbers(chunks) == list(range(10))


async def test_large_events_go_in_chunks_of_a_mebibyte_and_the_graph_waits_for_them(tmp_path: Path) -> None:
    async with written(tmp_path) as run:
        await run.emit(60, MIB // 2)
        await run.emit(1, 3 * MIB)
        assert await run.last() > 30
        *chunks, final = await run.finish()
        assert all(chunk.size <= MIB or len(chunk.events) == 1 for chunk in chunks)
        assert final.size < 12 * MIB
        assert numbers([*chunks, final]) == [*range(60), 0]
