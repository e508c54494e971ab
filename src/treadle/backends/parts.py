"""The parts of a backend over an engine and a hub: the same ones for either database."""

from __future__ import annotations

from collections.abc import Callable

from langgraph.store.base import IndexConfig, TTLConfig

from treadle.backends.checkpoints import SqlCheckpointer
from treadle.backends.engine import Engine
from treadle.backends.hub import Hub
from treadle.backends.queue import SqlEventLog, SqlQueue, SqlRecords
from treadle.backends.statistics import SqlStatistics
from treadle.backends.store import SqlStore
from treadle.backends.webhooks import SqlDeliveries
from treadle.ports import Backend, Lease


class SqlCheckpoints:
    """ports.Checkpoints."""

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
        deliveries=SqlDeliveries(engine),
        statistics=SqlStatistics(engine, hub),
        sweep_store=store.asweep,
        close=close,
    )
