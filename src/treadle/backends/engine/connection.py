"""The connection through which the SQL functions speak to either database, and the check of a lease."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from treadle.errors import LeaseLost
from treadle.ports.queue import Lease

T = TypeVar("T")


Row = tuple[Any, ...]


Parameters = Sequence[Any] | Mapping[str, Any]


class Cursor(Protocol):
    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchmany(self, size: int, /) -> list[Any]: ...
    def fetchall(self) -> list[Any]: ...
    def __iter__(self) -> Iterator[Any]: ...
    def close(self) -> None: ...


class Connection(Protocol):
    """A connection inside a transaction. Parameters are ``?``, ``?1`` or ``:name``.

    ``indexes_metadata`` is true if an index finds threads by the contents of their metadata.

    In a transaction that writes, ``lock_*`` keeps other transactions from changing the thread (with its runs, their
    events and its checkpoints) or the assistant until it ends. In a transaction that only reads, they do nothing.
    """

    indexes_metadata: bool

    def execute(self, sql: str, parameters: Any = (), /) -> Cursor: ...
    def executemany(self, sql: str, parameters: Iterable[Any], /) -> object: ...
    def lock_thread(self, thread_id: str) -> None: ...
    def lock_thread_of(self, run_id: str) -> None: ...
    def lock_assistant(self, assistant_id: str) -> None: ...


Work = Callable[[Connection], T]


# A run with a worker is running. In this form, no index of running runs distracts the planner from the primary key.
_HOLD = "SELECT 1 FROM runs WHERE run_id = ? AND attempt = ? AND worker_id IS NOT NULL"


def require_lease(conn: Connection, lease: Lease) -> None:
    """Raise LeaseLost unless ``lease`` is the current attempt of a running run. The fence of every write of a run."""
    conn.lock_thread(lease.thread_id)
    if conn.execute(_HOLD, (lease.run_id, lease.attempt)).fetchone() is None:
        raise lease_lost(lease)


def lease_lost(lease: Lease) -> LeaseLost:
    return LeaseLost(f"attempt {lease.attempt} of run {lease.run_id} no longer holds it")
