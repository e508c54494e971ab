"""Retries: the budget, the backoff, and the server's Retry-After. Pure."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from treadle.errors import TreadleError

RETRIED_STATUSES = frozenset({429, 502, 503, 504})
REFUSED_STATUSES = frozenset({429, 503})
"""Statuses of requests that were not processed, so that even calls that are not idempotent can be retried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often and how long a call is retried.

    ``tries`` counts successive tries without progress; 0 disables retries. The nth retry waits a random time between
    half of ``first_seconds * 2**(n-1)`` and all of it, at most ``max_seconds``, and at least the server's Retry-After.
    A Retry-After above ``max_retry_after_seconds`` ends the call with the server's error.
    """

    tries: int = 10
    first_seconds: float = 0.2
    max_seconds: float = 10.0
    max_retry_after_seconds: float = 60.0
    random: Callable[[], float] = field(default=random.random, repr=False)

    def __post_init__(self) -> None:
        for name in ("tries", "first_seconds", "max_seconds", "max_retry_after_seconds"):
            if getattr(self, name) < 0:
                raise ValueError(f"Retry.{name} must be 0 or more, not {getattr(self, name)}")

    def delay(self, failures: int) -> float:
        """Seconds to wait after ``failures`` successive failures (from 1)."""
        ceiling = min(self.max_seconds, self.first_seconds * 2.0 ** min(failures - 1, 60))
        return ceiling * (0.5 + self.random() / 2)


class TryAgain(Exception):
    """A try failed, but a retry may succeed. ``error`` is raised if none does.

    ``after`` is the server's Retry-After in seconds. ``lost`` means that the server may have processed the call.
    """

    def __init__(self, error: TreadleError, *, after: float | None = None, lost: bool = True) -> None:
        super().__init__(error.detail)
        self.error = error
        self.after = after
        self.lost = lost


class Tries:
    """The remaining tries of one call. Progress restores all of them."""

    def __init__(self, retry: Retry) -> None:
        self._retry = retry
        self._failures = 0
        self.lost = False

    def progress(self) -> None:
        self._failures = 0

    def pause(self, failure: TryAgain) -> float:
        """Seconds until the next try. Raises the failure's error if no try is left."""
        self._failures += 1
        self.lost = self.lost or failure.lost
        after = failure.after or 0.0
        if self._failures > self._retry.tries or after > self._retry.max_retry_after_seconds:
            raise failure.error
        return max(after, self._retry.delay(self._failures))


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """The seconds of a Retry-After header: a number, or a date after ``now``. None if it is invalid."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds()) if date.tzinfo else None
