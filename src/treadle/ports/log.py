"""What readers of the event log are given: chunks, by a follower. ``ports`` says where they get one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from msgspec import Struct

from treadle.model import (
    Event,
)
from treadle.ports.queue import Lease


class Chunk(Struct):
    """Events ``first … last`` of one run, as they were committed together, or the ``parts`` of which it was made.
    ``frames`` caches their wire bytes."""

    first: int
    events: Sequence[Event]
    frames: dict[Any, bytes] = {}
    parts: Sequence[Chunk] = ()

    @property
    def last(self) -> int:
        return self.first + len(self.events) - 1

    @property
    def size(self) -> int:
        """Bytes of data in it."""
        return sum(len(event.data) for event in self.events)

    @property
    def ends(self) -> bool:
        return self.events[-1].mode == "end"


class Follower(Protocol):
    """One reader of a run or thread. ``cursor`` is the seq of the last event returned, ``ended`` if it was the end."""

    cursor: int
    ended: bool

    async def read(self, timeout: float | None = None) -> Sequence[Chunk]:
        """The next events in order, waiting up to ``timeout`` seconds, or for ``wake``; empty when nothing came.

        Sets ``ended`` when the terminal event of its run is among them, or when the run is gone."""
        ...

    async def end(self, timeout: float | None = None) -> None:
        """``read`` for who wants to know of the end only: what comes before it is passed over. Not for threads."""
        ...

    def wake(self) -> None:
        """Makes a waiting ``read`` or ``end`` return at once. Call it from the reader's own loop."""
        ...

    def close(self) -> None: ...


class EventLog(Protocol):
    """One log, one writer a run (the lease holder), any number of readers. Commit, then tell."""

    async def append(self, lease: Lease, events: Sequence[Event]) -> None:
        """Appends with the next dense seqs of the run and the next order numbers of the thread.

        Returns when they are durable; readers see them only after that. Raises LeaseLost."""
        ...

    def follow(self, run_id: str, after: int = 0) -> Follower:
        """Reads ``run_id`` after seq ``after``, from the log into the live tail without a seam."""
        ...

    async def bounds(self, run_id: str) -> tuple[int, int]:
        """``(first, last)`` seq that is kept; first is last + 1 when nothing is: nothing yet, or nothing any more."""
        ...

    def follow_thread(self, thread_id: str, after: int = 0) -> Follower:
        """Reads all runs of a thread, and what is not there yet, in the thread's order; it never ends.

        Runs that are deleted leave holes; one that is rolled back while it runs leaves its ``end``."""
        ...

    async def thread_cursor(self, thread_id: str, event_id: tuple[int, int] | None = None) -> int:
        """The place in the thread's order of the last event, or of ``(ms, seq)``, seq of the thread or of a run."""
        ...
