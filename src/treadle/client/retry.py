"""When to try again: the budget, the backoff, and what the server asks for in Retry-After. Pure."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from treadle.errors import TreadleError

RETRIED_STATUSES = frozenset({429, 502, 503, 504})
REFUSED_STATUSES = frozenset({429, 503})
"""Statuses that say the request was not taken up, so that even a call that must not be made twice may be repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often and how patiently a call is tried again.

    ``tries`` counts tries in a row without progress; 0 turns retries off. The nth waits half to all of
    ``first_seconds * 2**(n-1)``, at most ``max_seconds``, and at least what the server asks for in Retry-After. Being
    asked for more than ``max_retry_after_seconds`` ends the call with the server's error.
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
        """Seconds to wait after ``failures`` failures in a row (from 1)."""
        ceiling = min(self.max_seconds, self.first_seconds * 2.0 ** min(failures - 1, 60))
        return ceiling * (0.5 + self.random() / 2)


class TryAgain(Exception):
    """A try failed in a way that a later one may cure. ``error`` is what the caller gets if none does.

    ``after`` is the server's Retry-After in seconds, ``lost`` whether the server may have done what was asked.
    """

    def __init__(self, error: TreadleError, *, after: float | None = None, lost: bool = True) -> None:
        super().__init__(error.detail)
        self.error = error
        self.after = after
        self.lost = lost


class Tries:
    """The tries that one call has left. Progress gives them all back."""

    def __init__(self, retry: Retry) -> None:
        self._retry = retry
        self._failures = 0
        self.lost = False

    def progress(self) -> None:
        self._failures = 0

    def pause(self, failure: TryAgain) -> float:
        """Seconds until the next try; raises the failure's error when there is none left."""
        self._failures += 1
        self.lost = self.lost or failure.lost
        after = failure.after or 0.0
        if self._failures > self._retry.tries or after > self._retry.max_retry_after_seconds:
            raise failure.error
        return max(after, self._retry.delay(self._failures))


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds of a Retry-After header: a number, or a date after ``now``. None if it says nothing usable."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds()) if date.tzinfo else None
