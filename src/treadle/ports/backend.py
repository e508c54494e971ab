"""The port of a whole backend: the set of parts that a database URL selects, and its checkpointers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.store.base import BaseStore
from msgspec import Struct

from treadle.ports.clock import Clock
from treadle.ports.deliveries import DeliveryQueue
from treadle.ports.log import EventLog
from treadle.ports.queue import Lease, Queue, Wakeup
from treadle.ports.records import Records
from treadle.ports.statistics import Statistics

T = TypeVar("T")


class RunSaver(BaseCheckpointSaver[str]):
    """The checkpointer of one attempt: LangGraph's interface, and a way to wait for background saves."""

    async def settled(self) -> None:
        """Wait until every save so far is durable. Raises the error of a save that failed in the background."""
        raise NotImplementedError


class Checkpoints(Protocol):
    """LangGraph checkpointers on the backend's own tables."""

    @property
    def store(self) -> BaseStore: ...

    def for_run(self, lease: Lease, *, eager: bool) -> RunSaver:
        """Return a saver that fences every write by the attempt and marks it with the run.

        If ``eager``, a save is queued without waiting for the commit; the queue's order commits it before the run's
        end.
        """
        ...

    def for_thread(self) -> BaseCheckpointSaver[str]:
        """Return a saver for reading state, and for updates made without a run."""
        ...


class GraphLoop(Protocol):
    """The event loop that runs user code."""

    def submit(self, work: Awaitable[T]) -> Awaitable[T]:
        """Run ``work`` on the graphs' loop; its result can be awaited on the caller's loop."""
        ...


class Backend(Struct, frozen=True):
    """The parts of one database, consistent with each other.

    ``exclusive`` means that no other process can use the database; otherwise leases decide which runs are orphans. Use
    ``clock`` for anything compared with row timestamps.
    """

    exclusive: bool
    clock: Clock
    records: Records
    queue: Queue
    log: EventLog
    wakeup: Wakeup
    checkpoints: Checkpoints
    deliveries: DeliveryQueue
    statistics: Statistics
    sweep_store: Callable[[], Awaitable[int]]
    close: Callable[[], None]
