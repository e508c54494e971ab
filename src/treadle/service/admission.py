"""Limit the number of pending runs: beyond it, creating more is refused with a Retry-After."""

from __future__ import annotations

from math import ceil

from treadle.errors import RateLimitError
from treadle.ports.records import Transaction

_RECOUNT_SECONDS = 1.0
_LONGEST_SECONDS = 30
_UNKNOWN_SECONDS = 5
"""The Retry-After before any progress of the queue was measured."""


class Admission:
    """Admits runs while fewer than ``most`` are pending; 0 admits all. Lives on one event loop.

    Counting costs time proportional to ``most``, so one count is used for a quarter of the free places it found. With
    one process, at most ``most`` runs are ever pending. Runs created by other processes are noticed within a second,
    and immediately when few places are left. ``refused`` counts refused runs.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.refused = 0
        self._entered = 0
        self._until = 0
        self._counted_at = float("-inf")
        self._ordinal = 0
        self._pending = 0
        self._created = 0
        self._rate = 0.0

    def enter(self, runs: int, now: float) -> Entry:
        """Announce new runs. ``Entry.check`` belongs in the transaction that creates them."""
        self._entered += runs
        counts = self.most > 0 and (self._entered > self._until or now - self._counted_at >= _RECOUNT_SECONDS)
        return Entry(runs, now, self._entered, self._patience(runs), self.most if counts else 0)

    def check(self, tx: Transaction) -> None:
        """Admit one run that was not announced. Raises RateLimitError."""
        Entry(1, 0.0, 0, self._patience(1), self.most).check(tx)

    def leave(self, entry: Entry) -> None:
        """The transaction has ended, successfully or not."""
        if entry.refused:
            self.refused += entry.runs
        else:
            self._created += entry.runs
        if entry.pending is not None and entry.ordinal > self._ordinal:
            self._see(entry, entry.pending)

    def _see(self, entry: Entry, pending: int) -> None:
        seconds = entry.at - self._counted_at
        if 0 < seconds < _LONGEST_SECONDS:
            drained = max(0, self._pending + self._created - pending)
            self._rate += 0.3 * (drained / seconds - self._rate)
        self._counted_at, self._pending, self._created, self._ordinal = entry.at, pending, 0, entry.ordinal
        self._until = entry.ordinal + max(0, self.most - pending) // 4

    def _patience(self, runs: int) -> int:
        """Seconds until a tenth of the places, or the requested number, should be free."""
        if self._rate <= 0:
            return _UNKNOWN_SECONDS
        return max(1, min(_LONGEST_SECONDS, ceil(max(runs, self.most / 10) / self._rate)))


class Entry:
    """Runs being created. ``pending`` is the number of pending runs including them, once counted."""

    def __init__(self, runs: int, at: float, ordinal: int, patience: int, most: int) -> None:
        self.runs = runs
        self.at = at
        self.ordinal = ordinal
        self.pending: int | None = None
        self.refused = False
        self._patience = patience
        self._most = most

    def check(self, tx: Transaction) -> None:
        """Raise RateLimitError if there is no room. May be called again if the transaction is repeated."""
        if not self._most:
            return
        waiting = tx.pending_runs(self._most)
        self.refused = waiting + self.runs > self._most
        self.pending = waiting if self.refused else waiting + self.runs
        if self.refused:
            text = f"{self._most} runs are pending, the most that max_pending_runs allows"
            raise RateLimitError(text, retry_after=self._patience, max_pending_runs=self._most)
