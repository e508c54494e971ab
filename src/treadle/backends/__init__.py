"""Opening a backend: one place picks the coherent set of parts."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from langgraph.store.base import IndexConfig, TTLConfig

from treadle.backends.checkpoints import SqlCheckpointer
from treadle.backends.clock import SystemClock
from treadle.backends.engine import Engine
from treadle.backends.hub import Hub
from treadle.backends.queue import SqlEventLog, SqlQueue, SqlRecords
from treadle.backends.sqlite import SqliteEngine
from treadle.backends.statistics import SqlStatistics
from treadle.backends.store import SqlStore
from treadle.backends.webhooks import SqlDeliveries
from treadle.errors import ConfigError
from treadle.ports import Backend, Clock, Lease


class DataDirInUse(ConfigError):
    """Another server has this data directory open; one SQLite file has one server."""


class SqlCheckpoints:
    """ports.Checkpoints."""

    def __init__(self, engine: Engine, store: SqlStore) -> None:
        self._engine = engine
        self.store = store

    def for_run(self, lease: Lease, *, eager: bool) -> SqlCheckpointer:
        return SqlCheckpointer(self._engine, lease=lease, eager=eager)

    def for_thread(self) -> SqlCheckpointer:
        return SqlCheckpointer(self._engine)


def open_backend(
    *,
    data: Path,
    database_url: str,
    redis_url: str,
    clock: Clock | None,
    index: IndexConfig | None,
    ttl: TTLConfig | None,
    serves: bool,
) -> Backend:
    """The parts that ``database_url`` picks; the SQLite file in ``data`` if it is empty."""
    return open_sqlite(data / "treadle.sqlite3", clock=clock or SystemClock(), index=index, ttl=ttl)


def open_sqlite(path: Path, *, clock: Clock, index: IndexConfig | None = None, ttl: TTLConfig | None = None) -> Backend:
    """The embedded shape: everything in one SQLite file, held by this process alone. Raises DataDirInUse.

    ``index`` and ``ttl`` are the store's, as langgraph.json gives them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = _lock(path)
    engine = SqliteEngine(path, clock=clock)
    engine.start()
    hub = Hub()
    store = SqlStore(engine, index=index, ttl=ttl)

    def close() -> None:
        engine.close()
        os.close(lock)

    return Backend(
        exclusive=True,
        clock=clock,
        records=SqlRecords(engine, hub),
        queue=SqlQueue(engine, hub),
        log=SqlEventLog(engine, hub),
        wakeup=hub,
        checkpoints=SqlCheckpoints(engine, store),
        deliveries=SqlDeliveries(engine),
        statistics=SqlStatistics(engine, hub),
        sweep_store=store.asweep,
        close=close,
    )


def _lock(path: Path) -> int:
    """Takes the lock that the kernel gives back when this process ends, however it ends."""
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise DataDirInUse(
            "another treadle server is using this data directory",
            file=str(path.parent),
            hint="stop it, or choose another directory with --data",
        ) from None
    return lock
