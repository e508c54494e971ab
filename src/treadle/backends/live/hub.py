"""Notifications within one process, and the live tails (tail.py) of runs and threads that have readers.

The writer thread publishes; readers run on any number of event loops. Commits of other processes arrive through a relay
(relay.py), on its thread, and may be lost, repeated, late or out of order.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from weakref import WeakKeyDictionary

from treadle.backends.live.fanout import Fanout
from treadle.backends.live.tail import ReadLog, Tail, TailFollower, ThreadFollower
from treadle.model import CancelAction
from treadle.ports.log import Chunk

_TAIL_EVENTS = 4096
_TAIL_BYTES = 16 * 1024 * 1024
"""Maximum memory of the tail of one run. A reader that is further behind reads the log."""

_HELD = 1024
_HELD_EVENTS = 64
"""Number of new runs whose tail is kept for a first reader, and of events kept for it."""


class Counts:
    """Counts of commits since the start. Only the writer thread changes them."""

    def __init__(self) -> None:
        self.claims = 0
        self.events = 0
        self.expired = 0
        self.ended: Counter[str] = Counter()


class Hub:
    """The subscriptions of this process. Implements ports.queue.Wakeup, and publishes to the tails."""

    def __init__(self, *, tail_events: int = _TAIL_EVENTS, tail_bytes: int = _TAIL_BYTES) -> None:
        self._tail_events = tail_events
        self._tail_bytes = tail_bytes
        self.counts = Counts()
        self._lock = threading.Lock()
        self._tails: dict[str, Tail] = {}
        self._threads: dict[str, Tail] = {}
        self._held: dict[str, Tail] = {}
        self._fanouts: WeakKeyDictionary[asyncio.AbstractEventLoop, Fanout] = WeakKeyDictionary()
        self._queue: list[Callable[[], None]] = []
        self._cancel: list[Callable[[str, CancelAction], None]] = []
        self._delivery: list[Callable[[], None]] = []

    def on_queue(self, callback: Callable[[], None]) -> Callable[[], None]:
        self._queue.append(callback)
        return lambda: self._queue.remove(callback)

    def on_cancel(self, callback: Callable[[str, CancelAction], None]) -> Callable[[], None]:
        self._cancel.append(callback)
        return lambda: self._cancel.remove(callback)

    def on_delivery(self, callback: Callable[[], None]) -> Callable[[], None]:
        self._delivery.append(callback)
        return lambda: self._delivery.remove(callback)

    def delivery_due(self) -> None:
        for callback in tuple(self._delivery):
            callback()

    def queue_changed(self) -> None:
        for callback in tuple(self._queue):
            callback()

    def cancel_marked(self, run_id: str, action: CancelAction) -> None:
        for callback in tuple(self._cancel):
            callback(run_id, action)

    def claimed(self) -> None:
        self.counts.claims += 1

    def ended(self, status: str) -> None:
        """A run has ended or has been rolled back."""
        self.counts.ended[status] += 1

    def expired(self) -> None:
        """A run has been removed by retention."""
        self.counts.expired += 1

    def created(self, run_id: str) -> None:
        """A run was created, with an empty log.

        Its first reader usually follows at once, so its tail is kept for that reader, which then need not read the log.
        All events of the run must be published here from now on.
        """
        with self._lock:
            oldest = next(iter(self._held)) if len(self._held) >= _HELD else None
        if oldest is not None:
            self._let_go(oldest)
        tail = self._enter(self._tails, run_id)
        tail.caught_up(0)
        with self._lock:
            self._held[run_id] = tail

    def _let_go(self, run_id: str) -> None:
        with self._lock:
            tail = self._held.pop(run_id, None)
        if tail is not None:
            tail.leave()

    def published(self, run_id: str, chunk: Chunk) -> None:
        """Publish a chunk that is now in the log."""
        self.counts.events += len(chunk.events)
        self._push(run_id, chunk)

    def _push(self, run_id: str, chunk: Chunk) -> None:
        if tail := self._tails.get(run_id):
            tail.push(chunk)
            if run_id in self._held and (chunk.ends or chunk.last >= _HELD_EVENTS):
                self._let_go(run_id)

    def gone(self, run_id: str) -> None:
        """The run has been removed, which ends its readers."""
        if tail := self._tails.get(run_id):
            tail.finish()
            self._let_go(run_id)

    def published_in_thread(self, thread_id: str, chunk: Chunk) -> None:
        """Publish a chunk, numbered in the thread, that is now in the log."""
        if tail := self._threads.get(thread_id):
            tail.push(chunk)

    def appended(self, run_id: str, thread_id: str, chunk: Chunk, thread_first: int, blob: bytes = b"") -> None:
        """Publish a chunk of a run that is now in the log; its first event is number ``thread_first`` of the thread.

        ``blob`` is the chunk in stored form, if available.
        """
        self.published(run_id, chunk)
        self.published_in_thread(thread_id, Chunk(thread_first, chunk.events))

    def thread_cut(self, thread_id: str, *, whole: bool = False) -> None:
        """Events of the thread have been removed: those of one run, or all of them with the thread."""
        if tail := self._threads.get(thread_id):
            tail.clear(new_generation=whole)

    def resync(self) -> None:
        """Make every reader continue from the log, because hints of other processes may have been lost."""
        for tails in (self._tails, self._threads):
            with self._lock:
                open_now = list(tails.values())
            for tail in open_now:
                tail.clear(new_generation=False)

    def follow(self, run_id: str, after: int, read_log: ReadLog, poll_seconds: float) -> TailFollower:
        tail = self._enter(self._tails, run_id)
        self._let_go(run_id)
        return TailFollower(tail, self._fanout(), run_id, after, read_log, poll_seconds)

    def follow_thread(self, thread_id: str, after: int, read_log: ReadLog, poll_seconds: float) -> ThreadFollower:
        tail = self._enter(self._threads, thread_id)
        return ThreadFollower(tail, self._fanout(), thread_id, after, read_log, poll_seconds)

    def _fanout(self) -> Fanout:
        """The fanout of the running loop."""
        loop = asyncio.get_running_loop()
        with self._lock:
            fanout = self._fanouts.get(loop)
            if fanout is None:
                fanout = self._fanouts[loop] = Fanout(loop)
        return fanout

    def _enter(self, tails: dict[str, Tail], key: str) -> Tail:
        with self._lock:
            tail = tails.get(key)
            if tail is None:
                tail = tails[key] = Tail(self._tail_events, self._tail_bytes, leave=lambda: self._leave(tails, key))
            tail.readers += 1
        return tail

    def _leave(self, tails: dict[str, Tail], key: str) -> None:
        with self._lock:
            tail = tails[key]
            tail.readers -= 1
            if tail.readers == 0:
                del tails[key]
