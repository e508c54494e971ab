"""Readers of a thread walked through anything that may happen to it: runs that end, are rolled back or deleted, the
thread's own events, the thread deleted and recreated; with readers that are fast, slow, early and late."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, precondition, rule

from support import shapes
from treadle.backends.engine.connection import Connection
from treadle.backends.live.hub import Hub
from treadle.backends.live.tail import ThreadFollower
from treadle.backends.tables.log import SqlEventLog, read_thread
from treadle.backends.tables.queue import SqlQueue
from treadle.backends.tables.transaction import SqlRecords
from treadle.model import Event
from treadle.ports.log import Chunk
from treadle.ports.queue import Lease, Outcome
from treadle.ports.records import NewRun, Transaction

T = TypeVar("T")
THREAD = "t"


@dataclass(eq=False)
class Reader:
    follower: ThreadFollower
    life: int
    after: int
    seen: list[tuple[int, bytes]] = field(default_factory=list)
    open: bool = True

    async def read(self, seconds: float) -> bool:
        """Whether anything came."""
        chunks = await self.follower.read(seconds)
        for chunk in chunks:
            self.seen += [(seq, event.data) for seq, event in enumerate(chunk.events, chunk.first)]
        return bool(chunks)


class Following(RuleBasedStateMachine):
    readers = Bundle("readers")

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.loop = asyncio.new_event_loop()
        self.engine = self.stack.enter_context(shapes.fresh_engine())
        hub = Hub(tail_events=6, tail_bytes=300)
        self.log = SqlEventLog(self.engine, hub)
        self.queue = SqlQueue(self.engine, hub)
        self.records = SqlRecords(self.engine, hub)
        self.life = 0
        self.count = 0
        self.lease: Lease | None = None
        self.ended: list[str] = []
        self.all: list[Reader] = []
        self.do(self.records.transact(_make))

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(asyncio.wait_for(work, 10))

    def name(self) -> str:
        self.count += 1
        return f"r{self.count}"

    # the runs of the thread

    @precondition(lambda self: self.lease is None)
    @rule()
    def begin(self) -> None:
        run_id = self.name()
        self.do(self.records.transact(lambda tx: _insert(tx, run_id)))
        (claim,) = self.do(self.queue.claim("w", 1)).claims
        self.lease = claim.lease

    @precondition(lambda self: self.lease is not None)
    @rule(count=st.integers(1, 8), size=st.sampled_from([0, 0, 200]))
    def say(self, count: int, size: int) -> None:
        assert self.lease is not None
        self.do(self.log.append(self.lease, [Event(1, "custom", "", b"." * size + b"%d" % n) for n in range(count)]))

    @precondition(lambda self: self.lease is not None)
    @rule(rollback=st.booleans())
    def end(self, rollback: bool) -> None:
        assert self.lease is not None
        lease, self.lease = self.lease, None
        self.do(self.queue.finish(lease, Outcome(status="success", rollback=rollback), ()))
        if not rollback:
            self.ended.append(lease.run_id)

    @precondition(lambda self: self.lease is None)
    @rule(count=st.integers(1, 8), rollback=st.booleans())
    def whole_run(self, count: int, rollback: bool) -> None:
        self.begin()
        self.say(count, 0)
        self.end(rollback)

    @precondition(lambda self: self.ended)
    @rule(newest=st.booleans())
    def delete_run(self, newest: bool) -> None:
        run_id = self.ended.pop(-1 if newest else 0)
        assert self.do(self.records.transact(lambda tx: tx.delete_run(run_id)))

    @rule()
    def update(self) -> None:
        event = Event(1, "state_update", "", self.name().encode())
        self.do(self.records.transact(lambda tx: tx.append_thread_event(THREAD, event)))

    @rule()
    def make_anew(self) -> None:
        def work(tx: Transaction) -> None:
            tx.delete_thread(THREAD)
            _make(tx)

        self.do(self.records.transact(work))
        self.lease, self.ended = None, []
        self.life += 1

    # its readers

    @rule(target=readers, from_the_start=st.booleans())
    def join(self, from_the_start: bool) -> Reader:
        async def follow() -> Reader:
            after = 0 if from_the_start else await self.log.thread_cursor(THREAD)
            return Reader(self.log.follow_thread(THREAD, after), self.life, after)

        reader = self.do(follow())
        self.all.append(reader)
        return reader

    @rule(reader=readers)
    def read(self, reader: Reader) -> None:
        if reader.open:
            self.do(reader.read(0.0))
            self.check(reader)

    @rule(reader=readers)
    def leave(self, reader: Reader) -> None:
        if reader.open:
            reader.follower.close()
            reader.open = False

    def check(self, reader: Reader) -> None:
        assert not reader.follower.ended
        rising = [later[0] > earlier[0] for earlier, later in zip(reader.seen, reader.seen[1:], strict=False)]
        assert rising.count(False) <= self.life - reader.life, "numbers only begin anew with the thread"

    def teardown(self) -> None:
        try:
            for reader in (each for each in self.all if each.open):
                self.do(self.drain(reader))
        finally:
            self.loop.close()
            self.stack.close()

    async def drain(self, reader: Reader) -> None:
        """In the end every reader has all that is there, from where it began."""
        quiet = 0
        while quiet < 3:
            quiet = 0 if await reader.read(0.0) else quiet + 1
        began = self.loop.time()
        await reader.read(0.02)
        assert self.loop.time() - began > 0.01, "it waits while there is nothing"
        after = reader.after if reader.life == self.life else 0
        stored = self.stored(after)
        assert reader.seen[len(reader.seen) - len(stored) :] == stored or set(stored) <= set(reader.seen)
        self.check(reader)
        reader.follower.close()

    def stored(self, after: int) -> list[tuple[int, bytes]]:
        """What the log itself holds."""
        found: list[tuple[int, bytes]] = []
        while chunks := self.engine.snapshot(partial(_read, after=found[-1][0] if found else after)):
            found += [(seq, event.data) for chunk in chunks for seq, event in enumerate(chunk.events, chunk.first)]
        return [each for each in found if each[0] > after]


def _read(conn: Connection, after: int) -> Sequence[Chunk]:
    return read_thread(conn, THREAD, after)


def _make(tx: Transaction) -> None:
    tx.insert_thread(THREAD, metadata={})


def _insert(tx: Transaction, run_id: str) -> None:
    tx.insert_run(
        NewRun(
            run_id=run_id,
            thread_id=THREAD,
            assistant_id="a",
            graph_id="g",
            metadata={},
            kwargs={"config": {}},
            multitask_strategy="enqueue",
            available_at=0,
            temporary=False,
        )
    )


def test_a_reader_gets_all_of_a_thread_whatever_happens_to_it(shape: shapes.Shape) -> None:
    shapes.walk(Following, max_examples=60, stateful_step_count=30)


def test_a_reader_of_what_was_deleted_waits_for_what_is_new(shape: shapes.Shape) -> None:
    """The tail still held the deleted run's end: a reader that found nothing in the log must not go round and round."""
    walk = Following()
    try:
        reader = walk.join(True)
        walk.whole_run(8, False)
        walk.delete_run(True)
        began = walk.loop.time()
        assert not walk.do(reader.read(0.2))
        assert walk.loop.time() - began > 0.1
        walk.whole_run(1, False)
        assert walk.do(reader.read(5))
        assert reader.seen[0][0] == 11
    finally:
        walk.teardown()
