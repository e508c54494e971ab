"""Wake the readers of one event loop in groups, with pauses in between that grow with the cost of a group.

Hundreds of readers of one run would otherwise compete for the GIL with the run itself. With the pauses, the serving
loop works for them only part of the time. Events committed during a pause reach each reader together, which costs less.
A few readers are woken at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection
from time import thread_time
from typing import Protocol

UNBATCHED_READERS = 8
"""Up to this many readers of one run are always woken at once."""

_AIM_SECONDS = 0.0015
"""Target duration of a group, during which other threads wait for the GIL."""
_REST = 2.0
"""Length of the pause after a group, relative to the group's duration."""
_LONGEST_REST_SECONDS = 0.01
_SMALLEST, _LARGEST = 8, 128


class Wakeable(Protocol):
    """A reader that waits on the loop."""

    def wake(self) -> None: ...


class Fanout:
    """The fanout of one event loop. Only ``wake`` may be called from other threads."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.busy = False
        """True while a group is being served or a pause lasts. A reader in a large group should then call
        ``enqueue``."""
        self._pending: deque[Wakeable] = deque()
        self._group = 32

    def wake(self, readers: Collection[Wakeable]) -> None:
        """Wake readers, from any thread. Raises RuntimeError if the loop is closed."""
        self.loop.call_soon_threadsafe(self._wake, readers)

    def _wake(self, readers: Collection[Wakeable]) -> None:
        if len(readers) <= UNBATCHED_READERS:
            for reader in readers:
                reader.wake()
        else:
            self._queue(readers)

    def enqueue(self, reader: Wakeable) -> bool:
        """Wake ``reader`` after those already waiting. Call it on the loop. Always True: the reader has to wait."""
        self._queue((reader,))
        return True

    def _queue(self, readers: Collection[Wakeable]) -> None:
        self._pending.extend(readers)
        if not self.busy:
            self.busy = True
            self._serve()

    def _serve(self) -> None:
        began = thread_time()  # excludes the time of other threads
        for _ in range(min(self._group, len(self._pending))):
            self._pending.popleft().wake()
        # The woken readers run in the next iteration of the loop, and their output is written at its end.
        self.loop.call_soon(self.loop.call_soon, self._served, began)

    def _served(self, began: float) -> None:
        took = thread_time() - began
        if took > 2 * _AIM_SECONDS:
            self._group = max(_SMALLEST, self._group // 2)
        elif took < _AIM_SECONDS / 2:
            self._group = min(_LARGEST, self._group * 2)
        self.loop.call_later(min(took * _REST, _LONGEST_REST_SECONDS), self._rested)

    def _rested(self) -> None:
        if self._pending:
            self._serve()
        else:
            self.busy = False
