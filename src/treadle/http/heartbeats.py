"""Heartbeats of open streams: one timer for all of them, however many there are."""

from __future__ import annotations

import asyncio
from typing import Protocol

_SLOTS = 16
"""Groups that beat one after another within an interval, so that thousands do not beat at once."""


class Beating(Protocol):
    def beat(self) -> None: ...


class Beats:
    """Whoever has entered is told to beat: first within the interval after that, then once in each."""

    def __init__(self) -> None:
        self._slots: list[set[Beating]] = [set() for _ in range(_SLOTS)]
        self._slot_of: dict[Beating, int] = {}
        self._now = 0
        self._tick_seconds = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Whether nobody is in, and so no timer runs."""
        return self._timer is None

    def enter(self, one: Beating, seconds: float) -> None:
        """``seconds`` is the interval, the same for all."""
        self._tick_seconds = seconds / _SLOTS
        # The slot that has just had its turn is the last to have the next.
        self._slot_of[one] = self._now
        self._slots[self._now].add(one)
        if self._timer is None:
            self._wait()

    def leave(self, one: Beating) -> None:
        self._slots[self._slot_of.pop(one)].discard(one)
        if not self._slot_of and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._tick_seconds, self._tick)

    def _tick(self) -> None:
        self._now = (self._now + 1) % _SLOTS
        for one in tuple(self._slots[self._now]):
            one.beat()
        self._wait()
