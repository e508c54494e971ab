"""Open a backend on PostgreSQL, with hints through Redis if configured, otherwise through PostgreSQL itself."""

from __future__ import annotations

import os
import socket

from langgraph.store.base import IndexConfig, TTLConfig

from treadle.backends.assemble import assemble
from treadle.backends.engine.postgres import PostgresEngine
from treadle.backends.engine.postgres_schema import namespace, require_current
from treadle.backends.live.relay import ClusterHub, FallbackRelay, Relay
from treadle.backends.live.relay_postgres import PostgresRelay
from treadle.ports.backend import Backend
from treadle.ports.clock import Clock

_POLL_SECONDS = 2.0
"""The longest delay of a reader after a lost hint."""


def open_postgres(
    url: str,
    *,
    redis_url: str = "",
    clock: Clock | None = None,
    index: IndexConfig | None = None,
    ttl: TTLConfig | None = None,
    serves: bool = True,
) -> Backend:
    """Open this process's part of a cluster. ``serves`` is true if it has readers. Without ``clock``, use the
    database's time.

    Raises SchemaMismatch, and psycopg.OperationalError if the database cannot be reached.
    """
    require_current(url)
    hub = ClusterHub(_relay(url, redis_url, readers=serves))
    engine = PostgresEngine(url, clock=clock, name=f"treadle {socket.gethostname()[:20]} {os.getpid()}")
    engine.start()
    hub.start()

    def close() -> None:
        engine.close()
        hub.close()

    return assemble(engine, hub, index=index, ttl=ttl, exclusive=False, poll_seconds=_POLL_SECONDS, close=close)


def _relay(url: str, redis_url: str, *, readers: bool) -> Relay:
    space = namespace(url)
    direct = PostgresRelay(url, namespace=space, readers=readers)
    if not redis_url:
        return direct
    from treadle.backends.live.relay_redis import RedisRelay

    return FallbackRelay(RedisRelay(redis_url, namespace=space, readers=readers), direct)
