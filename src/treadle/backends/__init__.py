"""Open the backend that the database URL selects."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from langgraph.store.base import IndexConfig, TTLConfig

from treadle.backends.assemble import assemble
from treadle.backends.clock import SystemClock
from treadle.backends.engine.sqlite import SqliteEngine
from treadle.backends.live.hub import Hub
from treadle.errors import ConfigError
from treadle.ports.backend import Backend
from treadle.ports.clock import Clock

_POLL_SECONDS = 30.0


class DataDirInUse(ConfigError):
    """Another server has this data directory open. A SQLite file belongs to one server at a time."""


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
    """Open PostgreSQL if ``database_url`` is set, otherwise the SQLite file in ``data``."""
    if not database_url:
        return open_sqlite(data / "treadle.sqlite3", clock=clock or SystemClock(), index=index, ttl=ttl)
    # Imported on use, so that an embedded server starts without loading a driver.
    from treadle.backends.open_cluster import open_postgres

    return open_postgres(database_url, redis_url=redis_url, clock=clock, index=index, ttl=ttl, serves=serves)


def open_sqlite(path: Path, *, clock: Clock, index: IndexConfig | None = None, ttl: TTLConfig | None = None) -> Backend:
    """Open an embedded backend: one SQLite file, used by this process alone. Raises DataDirInUse.

    ``index`` and ``ttl`` are the store's settings from langgraph.json.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = _lock(path)
    engine = SqliteEngine(path, clock=clock)
    engine.start()

    def close() -> None:
        engine.close()
        os.close(lock)

    return assemble(engine, Hub(), index=index, ttl=ttl, exclusive=True, poll_seconds=_POLL_SECONDS, close=close)


def _lock(path: Path) -> int:
    """Take a kernel lock, which is released when this process ends in any way."""
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
