"""Wake-ups within one process, and the live tails (tail.py) of the runs and threads that have readers.

Publishing happens on the writer thread, reading on any number of event loops. What other processes committed comes by a
relay (relay.py), on its thread, and may be lost, repeated, late or out of order.
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
"""What a tail keeps in memory for the readers of one run, at most; a reader further behind reads the log."""

_HELD = 1024
_HELD_EVENTS = 64
"""Of how many new runs the tail is held for a reader to come, and for how many events."""


class Counts:
    """What has been committed since the start. Only the writer thread changes it."""

    def __init__(self) -> None:
        self.claims = 0
        self.events = 0
        self.expired = 0
        self.ended: Counter[str] = Counter()


class Hub:
    """Who wants to hear of what. Implements ports.Wakeup, and the publishing side of the tails."""

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
        """A run has come to its end, or has been rolled back."""
        self.counts.ended[status] += 1

    def expired(self) -> None:
        """A run was kept as long as it was to be, and has been removed."""
        self.counts.expired += 1

    def created(self, run_id: str) -> None:
        """A run is there, its log empty. Mostly a reader follows at once: its tail is held for that one, who then need
        not read the log. Whatever the run says must be published here from now on."""
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
        """The chunk is in the log now."""
        self.counts.events += len(chunk.events)
        self._push(run_id, chunk)

    def _push(self, run_id: str, chunk: Chunk) -> None:
        if tail := self._tails.get(run_id):
            tail.push(chunk)
            if run_id in self._held and (chunk.ends or chunk.last >= _HELD_EVENTS):
                self._let_go(run_id)

    def gone(self, run_id: str) -> None:
        """The run has been removed; its readers end."""
        if tail := self._tails.get(run_id):
            tail.finish()
            self._let_go(run_id)

    def published_in_thread(self, thread_id: str, chunk: Chunk) -> None:
        """The chunk, numbered in the thread, is in the log now."""
        if tail := self._threads.get(thread_id):
            tail.push(chunk)

    def appended(self, run_id: str, thread_id: str, chunk: Chunk, thread_first: int, blob: bytes = b"") -> None:
        """The chunk of a run is in the log now, its first event as the thread's ``thread_first``. ``blob`` is the
        chunk as the log keeps it, if that is at hand."""
        self.published(run_id, chunk)
        self.published_in_thread(thread_id, Chunk(thread_first, chunk.events))

    def thread_cut(self, thread_id: str, *, whole: bool = False) -> None:
        """Events of the thread have been removed: those of a run, or all with the thread itself."""
        if tail := self._threads.get(thread_id):
            tail.clear(new_generation=whole)

    def resync(self) -> None:
        """What was published elsewhere may have been lost: every reader goes on from the log."""
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
        """That of the running loop."""
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
