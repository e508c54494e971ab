"""Wake-ups and the live tail within one process.

Writers publish what they have just committed; a reader takes it from memory while it keeps up, and from the log when
it does not. Publishing happens on the writer thread, reading on any number of event loops; a lock guards the few shared
fields. What other processes committed comes by a relay (relay.py), on its thread, and may be lost, repeated, late or
out of order: a tail never passes on what does not connect, it sends its readers to the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Sequence

from treadle.model import CancelAction
from treadle.ports import Chunk

_TAIL_EVENTS = 4096
_TAIL_BYTES = 16 * 1024 * 1024
"""What a tail keeps in memory for the readers of one run, at most; a reader further behind reads the log."""

_HELD = 1024
_HELD_EVENTS = 64
"""Of how many new runs the tail is held for a reader to come, and for how many events."""

ReadLog = Callable[[str, int], Awaitable[tuple[Sequence[Chunk], bool]]]
"""``(run id, after seq) -> (chunks, whether the run still exists)``; of a thread, whether its numbers reach as far as
the reader's: if not, it is one made anew under the id."""


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
            tail.clear(new_life=whole)

    def interrupted(self) -> None:
        """What was published elsewhere may have been lost: every reader goes on from the log."""
        for tails in (self._tails, self._threads):
            with self._lock:
                open_now = list(tails.values())
            for tail in open_now:
                tail.clear(new_life=False)

    def follow(self, run_id: str, after: int, read_log: ReadLog, poll_seconds: float) -> TailFollower:
        tail = self._enter(self._tails, run_id)
        self._let_go(run_id)
        return TailFollower(tail, run_id, after, read_log, poll_seconds)

    def follow_thread(self, thread_id: str, after: int, read_log: ReadLog, poll_seconds: float) -> ThreadFollower:
        return ThreadFollower(self._enter(self._threads, thread_id), thread_id, after, read_log, poll_seconds)

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


class Tail:
    """The newest chunks of one run or thread that has readers: as many as fit into ``most_events`` and ``most_bytes``,
    and one. ``leave`` takes a reader off; ``life`` tells a thread from an earlier one of its id.

    What it holds is dense: a chunk that it has is ignored, one behind a gap makes it forget what came before."""

    def __init__(self, most_events: int, most_bytes: int, *, leave: Callable[[], None] = lambda: None) -> None:
        self._most_events = most_events
        self._most_bytes = most_bytes
        self.leave = leave
        self.readers = 0
        self.life = 0
        self.gone = False
        self._lock = threading.Lock()
        self._chunks: deque[Chunk] = deque()
        self._events = 0
        self._bytes = 0
        self._last = 0  # of the newest chunk it holds
        self._told = 0  # seq up to which the log is said to reach
        # Seq up to which the log was seen to be complete while this tail was already listening.
        self._floor: int | None = None
        self._waiting: set[TailFollower] = set()

    def push(self, chunk: Chunk) -> None:
        with self._lock:
            waiting = self._take(chunk)
        _wake(waiting)

    def _take(self, chunk: Chunk) -> set[TailFollower]:
        if self._chunks and chunk.first != self._last + 1:
            if chunk.first <= self._last:
                return self._hear_of(chunk.last)
            self._forget()
        self._chunks.append(chunk)
        self._last = chunk.last
        self._count(chunk, 1)
        while len(self._chunks) > 1 and (self._events > self._most_events or self._bytes > self._most_bytes):
            self._count(self._chunks.popleft(), -1)
        return self._release()

    def behind(self, last: int) -> None:
        """The log reaches to ``last``: readers that have less, and find no more here, read it."""
        with self._lock:
            waiting = self._hear_of(last)
        _wake(waiting)

    def _hear_of(self, last: int) -> set[TailFollower]:
        if last <= self._reach():
            return set()
        self._told = last
        return self._release()

    def _release(self) -> set[TailFollower]:
        """The readers that wait, who are to be woken once the lock is free."""
        waiting, self._waiting = self._waiting, set()
        return waiting

    def _count(self, chunk: Chunk, sign: int) -> None:
        self._events += sign * len(chunk.events)
        self._bytes += sign * chunk.size

    def _forget(self) -> None:
        self._chunks.clear()
        self._events = self._bytes = 0

    def clear(self, *, new_life: bool) -> None:
        """Forgets what it holds: it may not be in the log any more. Readers go on from the log."""
        with self._lock:
            self._forget()
            self._told = 0
            self._floor = None
            self.life += new_life
            waiting = self._release()
        _wake(waiting)

    def finish(self) -> None:
        with self._lock:
            self.gone = True
            waiting = self._release()
        _wake(waiting)

    def since(self, cursor: int) -> Sequence[Chunk] | None:
        """What follows ``cursor``; None when only the log can tell."""
        with self._lock:
            if self._chunks and self._last > cursor:
                if self._chunks[0].first > cursor + 1:
                    return None
                return [chunk for chunk in self._chunks if chunk.last > cursor]
            newest = bool(self._chunks) and cursor == self._last
            complete = newest or (self._floor is not None and cursor >= self._floor)
            return () if complete and cursor >= self._told else None

    def ended_by(self, cursor: int) -> bool:
        """Whether the end of the run is here and not after ``cursor``."""
        with self._lock:
            return bool(self._chunks) and self._chunks[-1].ends and self._last <= cursor

    def heard(self) -> int:
        """The seq up to which the log is known to have reached."""
        with self._lock:
            return self._reach()

    def _reach(self) -> int:
        return max(self._told, self._last) if self._chunks else self._told

    def caught_up(self, cursor: int, heard: int = 0) -> None:
        """The log held nothing after ``cursor`` when it was read, ``heard`` known already; what comes now is pushed."""
        with self._lock:
            self._floor = cursor if self._floor is None else min(self._floor, cursor)
            if cursor < self._reach() <= heard:  # what was told of has been removed since
                self._forget()
                self._told = 0

    def park(self, follower: TailFollower) -> bool:
        """Registers a reader to be woken by the next push; False if there is something for it already."""
        with self._lock:
            if self.gone or self._reach() > follower.cursor:
                return False
            self._waiting.add(follower)
            return True

    def unpark(self, follower: TailFollower) -> None:
        with self._lock:
            self._waiting.discard(follower)


def _wake(waiting: set[TailFollower]) -> None:
    """Wakes parked readers, each event loop once."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[TailFollower]] = defaultdict(list)
    for follower in waiting:
        by_loop[follower.loop].append(follower)
    for loop, followers in by_loop.items():
        with contextlib.suppress(RuntimeError):  # that loop has been closed: its readers are gone
            loop.call_soon_threadsafe(_wake_all, followers)


def _wake_all(followers: list[TailFollower]) -> None:
    for follower in followers:
        follower.wake()


class TailFollower:
    """A reader: from the log until it has caught up, then from the tail (ports.Follower).

    It is registered with the tail before it first reads the log, so what is committed in between is in one of them.
    """

    __slots__ = (
        "_checked",
        "_future",
        "_key",
        "_poll_seconds",
        "_read_log",
        "_tail",
        "_woken",
        "cursor",
        "ended",
        "loop",
    )

    def __init__(self, tail: Tail, key: str, after: int, read_log: ReadLog, poll_seconds: float) -> None:
        self.cursor = after
        self.ended = False
        self.loop = asyncio.get_running_loop()
        self._key = key
        self._tail: Tail | None = tail
        self._read_log = read_log
        self._poll_seconds = poll_seconds
        self._checked = self.loop.time()
        self._future: asyncio.Future[None] | None = None
        self._woken = False

    async def read(self, timeout: float) -> Sequence[Chunk]:
        tail = self._tail
        assert tail is not None, "the follower is closed"
        chunks = tail.since(self.cursor)
        if chunks is None or (not chunks and self.loop.time() - self._checked > self._poll_seconds):
            chunks = await self._from_log(tail)
        if chunks:
            return self._advance(chunks)
        if self._is_over(tail):
            self.ended = True
        if not self.ended:
            await self._wait(tail, timeout)
        return self._advance(tail.since(self.cursor) or ())

    def _is_over(self, tail: Tail) -> bool:
        return tail.gone or tail.ended_by(self.cursor)

    async def _from_log(self, tail: Tail) -> Sequence[Chunk]:
        heard = tail.heard()
        chunks, active = await self._read_log(self._key, self.cursor)
        self._checked = self.loop.time()
        if not chunks:
            self.ended = not active
            if active:  # nothing will be pushed after the end: every reader that comes to it finds it in the log
                tail.caught_up(self.cursor, heard)
        return chunks

    def _advance(self, chunks: Sequence[Chunk]) -> Sequence[Chunk]:
        if chunks:
            if chunks[0].first <= self.cursor:
                chunks = [_after(chunks[0], self.cursor), *chunks[1:]]
            self.cursor = chunks[-1].last
            self.ended = chunks[-1].ends
        return chunks

    async def _wait(self, tail: Tail, timeout: float) -> None:
        """Waits for a push, a wake or the end of the time. A wake that came since the last wait counts."""
        if self._woken:
            self._woken = False
            return
        self._future = self.loop.create_future()
        timer = self.loop.call_later(timeout, self.wake)
        try:
            if tail.park(self):
                await self._future
        finally:
            timer.cancel()
            self._future = None

    def wake(self) -> None:
        if self._future is None:
            self._woken = True
        elif not self._future.done():
            self._future.set_result(None)

    def close(self) -> None:
        if self._tail is not None:
            tail, self._tail = self._tail, None
            tail.unpark(self)
            tail.leave()


class ThreadFollower(TailFollower):
    """A reader of a thread: no run's end is its end. Of a thread made anew under the same id it reads everything."""

    __slots__ = ("_life",)

    def __init__(self, tail: Tail, key: str, after: int, read_log: ReadLog, poll_seconds: float) -> None:
        super().__init__(tail, key, after, read_log, poll_seconds)
        self._life = tail.life

    async def read(self, timeout: float) -> Sequence[Chunk]:
        if self._tail is not None and self._tail.life != self._life:
            self._life, self.cursor = self._tail.life, 0
        return await super().read(timeout)

    def _is_over(self, tail: Tail) -> bool:
        return False

    async def _from_log(self, tail: Tail) -> Sequence[Chunk]:
        chunks = await super()._from_log(tail)
        if self.ended:  # made anew, unheard
            self.ended, self.cursor = False, 0
            chunks = await super()._from_log(tail)
        return chunks

    def _advance(self, chunks: Sequence[Chunk]) -> Sequence[Chunk]:
        if self._tail is None or self._tail.life != self._life:
            return ()
        chunks = super()._advance(chunks)
        self.ended = False
        return chunks


def _after(chunk: Chunk, cursor: int) -> Chunk:
    return Chunk(cursor + 1, chunk.events[cursor + 1 - chunk.first :])
