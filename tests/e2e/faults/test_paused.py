"""Nodes that block, and a whole process that is stopped: who keeps a run, and who may still write for it."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from e2e.faults.api import Api, Listener, attempts, check_log
from support import shapes
from support.gates import Gates
from support.server_process import until
from treadle.backends.engine.jobs import Engine
from treadle.backends.live.hub import Hub
from treadle.backends.tables.log import SqlEventLog
from treadle.backends.tables.queue import SqlQueue
from treadle.model import Event
from treadle.ports.queue import Claim, Outcome

Start = Callable[..., Api]

LEASE = 0.8


def test_a_node_that_blocks_for_longer_than_the_lease_is_not_taken_over(start: Start, gates: Gates) -> None:
    api = start(lease_seconds=LEASE, heartbeat_seconds=0.2, block_warning_seconds=0.3)
    gates.hold("idle", "b")
    idle_thread = api.new_thread()
    idle = api.create(idle_thread, "steps", "idle")["run_id"]
    gates.reached("idle", "b")
    listener = Listener(api.url(f"/threads/{idle_thread}/runs/{idle}/stream")).start()
    gates.hold("k", "blocking")
    thread_id = api.new_thread()
    run_id = api.create(thread_id, "blocking", "k")["run_id"]
    gates.reached("k", "blocking")
    began = time.monotonic()
    slowest = 0.0
    while time.monotonic() - began < 3 * LEASE:
        asked = time.monotonic()
        assert api.get("/ok")["ok"] is True
        slowest = max(slowest, time.monotonic() - asked)
    beats = [beat for beat in listener.beats if beat > began]
    assert slowest < 0.5
    assert len(beats) >= 3 * LEASE / 0.2 / 2, "the heartbeats of another stream stopped"
    assert api.rows("SELECT status, attempt FROM runs WHERE run_id = ?", run_id) == [("running", 1)]
    assert "a node blocks the event loop" in api.server.log
    assert "e2e/faults/graphs.py:" in api.server.log
    assert " in " in api.server.log.split("e2e/faults/graphs.py:")[1].splitlines()[0]
    gates.release_all()
    assert api.ended(thread_id, run_id) == "success"
    assert api.ended(idle_thread, idle) == "success"
    log = api.log(thread_id, run_id)
    check_log(log, status="success")
    assert attempts(log) == [1]
    assert gates.places("k").count("blocking") == 1


class Other:
    """Another worker on the same file, past the lock of the directory: as in a cluster."""

    def __init__(self, engine: Engine) -> None:
        hub = Hub()
        self.queue = SqlQueue(engine, hub)
        self.log = SqlEventLog(engine, hub)

    async def take_over(self) -> list[Claim]:
        await self.queue.renew("other", 60)
        deadline = asyncio.get_running_loop().time() + 20
        while not await self.queue.rescue(max_attempts=3):
            assert asyncio.get_running_loop().time() < deadline, "the lease never ended"
            await asyncio.sleep(0.05)
        return (await self.queue.claim("other", 10)).claims


@contextmanager
def other_worker(api: Api) -> Iterator[Other]:
    with shapes.engine_on(api.server.data) as engine:
        yield Other(engine)


def stop_outside_a_write(api: Api) -> None:
    """SIGSTOP; over a file while we hold its lock: stopped with it in its hand, the process would stop every other
    worker too. PostgreSQL takes its locks from a process that does not go on."""
    if not shapes.embedded():
        api.server.signal(signal.SIGSTOP)
        until(lambda: _state(api.server.pid) == "T")
        return
    with closing(sqlite3.connect(api.server.database, timeout=10, isolation_level=None)) as lock:
        lock.execute("BEGIN IMMEDIATE")
        api.server.signal(signal.SIGSTOP)
        until(lambda: _state(api.server.pid) == "T")
        lock.execute("ROLLBACK")


def _state(pid: int) -> str:
    """Of a process: R running, S sleeping, T stopped (proc(5))."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def contents(api: Api, run_id: str) -> dict[str, list[tuple[Any, ...]]]:
    """All that the file holds of a run and its thread."""
    tables = ("runs", "event_chunks", "checkpoints", "checkpoint_writes", "checkpoint_blobs", "threads")
    place = "thread_id = (SELECT thread_id FROM runs WHERE run_id = ?)"
    return {table: api.rows(f"SELECT * FROM {table} WHERE {place}", run_id) for table in tables}


@pytest.mark.parametrize("ended", [False, True], ids=["while the other has it", "after the other ended it"])
@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_a_stopped_process_that_wakes_up_writes_nothing(
    start: Start, gates: Gates, durability: str, ended: bool
) -> None:
    api = start(lease_seconds=LEASE)
    gates.hold("k", "b")
    gates.hold("k", "c")
    thread_id = api.new_thread()
    run_id = api.create(thread_id, "steps", "k", durability=durability, stream_mode=["values", "custom"])["run_id"]
    gates.reached("k", "b")
    until(lambda: durability == "exit" or len(contents(api, run_id)["checkpoints"]) == 3)

    async def take_over(other: Other) -> dict[str, list[tuple[Any, ...]]]:
        [claim] = await other.take_over()
        assert claim.lease.run_id == run_id
        assert claim.lease.attempt == 2
        mine = Event(1, "custom", "", orjson.dumps("of the other"))
        if ended:
            outcome = Outcome(status="success", output=b'{"by": "other"}')
            await other.queue.finish(claim.lease, outcome, [mine])
        else:
            await other.log.append(claim.lease, [mine])
        return contents(api, run_id)

    with other_worker(api) as other:
        stop_outside_a_write(api)
        before = asyncio.run(take_over(other))
        gates.release("k", "b")
        gates.release("k", "c")
        api.server.signal(signal.SIGCONT)
        until(lambda: "an attempt lost its run" in api.server.log)
        assert api.get("/ok")["ok"] is True
        assert contents(api, run_id) == before
    events = api.rows(
        "SELECT attempt, first_seq, last_seq FROM event_chunks WHERE run_id = ? ORDER BY first_seq", run_id
    )
    assert sorted({attempt for attempt, _, _ in events}) == [1, 2]
    assert [attempt for attempt, _, _ in events] == sorted(attempt for attempt, _, _ in events)
    if ended:
        if shapes.embedded():  # it gets no hints of writes by another process
            api.server.restart()
        assert api.join(thread_id, run_id) == {"by": "other"}
        check_log(api.log(thread_id, run_id), status="success")


def test_a_stopped_process_that_wakes_up_before_its_lease_ends_goes_on(start: Start, gates: Gates) -> None:
    api = start(lease_seconds=30)
    gates.hold("k", "b")
    thread_id = api.new_thread()
    run_id = api.create(thread_id, "steps", "k")["run_id"]
    gates.reached("k", "b")
    with other_worker(api) as other:
        stop_outside_a_write(api)
        assert asyncio.run(other.queue.rescue(max_attempts=3)) == []
        api.server.signal(signal.SIGCONT)
    gates.release("k", "b")
    assert api.ended(thread_id, run_id) == "success"
    assert attempts(api.log(thread_id, run_id)) == [1]
