"""A follower returns exactly what was appended, whatever happens around it: over a real log, against a model."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from support import shapes
from treadle.backends.live.hub import Hub
from treadle.backends.live.tail import Tail, TailFollower
from treadle.backends.tables.log import SqlEventLog
from treadle.backends.tables.queue import SqlQueue
from treadle.backends.tables.transaction import SqlRecords
from treadle.model import Event
from treadle.ports.log import Chunk
from treadle.ports.queue import Lease, Outcome
from treadle.ports.records import NewRun, Transaction

T = TypeVar("T")


class Log:
    """A run that is being written, over real parts."""

    def __init__(self, data: Path, **tail: int) -> None:
        self.engine = shapes.open_engine(data)
        hub = Hub(**tail)
        self.records = SqlRecords(self.engine, hub)
        self.queue = SqlQueue(self.engine, hub)
        self.log = SqlEventLog(self.engine, hub)

    async def begin(self) -> Lease:
        await self.records.transact(_insert)
        (claim,) = (await self.queue.claim("w", 1)).claims
        return claim.lease


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


@dataclass(eq=False)
class Reader:
    follower: TailFollower
    after: int
    seqs: list[int] = field(default_factory=list)
    data: list[bytes] = field(default_factory=list)
    reading: asyncio.Task[None] | None = None
    open: bool = True

    async def read(self, timeout: float) -> None:
        for chunk in await self.follower.read(timeout):
            self.seqs += range(chunk.first, chunk.last + 1)
            self.data += [event.data for event in chunk.events]


class Following(RuleBasedStateMachine):
    """Appends, readings, joins, leaves and the end, in any order and with readings under way meanwhile."""

    readers = Bundle("readers")

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.stack.enter_context(shapes.databases_of_a_test())
        data = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.loop = asyncio.new_event_loop()
        self.parts = Log(data, tail_events=6, tail_bytes=200)
        self.lease = self.do(self.parts.begin())
        self.written: list[bytes] = [b""]  # by seq: the metadata event of the claim stands at 1
        self.given = 0
        self.appending: list[asyncio.Task[None]] = []
        self.all: list[Reader] = []
        self.finished = False

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(asyncio.wait_for(work, 10))

    def teardown(self) -> None:
        try:
            self.do(self.drain())
        finally:
            self.parts.engine.close()
            self.loop.close()
            self.stack.close()

    async def drain(self) -> None:
        """Whatever went before: every reader that is still there gets the whole of the rest, and then the end."""
        await asyncio.gather(*self.appending)
        if not self.finished:
            await self.parts.queue.finish(self.lease, Outcome(status="success"), ())
        for reader in self.all:
            if reader.open:
                while not reader.follower.ended:
                    await (reader.reading or reader.read(5))
                    reader.reading = None
                assert len(reader.seqs) == max(0, len(self.written) + 1 - reader.after)
                reader.follower.close()

    def events(self, count: int, size: int) -> list[Event]:
        made = [Event(1, "custom", "", b"%d" % (self.given + i) + b"." * size) for i in range(count)]
        self.given += count
        return made

    @precondition(lambda self: not self.finished)
    @rule(count=st.integers(1, 9), size=st.sampled_from([0, 0, 300]), at_once=st.booleans())
    def append(self, count: int, size: int, at_once: bool) -> None:
        events = self.events(count, size)
        self.written += [event.data for event in events]
        task = self.loop.create_task(self.parts.log.append(self.lease, events))
        if at_once:
            self.do(asyncio.wait_for(task, 10))
        else:
            self.appending.append(task)
            self.spin(1)  # its job is queued now, in this order

    @rule(target=readers, behind=st.integers(0, 40))
    def join(self, behind: int) -> Reader:
        async def follow() -> TailFollower:
            first, last = await self.parts.log.bounds("r")
            return self.parts.log.follow("r", max(first - 1, last - behind))

        follower = self.do(follow())
        reader = Reader(follower, follower.cursor)
        self.all.append(reader)
        return reader

    @rule(reader=readers, timeout=st.sampled_from([0.0, 0.002]), under_way=st.booleans())
    def read(self, reader: Reader, timeout: float, under_way: bool) -> None:
        if reader.reading is not None and not reader.reading.done():
            return
        reader.reading = self.loop.create_task(reader.read(timeout))
        if not under_way:
            self.do(asyncio.wait_for(reader.reading, 10))

    @rule(reader=readers)
    def wake(self, reader: Reader) -> None:
        reader.follower.wake()

    @rule(turns=st.integers(1, 6))
    def spin(self, turns: int) -> None:
        async def some() -> None:
            for _ in range(turns):
                await asyncio.sleep(0)

        self.do(some())

    @rule(reader=consumes(readers))
    def leave(self, reader: Reader) -> None:
        if reader.reading is not None:
            self.do(asyncio.wait_for(reader.reading, 10))
        reader.open = False
        reader.follower.close()
        reader.follower.close()

    @precondition(lambda self: not self.finished)
    @rule(count=st.integers(0, 3))
    def finish(self, count: int) -> None:
        self.finished = True
        events = self.events(count, 0)
        self.written += [event.data for event in events]
        self.do(self.parts.queue.finish(self.lease, Outcome(status="success"), events))

    @invariant()
    def what_was_read_is_what_was_written(self) -> None:
        for reader in self.all:
            assert reader.seqs == list(range(reader.after + 1, reader.after + 1 + len(reader.seqs)))
            for seq, data in zip(reader.seqs, reader.data, strict=True):
                if 1 < seq <= len(self.written):
                    assert data == self.written[seq - 1]
            if reader.follower.ended:
                assert self.finished


def test_a_reader_gets_what_is_written_whatever_happens_around_it(shape: shapes.Shape) -> None:
    shapes.walk(Following, max_examples=60, stateful_step_count=30, suppress_health_check=list(HealthCheck))


async def test_a_reader_that_joins_at_the_end_ends_at_once_while_others_still_read(tmp_path: Path) -> None:
    parts = Log(tmp_path)
    lease = await parts.begin()
    slow = parts.log.follow("r")
    await slow.read(1)
    await parts.queue.finish(lease, Outcome(status="success"), ())
    late = parts.log.follow("r", (await parts.log.bounds("r"))[1])
    async with asyncio.timeout(5):
        assert not await late.read(60)
    assert late.ended
    late.close()
    slow.close()
    parts.engine.close()


async def test_readers_of_an_ended_run_that_join_at_its_end_all_end_at_once(tmp_path: Path) -> None:
    parts = Log(tmp_path)
    await parts.queue.finish(await parts.begin(), Outcome(status="success"), ())
    _, last = await parts.log.bounds("r")
    readers = [parts.log.follow("r", last) for _ in range(3)]
    async with asyncio.timeout(5):
        for reader in readers:
            assert not await reader.read(60)
            assert reader.ended
    for reader in readers:
        reader.close()
    parts.engine.close()


def chunk(first: int, count: int, size: int = 1) -> Chunk:
    return Chunk(first, [Event(0, "custom", "", b"x" * size) for _ in range(count)])


def test_a_tail_is_bounded_by_events() -> None:
    tail = Tail(10, 1_000)
    for first in range(1, 101, 4):
        tail.push(chunk(first, 4))
    assert tail.since(91) is None
    assert _numbers(tail.since(92)) == list(range(93, 101))


def test_a_tail_is_bounded_by_bytes_and_keeps_one_chunk_however_large() -> None:
    tail = Tail(1_000, 100)
    for first in range(1, 10):
        tail.push(chunk(first, 1, size=40))
    assert _numbers(tail.since(7)) == [8, 9]
    tail.push(chunk(10, 1, size=10_000))
    assert tail.since(8) is None
    assert _numbers(tail.since(9)) == [10]


def _numbers(chunks: Sequence[Chunk] | None) -> list[int]:
    return [seq for each in chunks or () for seq in range(each.first, each.last + 1)]


@pytest.mark.parametrize("after", [0, 1, 3])
async def test_readers_of_a_run_that_is_deleted_end(tmp_path: Path, after: int) -> None:
    parts = Log(tmp_path)
    lease = await parts.begin()
    await parts.log.append(lease, [Event(1, "custom", "", b"1"), Event(1, "custom", "", b"2")])
    follower = parts.log.follow("r", after)
    reading = asyncio.ensure_future(_to_the_end(follower))
    await parts.queue.finish(lease, Outcome(status="interrupted", rollback=True), ())
    async with asyncio.timeout(5):
        await reading
    assert follower.ended
    follower.close()
    parts.engine.close()


async def _to_the_end(follower: TailFollower) -> None:
    while not follower.ended:
        await follower.read(5)


async def test_a_reading_of_a_long_log_takes_a_bounded_part(tmp_path: Path) -> None:
    parts = Log(tmp_path)
    lease = await parts.begin()
    for _ in range(12):
        await parts.log.append(lease, [Event(1, "values", "", b"x" * 1_000_000)])
    await parts.queue.finish(lease, Outcome(status="success"), ())
    follower = parts.log.follow("r")
    sizes: list[int] = []
    while not follower.ended:
        sizes.append(sum(chunk.size for chunk in await follower.read(1)))
    assert sum(sizes) > 12_000_000
    assert max(sizes) < 6_000_000
    follower.close()
    parts.engine.close()


@pytest.mark.parametrize("during", ["before the reading", "while it reads the log", "while it waits"])
async def test_a_wake_is_never_lost(tmp_path: Path, during: str) -> None:
    """It says that the client has left or the server drains: heard at once, not at the next heartbeat."""

    parts = Log(tmp_path)
    await parts.begin()
    follower = parts.log.follow("r")
    if during != "while it reads the log":
        await follower.read(1)
    if during == "before the reading":
        follower.wake()
    reading = asyncio.ensure_future(_idle(follower))
    if during != "before the reading":
        await asyncio.sleep(0)
        follower.wake()
    async with asyncio.timeout(5):
        await reading
    follower.close()
    parts.engine.close()


async def _idle(follower: TailFollower) -> None:
    while await follower.read(60):
        pass
