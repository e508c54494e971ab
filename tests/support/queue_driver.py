"""A queue by itself, driven step by step: no server, no worker, and a clock that moves only on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from uuid import uuid4

from treadle.backends.engine.jobs import Engine
from treadle.backends.live.hub import Hub
from treadle.backends.tables.log import SqlEventLog
from treadle.backends.tables.queue import SqlQueue
from treadle.backends.tables.transaction import SqlRecords
from treadle.errors import LeaseLost
from treadle.model import RunStatus
from treadle.ports.queue import DEFAULT_LIMITS, Lease, Limits, Outcome
from treadle.ports.records import NewRun, Transaction

T = TypeVar("T")
SECOND = 1_000_000


class Clock:
    def __init__(self) -> None:
        self.us = 1_700_000_000 * SECOND

    def now(self) -> int:
        return self.us

    def monotonic(self) -> float:
        return self.us / SECOND

    def forward(self, seconds: float) -> None:
        self.us += int(seconds * SECOND)


class Queueing:
    """Runs are known by the name that they were created under."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.engine = engine
        self.clock = clock
        self.hub = Hub()
        self.records = SqlRecords(engine, self.hub)
        self.queue = SqlQueue(engine, self.hub)
        self.log = SqlEventLog(engine, self.hub)
        self.leases: dict[str, Lease] = {}
        self._ids: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def share(self, other: Queueing) -> None:
        """From now on both know the same runs: they are two processes over one database."""
        self.leases, self._ids, self._names = other.leases, other._ids, other._names

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(asyncio.wait_for(work, 60))

    def transact(self, work: Callable[[Transaction], T]) -> T:
        return self.do(self.records.transact(work))

    def rows(self, sql: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        work: Callable[[Any], list[tuple[Any, ...]]] = lambda conn: conn.execute(sql, parameters).fetchall()  # noqa: E731
        return self.engine.snapshot(work)

    def id(self, name: str) -> str:
        return self._ids[name]

    def create(
        self,
        name: str,
        *,
        thread: str | None = None,
        graph: str = "g",
        key: str | None = None,
        priority: int = 0,
        delay: float = 0,
    ) -> str:
        """On a thread of its own unless one is named. Returns the thread."""
        return self.transact(lambda tx: self._create(tx, name, thread, graph, key, priority, delay))

    def create_many(self, count: int, *, graph: str = "g", key: str | None = None, priority: int = 0) -> None:
        """In one transaction, each on a thread of its own, under numbers."""
        first = len(self._ids)

        def work(tx: Transaction) -> None:
            for number in range(first, first + count):
                self._create(tx, str(number), None, graph, key, priority, 0)

        self.transact(work)

    def _create(
        self, tx: Transaction, name: str, thread: str | None, graph: str, key: str | None, priority: int, delay: float
    ) -> str:
        thread_id = thread or str(uuid4())
        if tx.thread(thread_id, values=False) is None:
            tx.insert_thread(thread_id, metadata={})
        run_id = str(uuid4())
        run = NewRun(
            run_id=run_id,
            thread_id=thread_id,
            assistant_id=str(uuid4()),
            graph_id=graph,
            metadata={},
            kwargs={"config": {}},
            multitask_strategy="enqueue",
            available_at=self.clock.us + int(delay * SECOND),
            temporary=False,
            priority=priority,
            concurrency_key=key,
        )
        tx.insert_run(run)
        self._ids[name], self._names[run_id] = run_id, name
        return thread_id

    def claim(self, count: int = 100, limits: Limits = DEFAULT_LIMITS, *, worker: str = "w") -> list[str]:
        """The names of those that were claimed, in order. Goes on while there is something to do at once."""
        names: list[str] = []
        while True:
            claimed = self.do(self.queue.claim(worker, count - len(names), limits))
            for claim in claimed.claims:
                name = self._names[claim.lease.run_id]
                self.leases[name] = claim.lease
                names.append(name)
            if len(names) == count or claimed.next_due is None or claimed.next_due > self.clock.us:
                return names

    def finish(
        self, *names: str, status: RunStatus = "success", rollback: bool = False, output: bytes | None = None
    ) -> None:
        for name in names:
            outcome = Outcome(status=status, output=output, rollback=rollback)
            self.do(self.queue.finish(self.leases.pop(name), outcome, ()))

    def release(self, name: str) -> None:
        self.do(self.queue.release(self.leases.pop(name)))

    def cancel(self, name: str) -> None:
        """Ends a run that is pending."""
        self.transact(lambda tx: tx.end_pending(self._ids[name], Outcome(status="interrupted")))

    def blocked_by(self, name: str) -> str | None:
        ((status, found),) = self.rows("SELECT status, blocked_by FROM runs WHERE run_id = ?", (self._ids[name],))
        assert status == "pending"
        return found.partition("\n")[0] if found else None

    def lost(self, lease: Lease) -> bool:
        try:
            self.do(self.log.append(lease, ()))
        except LeaseLost:
            return True
        return False
