"""Wakes the readers of one event loop in groups, with rests between them that grow with what a group costs.

A run that hundreds follow would else have to fight for the interpreter with the loop that serves them. So that loop
works for such a crowd only part of the time; what is committed meanwhile reaches each of them together, which costs
less. A few readers are woken at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection
from time import thread_time
from typing import Protocol

UNBATCHED_READERS = 8
"""So many readers of one run are no crowd: they are woken at once, whatever goes on."""

_AIM_SECONDS = 0.0015
"""What a group is to cost: for as long others wait for the interpreter."""
_REST = 2.0
"""The rest after a group, in terms of what it took."""
_LONGEST_REST_SECONDS = 0.01
_SMALLEST, _LARGEST = 8, 128


class Wakeable(Protocol):
    """A reader that waits on the loop."""

    def wake(self) -> None: ...


class Fanout:
    """Of one event loop. Only ``wake`` may be called from elsewhere."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.busy = False
        """Whether a group is being served or rested after: who belongs to a crowd should take a ``turn``."""
        self._pending: deque[Wakeable] = deque()
        self._group = 32

    def wake(self, readers: Collection[Wakeable]) -> None:
        """From any thread. Raises RuntimeError when the loop is closed."""
        self.loop.call_soon_threadsafe(self._wake, readers)

    def _wake(self, readers: Collection[Wakeable]) -> None:
        if len(readers) <= UNBATCHED_READERS:
            for reader in readers:
                reader.wake()
        else:
            self._queue(readers)

    def enqueue(self, reader: Wakeable) -> bool:
        """Has ``reader`` woken after those that are waiting already. On the loop; True, as it is to wait then."""
        self._queue((reader,))
        return True

    def _queue(self, readers: Collection[Wakeable]) -> None:
        self._pending.extend(readers)
        if not self.busy:
            self.busy = True
            self._serve()

    def _serve(self) -> None:
        began = thread_time()  # not counting the time that others had
        for _ in range(min(self._group, len(self._pending))):
            self._pending.popleft().wake()
        # Those who were woken work in the next turn of the loop; at its end it writes what they have sent.
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
