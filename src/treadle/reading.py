"""What readers of the event log are given: chunks, by a follower. ``ports`` says where they get one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from msgspec import Struct

from treadle.model import Event


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
