"""Assemble the parts of a backend over an engine and a hub, in the same way for both databases."""

from __future__ import annotations

from collections.abc import Callable

from langgraph.store.base import IndexConfig, TTLConfig

from treadle.backends.checkpoints.saver import SqlCheckpointer
from treadle.backends.engine.jobs import Engine
from treadle.backends.live.hub import Hub
from treadle.backends.store.store import SqlStore
from treadle.backends.tables.deliveries import SqlDeliveries
from treadle.backends.tables.log import SqlEventLog
from treadle.backends.tables.queue import SqlQueue
from treadle.backends.tables.statistics import SqlStatistics
from treadle.backends.tables.transaction import SqlRecords
from treadle.ports.backend import Backend
from treadle.ports.queue import Lease


class SqlCheckpoints:
    """Implements ports.backend.Checkpoints."""

    def __init__(self, engine: Engine, store: SqlStore) -> None:
        self._engine = engine
        self.store = store

    def for_run(self, lease: Lease, *, eager: bool) -> SqlCheckpointer:
        return SqlCheckpointer(self._engine, lease=lease, eager=eager)

    def for_thread(self) -> SqlCheckpointer:
        return SqlCheckpointer(self._engine)


def assemble(
    engine: Engine,
    hub: Hub,
    *,
    index: IndexConfig | None,
    ttl: TTLConfig | None,
    exclusive: bool,
    poll_seconds: float,
    close: Callable[[], None],
) -> Backend:
    store = SqlStore(engine, index=index, ttl=ttl)
    return Backend(
        exclusive=exclusive,
        clock=engine.clock,
        records=SqlRecords(engine, hub),
        queue=SqlQueue(engine, hub),
        log=SqlEventLog(engine, hub, poll_seconds=poll_seconds),
        wakeup=hub,
        checkpoints=SqlCheckpoints(engine, store),
        deliveries=SqlDeliveries(engine, hub),
        statistics=SqlStatistics(engine, hub),
        sweep_store=store.asweep,
        close=close,
    )
