"""Opens the storage that the settings name, and keeps it: waits for the database, fits its schema, sweeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import structlog

from treadle.backends import open_backend
from treadle.errors import ConfigError, TreadleError
from treadle.graph.storage import StorageConfig
from treadle.ports import Backend, Clock
from treadle.settings import Settings
from treadle.worker.sweep import Chore

logger = structlog.get_logger("treadle")

T = TypeVar("T")

_RETRY_SECONDS = 0.5
_TELL_SECONDS = 5.0


class Unreachable(TreadleError):
    """The database does not answer."""


class SchemaFound(NamedTuple):
    """``version`` is that of a database, ``newest`` the one that this treadle brings it to."""

    version: int
    newest: int

    @property
    def current(self) -> bool:
        return self.version == self.newest


def open_storage(
    settings: Settings, storage: StorageConfig, *, clock: Clock | None = None, serves: bool = True
) -> Backend:
    """The backend, with a schema that is current. Raises ConfigError and, once it has waited for it, Unreachable."""

    def opening() -> Backend:
        if settings.database_url:
            _fit(settings)
        return open_backend(
            data=settings.data,
            database_url=settings.database_url,
            redis_url=settings.redis_url,
            clock=clock,
            index=storage.index,
            ttl=storage.store_ttl,
            serves=serves,
        )

    return reached(opening, settings.database_wait_seconds) if settings.database_url else opening()


def _fit(settings: Settings) -> None:
    if settings.migrate:
        migrate(settings.database_url)
        return
    found = schema(settings.database_url)
    if found.version < found.newest:
        detail = f"the database has schema {found.version}, this treadle needs {found.newest}"
        raise ConfigError(detail, key="migrate", hint="run `treadle migrate`, or leave `migrate` on")


def schema(database_url: str) -> SchemaFound:
    """Raises what the driver raises."""
    from treadle.backends import postgres

    return SchemaFound(postgres.schema_version(database_url), postgres.newest_version())


def migrate(database_url: str) -> tuple[int, int]:
    """Brings the database to the newest schema; returns the versions before and after. Raises as ``schema`` does."""
    from treadle.backends import postgres

    before, after = postgres.migrate(database_url)
    if before != after:
        logger.info("the database's schema is up to date", before=before, after=after)
    return before, after


def reached(work: Callable[[], T], seconds: float) -> T:
    """What ``work`` returns, tried again for so long while the database does not answer. Raises Unreachable then."""
    import psycopg

    began = told = time.monotonic()
    while True:
        try:
            return work()
        except psycopg.OperationalError as error:
            now, why = time.monotonic(), explain(error)
            if now + _RETRY_SECONDS > began + seconds:
                raise Unreachable(f"the database cannot be reached: {why}") from error
            if told == began or now - told >= _TELL_SECONDS:
                told = now
                left = round(began + seconds - now, 1)
                logger.warning("the database does not answer yet", error=why, seconds_left=left)
        time.sleep(_RETRY_SECONDS)


def explain(error: Exception) -> str:
    """A driver's error in one line. The settings have seen to it that none of them can hold a part of a password."""
    return " ".join(str(error).split()) or type(error).__name__


def chores(backend: Backend, settings: Settings, storage: StorageConfig, *, rescues: bool = False) -> list[Chore]:
    """What is swept beside what the keeper of a lease sees to; ``rescues`` where there is no such keeper."""
    found = [
        Chore("threads", storage.thread_sweep_seconds, backend.queue.expire_threads),
        Chore("store", storage.store_sweep_seconds, backend.sweep_store),
    ]
    return [*found, *_keepers_chores(backend, settings)] if rescues else found


def _keepers_chores(backend: Backend, settings: Settings) -> list[Chore]:
    async def rescue() -> int:
        taken = await backend.queue.rescue(max_attempts=settings.max_attempts)
        if taken:
            logger.warning("took runs from lost workers", run_ids=taken)
        return len(taken)

    async def sweep() -> int:
        now = backend.clock.now()
        await backend.queue.sweep(
            stateless_before=now - int(settings.stateless_retention_seconds * 1e6),
            keys_before=now - int(settings.idempotency_seconds * 1e6),
        )
        return 0

    every = min(60.0, max(1.0, settings.stateless_retention_seconds))
    return [Chore("runs", settings.lease_seconds / 2, rescue), Chore("stateless", every, sweep)]
