"""Schedule the heartbeats of all open streams with a single timer."""

from __future__ import annotations

import asyncio
from typing import Protocol

_SLOTS = 16
"""Groups that take turns within an interval, so that thousands of streams do not send at the same moment."""


class Beating(Protocol):
    def beat(self) -> None: ...


class Heartbeats:
    """Calls ``beat`` of every stream once per interval, for the first time within the interval after it was added."""

    def __init__(self) -> None:
        self._slots: list[set[Beating]] = [set() for _ in range(_SLOTS)]
        self._slot_of: dict[Beating, int] = {}
        self._now = 0
        self._tick_seconds = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Whether there are no streams, and so no timer."""
        return self._timer is None

    def add(self, stream: Beating, seconds: float) -> None:
        """Add a stream. ``seconds`` is the interval, which is the same for all streams."""
        self._tick_seconds = seconds / _SLOTS
        # The current slot has just had its turn, so a full interval passes before the next one.
        self._slot_of[stream] = self._now
        self._slots[self._now].add(stream)
        if self._timer is None:
            self._wait()

    def remove(self, stream: Beating) -> None:
        self._slots[self._slot_of.pop(stream)].discard(stream)
        if not self._slot_of and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._tick_seconds, self._tick)

    def _tick(self) -> None:
        self._now = (self._now + 1) % _SLOTS
        for stream in tuple(self._slots[self._now]):
            stream.beat()
        self._wait()
