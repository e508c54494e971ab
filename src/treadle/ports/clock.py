"""TODO."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    def now(self) -> int:
        """Unix microseconds."""
        ...

    def monotonic(self) -> float:
        """Seconds that only ever grow, for deadlines and intervals."""
        ...
