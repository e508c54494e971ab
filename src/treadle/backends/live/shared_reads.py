"""Share log reads between the readers of one tail: hundreds of readers that join or fall behind read the log once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from treadle.ports.log import Chunk

_KEPT = 2
"""Number of finished reads that are kept. A page may have some MiB."""


class TailState(NamedTuple):
    """The state of a tail when a read began: the announced end of the log, and how often the tail was cleared."""

    reach: int
    cleared: int


INITIAL = TailState(0, 0)


class LogRead(NamedTuple):
    """The result of a log read: whether more may follow, and the tail's state when it began."""

    chunks: Sequence[Chunk]
    active: bool
    heard: TailState


class SharedReads:
    """Reads by cursor: those in progress, and the last ones that returned chunks, which later readers can reuse."""

    def __init__(self) -> None:
        self._under_way: dict[tuple[int, asyncio.AbstractEventLoop], asyncio.Task[LogRead]] = {}
        self._found: dict[int, LogRead] = {}

    async def read(self, cursor: int, read: Callable[[], Awaitable[LogRead]]) -> LogRead:
        """The chunks after ``cursor``: from ``read``, unless another reader has read them or is reading them."""
        if (found := self._found.get(cursor)) is not None:
            return found
        key = (cursor, asyncio.get_running_loop())
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.ensure_future(self._read(key, read))
        # Shielded: a reader that leaves must not cancel the read for the others.
        return await asyncio.shield(task)

    async def _read(
        self, key: tuple[int, asyncio.AbstractEventLoop], read: Callable[[], Awaitable[LogRead]]
    ) -> LogRead:
        try:
            page = await read()
        finally:
            del self._under_way[key]
        if page.chunks:
            self._found[key[0]] = page
            while len(self._found) > _KEPT:
                del self._found[next(iter(self._found))]
        return page

    def drop(self) -> None:
        """Forget finished reads, once all readers have them."""
        self._found.clear()
