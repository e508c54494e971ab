"""Walks the life of runs over a backend, at random, beside a simple model of what must be so.

The clock is the machine's own. In the embedded shape a crash is a copy of the file as it is on disk at that moment,
reopened. In a cluster two processes take turns, and one that crashes leaves what it held to its leases.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from langgraph.checkpoint.base import Checkpoint, empty_checkpoint

from support import shapes
from treadle.backends.checkpoints.saver import SqlCheckpointer
from treadle.backends.live.hub import Hub
from treadle.backends.tables.log import SqlEventLog
from treadle.backends.tables.queue import SqlQueue
from treadle.backends.tables.transaction import SqlRecords
from treadle.errors import LeaseLost
from treadle.model import ACTIVE, RUN_ARROWS, CancelAction, Event, RunStatus, ThreadStatus
from treadle.ports.queue import Claim, Lease, Outcome
from treadle.ports.records import NewRun, Transaction

T = TypeVar("T")

MAX_ATTEMPTS = 3
SECOND = 1_000_000
WORKERS = ("ann", "bob")
LEASE_SECONDS = 10
RETENTION_SECONDS = 30

workers = st.sampled_from(WORKERS)
actions = st.sampled_from(["interrupt", "rollback"])
picks = st.integers(0, 1000)
"""Which of the runs, threads or leases there are: taken modulo their number."""


class Clock:
    def __init__(self) -> None:
        self.us = 1_700_000_000 * SECOND

    def now(self) -> int:
        return self.us

    def monotonic(self) -> float:
        return self.us / SECOND


@dataclass
class ModelRun:
    run_id: str
    thread_id: str
    available_at: int
    temporary: bool
    status: RunStatus = "pending"
    attempt: int = 0
    crashes: int = 0
    worker: str | None = None
    mark: CancelAction | None = None
    log: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    """``(mode, attempt)`` of each event."""
    checkpoints: list[str] = field(default_factory=list[str])
    output: bytes | None = None


@dataclass
class ModelThread:
    runs: list[ModelRun] = field(default_factory=list[ModelRun])
    resting: ThreadStatus = "idle"
    output: bytes | None = None
    gone_at: int | None = None

    @property
    def active(self) -> list[ModelRun]:
        return [run for run in self.runs if run.status in ACTIVE]

    @property
    def status(self) -> ThreadStatus:
        return "busy" if self.active else self.resting


def _holding(walk: Any) -> bool:
    """Some lease was given; steps under a lease are worth most while one is current."""
    return any(run.status == "running" for run in walk.order) or len(walk.leases) > 2


class Process:
    """The parts that one process has of its own."""

    def __init__(self, data: Path, clock: Clock) -> None:
        self.engine = shapes.open_engine(data, clock)
        hub = Hub()
        self.records = SqlRecords(self.engine, hub)
        self.queue = SqlQueue(self.engine, hub)
        self.log = SqlEventLog(self.engine, hub)


class Walk(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        self.clock = Clock()
        self.stack = ExitStack()
        self.stack.enter_context(shapes.databases_of_a_test())
        self.directory = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="walk-")))
        self.data = self.directory / "0"
        self.runner = asyncio.Runner()
        self.threads: dict[str, ModelThread] = {}
        self.order: list[ModelRun] = []
        self.leases: list[Lease] = []
        self.expires: dict[str, int] = {}
        self.statuses: dict[str, RunStatus] = {}
        self.rolled_back: list[str] = []
        self.turn = 0
        self.processes = [Process(self.data, self.clock) for _ in range(1 if shapes.embedded() else 2)]

    def teardown(self) -> None:
        if hasattr(self, "processes"):
            for process in self.processes:
                process.engine.close()
            self.runner.close()
            self.stack.close()

    @property
    def process(self) -> Process:
        """Whose turn it is."""
        return self.processes[self.turn % len(self.processes)]

    @property
    def queue(self) -> SqlQueue:
        return self.process.queue

    @property
    def log(self) -> SqlEventLog:
        return self.process.log

    # what rules share

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        self.turn += 1
        return self.runner.run(work)

    def transact(self, work: Callable[[Transaction], T]) -> T:
        return self.do(self.process.records.transact(work))

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self.process.engine.snapshot(lambda conn: conn.execute(sql, parameters).fetchall())

    def run_of(self, lease: Lease) -> ModelRun | None:
        """The run, if ``lease`` is its current attempt."""
        thread = self.threads.get(lease.thread_id)
        for run in thread.runs if thread else ():
            if run.run_id == lease.run_id and run.status == "running" and run.attempt == lease.attempt:
                return run
        return None

    def write(self, pick: int, work: Callable[[Lease], Coroutine[Any, Any, None]]) -> ModelRun | None:
        """A write under some lease, three times in four a current one if there is one. One that is over must raise
        LeaseLost and change nothing."""
        current = [lease for lease in self.leases if self.run_of(lease)] if pick % 4 else []
        lease = (chosen := current or self.leases)[pick // 4 % len(chosen)]
        run = self.run_of(lease)
        if run is not None:
            self.do(work(lease))
            return run
        before = self._whole_file()
        with pytest.raises(LeaseLost):
            self.do(work(lease))
        assert self._whole_file() == before
        return None

    def _whole_file(self) -> Sequence[Any]:
        tables = ("runs", "threads", "event_chunks", "outputs", "checkpoints", "checkpoint_writes", "checkpoint_blobs")
        return [self.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]

    def _forget(self, run: ModelRun) -> None:
        self.threads[run.thread_id].runs.remove(run)
        self.order.remove(run)

    def _end(
        self, run: ModelRun, status: RunStatus, resting: ThreadStatus, modes: list[str], output: bytes | None
    ) -> None:
        """How a running run ends: as its cancel mark says, where it has one."""
        thread = self.threads[run.thread_id]
        if run.mark == "rollback":
            self._forget(run)
            self.rolled_back.append(run.run_id)
        else:
            if run.mark == "interrupt":
                status, resting, modes = "interrupted", "interrupted", [mode for mode in modes if mode != "error"]
            run.log += [(mode, run.attempt) for mode in (*modes, "end")]
            run.status, run.worker, run.output = status, None, output
            thread.resting = resting
            thread.output = output if output is not None else thread.output
        self._retire(run)

    def _retire(self, run: ModelRun) -> None:
        if run.temporary:
            self.threads[run.thread_id].gone_at = self.clock.us
            run.checkpoints = []

    def _requeue(self, run: ModelRun, charge: int) -> None:
        run.status, run.worker, run.crashes = "pending", None, run.crashes + charge

    # creating

    @precondition(lambda self: len(self.threads) < 3)
    @rule()
    def new_thread(self) -> None:
        thread_id = str(uuid4())
        self.transact(lambda tx: tx.insert_thread(thread_id, metadata={}))
        self.threads[thread_id] = ModelThread()

    @rule(pick=picks, delay=st.sampled_from([0, 0, 0, 5]), temporary=st.integers(0, 6).map(lambda n: n == 0))
    def create(self, pick: int, delay: int, temporary: bool) -> None:
        if temporary or not (kept := [each for each, thread in self.threads.items() if thread.gone_at is None]):
            thread_id = str(uuid4())
            self.transact(lambda tx: tx.insert_thread(thread_id, metadata={}))
            self.threads[thread_id] = ModelThread()
        else:
            thread_id = kept[pick % len(kept)]
            temporary = any(run.temporary for run in self.threads[thread_id].runs)
            if temporary:
                return  # a client cannot name the thread of a stateless run
        run = ModelRun(str(uuid4()), thread_id, self.clock.us + delay * SECOND, temporary)
        request = NewRun(
            run_id=run.run_id,
            thread_id=thread_id,
            assistant_id=str(uuid4()),
            graph_id="graph",
            metadata={},
            kwargs={"config": {}},
            multitask_strategy="enqueue",
            available_at=run.available_at,
            temporary=temporary,
        )
        assert self.transact(lambda tx: tx.insert_run(request)).status == "pending"
        self.threads[thread_id].runs.append(run)
        self.order.append(run)

    @rule(pick=picks, worker=workers)
    def start(self, pick: int, worker: str) -> None:
        """Creates and claims, so that walks in which one of these two never happens by itself have running runs too."""
        self.create(pick, 0, False)
        self.claim(worker, 4)

    # the worker's side

    @precondition(lambda self: any(run.status == "pending" for run in self.order))
    @rule(worker=workers, limit=st.integers(1, 4))
    def claim(self, worker: str, limit: int) -> None:
        due = self._due()[:limit]
        claimed = self.do(self.queue.claim(worker, limit))
        assert [claim.lease.run_id for claim in claimed.claims] == [run.run_id for run in due]
        later = [run.available_at for run in self.order if run.status == "pending" and run.available_at > self.clock.us]
        assert claimed.next_due == min(later, default=None)
        for run, claim in zip(due, claimed.claims, strict=True):
            self._claimed(run, claim, worker)

    def _due(self) -> list[ModelRun]:
        """First in, first out on each thread, among those that are due, but what had started already goes on first;
        the longest due first over all."""
        due: list[ModelRun] = []
        for thread in self.threads.values():
            ready = [run for run in thread.runs if run.status == "pending" and run.available_at <= self.clock.us]
            ready.sort(key=lambda run: run.attempt == 0)
            if ready and not any(run.status == "running" for run in thread.runs):
                due.append(ready[0])
        return sorted(due, key=lambda run: (run.available_at, self.order.index(run)))

    def _claimed(self, run: ModelRun, claim: Claim, worker: str) -> None:
        run.status, run.worker, run.attempt = "running", worker, run.attempt + 1
        run.log.append(("metadata", run.attempt))
        assert claim.lease == Lease(run.run_id, run.thread_id, run.attempt, worker)
        assert claim.resumed == (run.attempt > 1)
        self.leases.append(claim.lease)

    @precondition(_holding)
    @rule(pick=picks, count=st.integers(1, 5))
    def append(self, pick: int, count: int) -> None:
        events = [Event(self.clock.us // 1000, "custom", "", b"1")] * count
        if run := self.write(pick, lambda lease: self.log.append(lease, events)):
            run.log += [("custom", run.attempt)] * count

    @precondition(_holding)
    @rule(pick=picks, eager=st.booleans(), ns=st.sampled_from(["", "sub:1"]), size=st.sampled_from([10, 2000]))
    def checkpoint(self, pick: int, eager: bool, ns: str, size: int) -> None:
        made: list[str] = []

        async def put(lease: Lease) -> None:
            saver = SqlCheckpointer(self.process.engine, lease=lease, eager=eager)
            checkpoint: Checkpoint = {**empty_checkpoint(), "channel_values": {"x": "v" * size}}
            version = saver.get_next_version(None, None)
            checkpoint["channel_versions"] = {"x": version}
            config = {"configurable": {"thread_id": lease.thread_id, "checkpoint_ns": ns}}
            stored = await saver.aput(config, checkpoint, {"source": "loop", "step": 1, "parents": {}}, {"x": version})
            await saver.aput_writes(stored, [("x", "w")], "task")
            await saver.settled()
            made.append(checkpoint["id"])

        if run := self.write(pick, put):
            run.checkpoints += made

    @precondition(_holding)
    @rule(
        pick=picks,
        ending=st.sampled_from(
            [("success", "idle"), ("success", "interrupted"), ("error", "error"), ("timeout", "error")]
        ),
        output=st.sampled_from([None, b'{"a":1}', b'{"a":2}']),
    )
    def finish(self, pick: int, ending: tuple[RunStatus, ThreadStatus], output: bytes | None) -> None:
        status, resting = ending
        modes = ["custom"] if status == "success" else ["custom", "error"]
        outcome = Outcome(status=status, thread_status=resting, output=output)
        events = [Event(self.clock.us // 1000, mode, "", b"{}") for mode in modes]
        if run := self.write(pick, lambda lease: self.queue.finish(lease, outcome, events)):
            self._end(run, status, resting, modes, output)

    @precondition(_holding)
    @rule(pick=picks, count=st.integers(0, 2))
    def release(self, pick: int, count: int) -> None:
        events = [Event(self.clock.us // 1000, "custom", "", b"1")] * count
        if run := self.write(pick, lambda lease: self.queue.release(lease, events)):
            run.log += [("custom", run.attempt)] * count
            if run.mark is None:
                self._requeue(run, charge=0)
            else:
                self._end(run, "interrupted", "idle", [], None)

    @precondition(_holding)
    @rule(pick=picks)
    def reset(self, pick: int) -> None:
        """Before a later attempt: whether the run has checkpoints to go on from."""
        found: list[bool] = []

        async def work(lease: Lease) -> None:
            found.append(await self.queue.reset(lease))

        if run := self.write(pick, work):
            assert found == [bool(run.checkpoints)]

    # time and lost workers

    @rule(seconds=st.sampled_from([1, 4, 11, 40]))
    def pass_time(self, seconds: int) -> None:
        self.clock.us += seconds * SECOND

    @rule(worker=workers)
    def renew(self, worker: str) -> None:
        marks = self.do(self.queue.renew(worker, LEASE_SECONDS))
        self.expires[worker] = self.clock.us + LEASE_SECONDS * SECOND
        running = [run for run in self.order if run.status == "running" and run.worker == worker]
        assert marks == {run.run_id: run.mark for run in running if run.mark is not None}

    @rule()
    def rescue(self) -> None:
        alive = {worker for worker, expires in self.expires.items() if expires > self.clock.us}
        self._rescue(
            [run for run in self.order if run.status == "running" and run.worker not in alive], exclusive=False
        )

    @precondition(_holding)
    @rule()
    def crash(self) -> None:
        """A process is gone at once, and another takes its place: all there is takes back what ran."""
        copied = self.directory / str(int(self.data.name) + 1)
        if shapes.embedded():
            shutil.copytree(self.data, copied)
            self.data = copied
        self.process.engine.close()
        self.processes[self.turn % len(self.processes)] = Process(self.data, self.clock)
        if shapes.embedded():
            self._rescue([run for run in self.order if run.status == "running"], exclusive=True)

    def _rescue(self, lost: list[ModelRun], *, exclusive: bool) -> None:
        rescued = self.do(self.queue.rescue(max_attempts=MAX_ATTEMPTS, exclusive=exclusive))
        assert sorted(rescued) == sorted(run.run_id for run in lost)
        for run in lost:
            if run.mark is None and run.crashes + 1 < MAX_ATTEMPTS:
                self._requeue(run, charge=1)
            else:
                self._end(run, "error", "error", ["error"], None)
        if exclusive:
            self.expires.clear()

    # the API's side

    @precondition(lambda self: self.order)
    @rule(pick=picks, action=actions)
    def cancel(self, pick: int, action: CancelAction) -> None:
        active = [run for run in self.order if run.status in ACTIVE] if pick % 4 else []
        run = (chosen := active or self.order)[pick // 4 % len(chosen)]
        if run.status == "running":
            self.transact(lambda tx: tx.mark_cancel(run.run_id, action, "because"))
            run.mark = action if run.mark is None or action == "rollback" else run.mark
        elif run.status == "pending":
            outcome = Outcome(status="interrupted", rollback=action == "rollback")
            self.transact(lambda tx: tx.end_pending(run.run_id, outcome))
            self._end_pending(run, action)
        else:
            with pytest.raises(LeaseLost):
                self.transact(lambda tx: tx.end_pending(run.run_id, Outcome(status="interrupted")))

    def _end_pending(self, run: ModelRun, action: CancelAction) -> None:
        if action == "rollback":
            self._forget(run)
        else:
            run.status = "interrupted"
            run.log.append(("end", run.attempt))
        self._retire(run)

    @precondition(lambda self: any(run.status not in ACTIVE for run in self.order))
    @rule(pick=picks)
    def delete_run(self, pick: int) -> None:
        """Of a run that is over; the thread keeps what it has come to."""
        over = [run for run in self.order if run.status not in ACTIVE]
        run = over[pick % len(over)]
        assert self.transact(lambda tx: tx.delete_run(run.run_id))
        self._forget(run)

    @precondition(lambda self: len(self.threads) > 2)
    @rule(pick=picks)
    def delete_thread(self, pick: int) -> None:
        thread_id = list(self.threads)[pick % len(self.threads)]
        assert self.transact(lambda tx: tx.delete_thread(thread_id))
        for run in list(self.threads[thread_id].runs):
            self._forget(run)
        del self.threads[thread_id]

    @precondition(lambda self: any(thread.gone_at is not None for thread in self.threads.values()))
    @rule()
    def sweep(self) -> None:
        before = self.clock.us - RETENTION_SECONDS * SECOND
        self.do(self.queue.sweep(stateless_before=before, keys_before=before))
        for thread_id, thread in list(self.threads.items()):
            if thread.gone_at is not None and thread.gone_at < before:
                for run in list(thread.runs):
                    self._forget(run)
                del self.threads[thread_id]

    @precondition(lambda self: self.order)
    @rule(pick=picks, after=st.integers(0, 6))
    def read(self, pick: int, after: int) -> None:
        """A reader gets the exact rest of the log, in order, and learns of its end."""
        run = self.order[pick % len(self.order)]
        after = min(after, len(run.log))

        # The hubs of these processes do not hear of each other, so what one of them knows of a run may be old.
        log = self.log if shapes.embedded() else SqlEventLog(self.process.engine, Hub())

        async def follow() -> tuple[list[str], bool]:
            follower = log.follow(run.run_id, after)
            modes: list[str] = []
            while not follower.ended and (chunks := await follower.read(0)):
                modes += [event.mode for chunk in chunks for event in chunk.events]
            ended = follower.ended
            follower.close()
            return modes, ended

        assert self.do(follow()) == ([mode for mode, _ in run.log[after:]], run.status not in ACTIVE)

    # what always holds

    @invariant()
    def runs_are_as_the_model_says(self) -> None:
        found = self.rows(
            "SELECT run_id, thread_id, status, attempt, crashes, worker_id, event_seq, body FROM runs"
            " LEFT JOIN outputs USING (output_id) ORDER BY position"
        )
        assert found == [
            (r.run_id, r.thread_id, r.status, r.attempt, r.crashes, r.worker, len(r.log), r.output) for r in self.order
        ]

    @invariant()
    def statuses_move_along_the_arrows_only(self) -> None:
        now: dict[str, RunStatus] = dict(self.rows("SELECT run_id, status FROM runs"))
        for run_id, status in now.items():
            before = self.statuses.get(run_id, "pending")
            assert status == before or status in RUN_ARROWS[before], f"{before} became {status}"
        self.statuses = now

    @invariant()
    def threads_are_derived_from_their_runs(self) -> None:
        found = self.rows(
            "SELECT thread_id, status, gone_at, body FROM threads LEFT JOIN outputs USING (output_id) ORDER BY 1"
        )
        expected = [(each, t.status, t.gone_at, t.output) for each, t in sorted(self.threads.items())]
        assert found == expected
        assert self.rows("SELECT 1 FROM runs WHERE status = 'running' GROUP BY thread_id HAVING count(*) > 1") == []

    @invariant()
    def the_log_is_dense_and_ends_once(self) -> None:
        found: dict[str, list[tuple[str, int]]] = {run.run_id: [] for run in self.order}
        thread_seqs: dict[str, int] = {}
        chunks = self.rows(
            "SELECT run_id, first_seq, last_seq, attempt, events, thread_id, thread_seq FROM event_chunks"
            " ORDER BY thread_id, thread_seq"
        )
        for run_id, first, last, attempt, blob, thread_id, thread_seq in chunks:
            modes = [mode for _, mode, *_ in _decode(blob)]
            assert last == first + len(modes) - 1
            assert thread_seq >= thread_seqs.get(thread_id, 0) + len(modes)
            thread_seqs[thread_id] = thread_seq
            if run_id.startswith("thread:"):
                continue
            assert first == len(found[run_id]) + 1
            found[run_id] += [(mode, attempt) for mode in modes]
        assert found == {run.run_id: run.log for run in self.order}
        for run in self.order:
            assert [mode for mode, _ in run.log].count("end") == (run.status not in ACTIVE)

    @invariant()
    def nothing_is_left_behind(self) -> None:
        orphans = {
            # The thread's own events, such as the end of a run that was rolled back, live as long as the thread.
            "event_chunks": "run_id NOT IN (SELECT run_id FROM runs UNION SELECT 'thread:' || thread_id FROM threads)",
            "run_requests": "run_id NOT IN (SELECT run_id FROM runs)",
            "outputs": "output_id NOT IN (SELECT output_id FROM runs WHERE output_id IS NOT NULL"
            " UNION SELECT output_id FROM threads WHERE output_id IS NOT NULL)",
            "checkpoints": "thread_id NOT IN (SELECT thread_id FROM threads)",
            "checkpoint_writes": "thread_id NOT IN (SELECT thread_id FROM threads)",
            "checkpoint_blobs": "thread_id NOT IN (SELECT thread_id FROM threads)",
        }
        for table, orphaned in orphans.items():
            assert self.rows(f"SELECT * FROM {table} WHERE {orphaned}") == [], table
        if shapes.embedded():
            assert self.rows("PRAGMA foreign_key_check") == []

    @invariant()
    def checkpoints_are_those_of_the_attempts_that_held_their_run(self) -> None:
        found = set(self.rows("SELECT run_id, checkpoint_id FROM checkpoints"))
        expected = {(run.run_id, made) for run in self.order for made in run.checkpoints}
        assert expected <= found
        known = {run.run_id for run in self.order}
        assert {pair for pair in found if pair[0] in known} == expected
        writes = set(self.rows("SELECT DISTINCT run_id, checkpoint_id FROM checkpoint_writes"))
        assert {pair for pair in writes if pair[0] in known} == expected
        assert not {run_id for run_id, _ in found | writes} & set(self.rolled_back)


def _decode(blob: bytes) -> list[list[Any]]:
    import msgspec

    return msgspec.msgpack.decode(blob)


def test_the_life_of_runs_is_as_the_model_says(shape: shapes.Shape) -> None:
    unhealthy = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    examples = 150 if shapes.embedded() else 60
    shapes.walk(Walk, max_examples=examples, stateful_step_count=40, suppress_health_check=unhealthy)
