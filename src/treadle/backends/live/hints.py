"""The hints that processes of a cluster exchange, and how many hints are combined into few.

A hint is never the truth. A process that misses it finds the same in the database at its next poll.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from msgspec import Struct

from treadle.model import CancelAction


class QueueChanged(Struct, frozen=True, array_like=True, tag=1):
    """A run may be claimable."""


class DeliveryDue(Struct, frozen=True, array_like=True, tag=2):
    """A webhook may be due."""


class Cancel(Struct, frozen=True, array_like=True, tag=3):
    """A running run got a cancel mark."""

    run_id: str
    action: CancelAction


class RunRemoved(Struct, frozen=True, array_like=True, tag=4):
    """The run has been removed."""

    run_id: str


class ThreadTrimmed(Struct, frozen=True, array_like=True, tag=5):
    """Events of the thread have been removed, or with ``whole`` the thread itself."""

    thread_id: str
    whole: bool


class RunAt(Struct, frozen=True, array_like=True, tag=6):
    """The log of the run extends to seq ``last``."""

    run_id: str
    last: int


class ThreadAt(Struct, frozen=True, array_like=True, tag=7):
    """The log of the thread extends to ``last``."""

    thread_id: str
    last: int


class Appended(Struct, frozen=True, array_like=True, tag=8):
    """``count`` events in stored form, numbered from ``first`` in the run and from ``thread_first`` in the thread.

    Without a run or a thread its id is empty.
    """

    run_id: str
    first: int
    thread_id: str
    thread_first: int
    count: int
    blob: bytes


class HintsDropped(Struct, frozen=True, array_like=True, tag=9):
    """More hints than could be sent were dropped: anything may have happened."""


class PrimaryLost(Struct, frozen=True, array_like=True, tag=10):
    """The sender does not receive from the primary relay (relay.FallbackRelay)."""


Hint: TypeAlias = (
    QueueChanged
    | DeliveryDue
    | Cancel
    | RunRemoved
    | ThreadTrimmed
    | RunAt
    | ThreadAt
    | Appended
    | HintsDropped
    | PrimaryLost
)

_LOG_HINTS = (RunRemoved, ThreadTrimmed, RunAt, ThreadAt, Appended)


def concerns_logs(hint: Hint) -> bool:
    """Whether only processes with readers need it."""
    return isinstance(hint, _LOG_HINTS)


def size(hint: Hint) -> int:
    """An upper bound of its size in bytes."""
    return 192 + len(hint.blob) if isinstance(hint, Appended) else 192


def without_events(hints: Iterable[Hint]) -> list[Hint]:
    """The same hints with announcements instead of events."""
    return [bare for hint in hints for bare in (_bare(hint) if isinstance(hint, Appended) else (hint,))]


def _bare(appended: Appended) -> Iterable[Hint]:
    if appended.run_id:
        yield RunAt(appended.run_id, appended.first + appended.count - 1)
    if appended.thread_id:
        yield ThreadAt(appended.thread_id, appended.thread_first + appended.count - 1)


def coalesce(hints: Iterable[Hint]) -> list[Hint]:
    """Remove repetitions, keeping the last of each. Of the announcements of one log, only the last remains."""
    newest: dict[object, Hint] = {}
    for hint in hints:
        key = _subject(hint)
        newest.pop(key, None)
        newest[key] = hint
    return list(newest.values())


def _subject(hint: Hint) -> object:
    if isinstance(hint, RunAt):
        return RunAt, hint.run_id
    if isinstance(hint, ThreadAt):
        return ThreadAt, hint.thread_id
    return id(hint) if isinstance(hint, Appended) else hint


def messages(hints: Sequence[Hint], most: int, size: Callable[[Hint], int] = size) -> list[list[Hint]]:
    """The hints in order, in as few messages of at most ``most`` bytes as possible.

    Events too large for a message are announced instead of carried. A hint that is still too large becomes
    ``HintsDropped``.
    """
    made: list[list[Hint]] = []
    room = 0
    for hint in hints:
        for part in (hint,) if size(hint) <= most else _small(hint, most, size):
            room -= size(part)
            if room < 0:
                made.append([])
                room = most - size(part)
            made[-1].append(part)
    return made


def _small(hint: Hint, most: int, size: Callable[[Hint], int]) -> list[Hint]:
    return [part if size(part) <= most else HintsDropped() for part in without_events([hint])]


class HintBuffer:
    """The hints waiting for the sending thread.

    ``put`` never waits for that thread. If it falls behind, events are replaced by announcements, and finally all hints
    by one ``HintsDropped``, so memory is bounded.
    """

    def __init__(self, *, most: int = 20_000, most_bytes: int = 16 * 1024 * 1024) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._changed = threading.Condition()
        self._hints: list[Hint] = []
        self._bytes = 0
        self._closed = False

    def put(self, hints: Iterable[Hint]) -> None:
        with self._changed:
            for hint in hints:
                self._hints.append(hint)
                self._bytes += size(hint)
            if len(self._hints) > self._most or self._bytes > self._most_bytes:
                self._shrink()
            self._changed.notify()

    def put_back(self, hints: Iterable[Hint]) -> None:
        """Put unsent hints back in front, without their events, which are late by now."""
        with self._changed:
            self._hints = [*without_events(hints), *self._hints]
            self._shrink()

    def take(self) -> list[Hint]:
        """Wait for hints and return all of them. Empty only when the buffer is closed and drained."""
        with self._changed:
            while not self._hints and not self._closed:
                self._changed.wait()
            return self._drain()

    def drain(self) -> list[Hint]:
        with self._changed:
            return self._drain()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _drain(self) -> list[Hint]:
        hints, self._hints, self._bytes = self._hints, [], 0
        return hints

    def _shrink(self) -> None:
        self._hints = coalesce(without_events(self._hints))
        if len(self._hints) > self._most // 2:
            self._hints = [HintsDropped()]
        self._bytes = sum(map(size, self._hints))
