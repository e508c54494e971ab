"""Open the database that the settings select, and list its sweeps."""

from __future__ import annotations

import structlog

from treadle.backends import open_backend
from treadle.ports.backend import Backend
from treadle.ports.clock import Clock
from treadle.project.storage import StorageConfig
from treadle.settings import Settings
from treadle.worker.sweep import Sweep

logger = structlog.get_logger("treadle")


def open_storage(
    settings: Settings, storage: StorageConfig, *, clock: Clock | None = None, serves: bool = True
) -> Backend:
    """Open the backend and migrate its schema. Raises ConfigError, and DatabaseUnusable after waiting for the
    database."""

    def opening() -> Backend:
        return open_backend(
            data=settings.data,
            database_url=settings.database_url,
            redis_url=settings.redis_url,
            clock=clock,
            index=storage.index,
            ttl=storage.store_ttl,
            serves=serves,
        )

    if not settings.database_url:
        return opening()
    from treadle.runtime import database

    return database.opened(settings, opening)


def sweeps(backend: Backend, settings: Settings, storage: StorageConfig, *, rescues: bool = False) -> list[Sweep]:
    """The sweeps besides those of a lease keeper. ``rescues`` adds the recovery of lost runs, for processes without
    one."""
    found = [
        Sweep("threads", storage.thread_sweep_seconds, backend.queue.expire_threads),
        Sweep("store", storage.store_sweep_seconds, backend.sweep_store),
    ]
    found += _retention(backend, settings)
    return [*found, *_rescue_sweeps(backend, settings)] if rescues else found


def _retention(backend: Backend, settings: Settings) -> list[Sweep]:
    of_runs, of_events = settings.run_retention_seconds, settings.event_retention_seconds
    kept = [seconds for seconds in (of_runs, of_events) if seconds > 0]
    if not kept:
        return []

    async def sweep() -> int:
        now = backend.clock.now()
        trimmed = await backend.queue.trim_runs(now - int(min(kept) * 1e6))
        return max(trimmed, await backend.queue.expire_runs(now - int(of_runs * 1e6)) if of_runs > 0 else 0)

    return [Sweep("retention", min(60.0, max(1.0, min(kept) / 10)), sweep)]


def _rescue_sweeps(backend: Backend, settings: Settings) -> list[Sweep]:
    async def rescue() -> int:
        taken = await backend.queue.rescue(max_attempts=settings.max_attempts, steady_seconds=settings.lease_seconds)
        if taken:
            logger.warning("recovered the runs of lost workers", run_ids=taken)
        return len(taken)

    async def sweep() -> int:
        now = backend.clock.now()
        await backend.queue.sweep(
            stateless_before=now - int(settings.stateless_retention_seconds * 1e6),
            keys_before=now - int(settings.idempotency_seconds * 1e6),
        )
        return 0

    every = min(60.0, max(1.0, settings.stateless_retention_seconds))
    return [Sweep("runs", settings.lease_seconds / 6, rescue), Sweep("stateless", every, sweep)]
