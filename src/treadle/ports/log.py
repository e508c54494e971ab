"""The port of the event log: appending events, and followers that read them in chunks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from msgspec import Struct

from treadle.model import (
    Event,
)
from treadle.ports.queue import Lease


class Chunk(Struct):
    """Events ``first … last`` of one run that were committed together, or the ``parts`` that it was merged from.

    ``frames`` caches their encoded bytes.
    """

    first: int
    events: Sequence[Event]
    frames: dict[Any, bytes] = {}
    parts: Sequence[Chunk] = ()

    @property
    def last(self) -> int:
        return self.first + len(self.events) - 1

    @property
    def size(self) -> int:
        """The size of its data in bytes."""
        return sum(len(event.data) for event in self.events)

    @property
    def ends(self) -> bool:
        return self.events[-1].mode == "end"


class Follower(Protocol):
    """A reader of one run or thread. ``cursor`` is the seq of the last returned event; ``ended`` is true if that was
    the end."""

    cursor: int
    ended: bool

    async def read(self, timeout: float | None = None) -> Sequence[Chunk]:
        """Return the next events in order. Waits up to ``timeout`` seconds, or until ``wake``; may return nothing.

        Sets ``ended`` if the events include the run's terminal event, or if the run no longer exists.
        """
        ...

    async def end(self, timeout: float | None = None) -> None:
        """Wait for the run to end, skipping earlier events. Not supported for threads."""
        ...

    def wake(self) -> None:
        """Make a waiting ``read`` or ``end`` return at once. Call it on the reader's own loop."""
        ...

    def close(self) -> None: ...


class EventLog(Protocol):
    """The log of all runs: one writer per run (the lease holder), any number of readers. Commits, then notifies."""

    async def append(self, lease: Lease, events: Sequence[Event]) -> None:
        """Append events with the next seqs of the run and of the thread, without gaps.

        Returns once they are durable; readers see them only after that. Raises LeaseLost.
        """
        ...

    def follow(self, run_id: str, after: int = 0) -> Follower:
        """Read ``run_id`` after seq ``after``: first the log, then the live tail, without a gap in between."""
        ...

    async def bounds(self, run_id: str) -> tuple[int, int]:
        """Return the ``(first, last)`` stored seq. If nothing is stored, yet or any more, first is last + 1."""
        ...

    def follow_thread(self, thread_id: str, after: int = 0) -> Follower:
        """Read all current and future runs of a thread, in the thread's order. It never ends.

        Deleted runs leave gaps. A run that is rolled back while it is running leaves its ``end``.
        """
        ...

    async def thread_cursor(self, thread_id: str, event_id: tuple[int, int] | None = None) -> int:
        """Return the position in the thread's order of the last event, or of the event ``(ms, seq)`` of the thread or a
        run."""
        ...
