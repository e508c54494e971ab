"""The port of time, so that tests can control it."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    def now(self) -> int:
        """Unix microseconds."""
        ...

    def monotonic(self) -> float:
        """Seconds that never decrease, for deadlines and intervals."""
        ...
