"""TODO."""

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
    """The saver of one attempt: LangGraph's interface, and what the worker needs beside it."""

    async def settled(self) -> None:
        """Returns when everything saved so far is durable; raises what a save in the background failed with."""
        raise NotImplementedError


class Checkpoints(Protocol):
    """Savers over the backend's own tables, in the form LangGraph takes."""

    @property
    def store(self) -> BaseStore: ...

    def for_run(self, lease: Lease, *, eager: bool) -> RunSaver:
        """A saver whose every write is fenced by the attempt and marked with the run.

        An eager one queues writes and goes on; the order of the queue puts them before the run's end."""
        ...

    def for_thread(self) -> BaseCheckpointSaver[str]:
        """A saver for reading state and for updates that no run makes."""
        ...


class GraphLoop(Protocol):
    """Where user code runs."""

    def submit(self, work: Awaitable[T]) -> Awaitable[T]:
        """Runs ``work`` on the loop of the graphs; the result is awaited on the caller's loop."""
        ...


class Backend(Struct, frozen=True):
    """The coherent set of parts that one URL picks.

    ``exclusive``: no other process can be alive on it (else leases decide what was left behind). ``clock`` is the one
    that its rows follow, and whoever reckons with their times has to."""

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
