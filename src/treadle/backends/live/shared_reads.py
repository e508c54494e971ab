"""What several readers of one tail read from the log: hundreds that join at once, or fall behind, read it once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from treadle.ports.log import Chunk

_KEPT = 2
"""Reads that are kept for readers to come: a page may have some MiB."""


class TailState(NamedTuple):
    """What a tail knew as a reading began: how far the log is said to reach, and how often the tail was cleared."""

    reach: int
    cleared: int


INITIAL = TailState(0, 0)


class LogRead(NamedTuple):
    """A reading of the log: whether more may come, and what was known as it began."""

    chunks: Sequence[Chunk]
    active: bool
    heard: TailState


class SharedReads:
    """Readings by cursor: those under way, and the last that found something. What was found may be found again."""

    def __init__(self) -> None:
        self._under_way: dict[tuple[int, asyncio.AbstractEventLoop], asyncio.Task[LogRead]] = {}
        self._found: dict[int, LogRead] = {}

    async def read(self, cursor: int, read: Callable[[], Awaitable[LogRead]]) -> LogRead:
        """What is after ``cursor``: by ``read``, unless another reader has read it or is about to."""
        if (found := self._found.get(cursor)) is not None:
            return found
        key = (cursor, asyncio.get_running_loop())
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.ensure_future(self._read(key, read))
        # Shielded: a reader that leaves must not take the reading from the others.
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
        """All readers have what was found."""
        self._found.clear()
