"""The live tail of a run or thread, and its readers.

Writers publish each chunk after its commit. A reader takes it from memory while it keeps up, and from the log when it
does not. A lock protects the few fields that both sides use. A tail only passes on chunks that continue its last one;
otherwise it sends its readers to the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import TypeAlias

from treadle.backends.live.fanout import UNBATCHED_READERS, Fanout
from treadle.backends.live.shared_reads import INITIAL, LogRead, SharedReads, TailState
from treadle.ports.log import Chunk

_TOGETHER_BYTES = 64 * 1024
"""Chunks up to this size in total are merged into one for a reader."""

ReadLog = Callable[[str, int], Awaitable[tuple[Sequence[Chunk], bool]]]
"""``(run id, after seq) -> (chunks, whether the run still exists)``.

For a thread, the second value is whether its numbers reach the reader's cursor; if not, it is a new thread with an old
id.
"""

_Parked: TypeAlias = "dict[Fanout, set[TailFollower]]"


class Tail:
    """The newest chunks of one run or thread with readers: as many as ``most_events`` and ``most_bytes`` allow, and one
    more.

    ``leave`` removes a reader. ``life`` distinguishes a thread from an earlier one with the same id. The chunks have no
    gaps: a repeated chunk is ignored, and a chunk after a gap replaces all earlier ones.
    """

    def __init__(self, most_events: int, most_bytes: int, *, leave: Callable[[], None] = lambda: None) -> None:
        self._most_events = most_events
        self._most_bytes = most_bytes
        self.leave = leave
        self.readers = 0
        self.generation = 0
        self.gone = False
        self.reads = SharedReads()
        self._lock = threading.Lock()
        self._chunks: deque[tuple[Chunk, int]] = deque()  # with their sizes
        self._events = 0
        self._bytes = 0
        self._last = 0  # seq of the newest chunk
        self._announced = 0  # seq up to which the log is announced to extend
        self._cleared = 0
        # The seq up to which the log was complete at a time when this tail was already listening.
        self._floor: int | None = None
        self._parked: _Parked = {}
        self._parked_for_end: _Parked = {}  # readers that wait for the end only
        # The merged chunk after a cursor, from the last call: readers that keep up all request the same one.
        self._cached: tuple[int, Chunk] | None = None

    def push(self, chunk: Chunk) -> None:
        with self._lock:
            parked = self._take(chunk)
        _wake(parked)

    def _take(self, chunk: Chunk) -> _Parked:
        if self._chunks and chunk.first != self._last + 1:
            if chunk.first <= self._last:
                return self._announce(chunk.last)
            self._forget()
        size = chunk.size
        self._chunks.append((chunk, size))
        self._cached = None
        self._last = chunk.last
        self._count(chunk, size, 1)
        while len(self._chunks) > 1 and (self._events > self._most_events or self._bytes > self._most_bytes):
            self._count(*self._chunks.popleft(), -1)
        return self._release(all=chunk.ends)

    def announce(self, last: int) -> None:
        """The log extends to ``last``. Readers that have less, and find no more here, read the log."""
        with self._lock:
            parked = self._announce(last)
        _wake(parked)

    def _announce(self, last: int) -> _Parked:
        if last <= self._reach():
            return {}
        self._announced = last
        return self._release()

    def _release(self, *, all: bool = True) -> _Parked:
        """Remove and return the waiting readers, to be woken after the lock is released. ``all`` includes waiters for
        the end."""
        parked, self._parked = self._parked, {}
        if all:
            for fanout, followers in self._parked_for_end.items():
                parked.setdefault(fanout, set()).update(followers)
            self._parked_for_end = {}
        return parked

    def _count(self, chunk: Chunk, size: int, sign: int) -> None:
        self._events += sign * len(chunk.events)
        self._bytes += sign * size

    def _forget(self) -> None:
        self._chunks.clear()
        self._cached = None
        self._events = self._bytes = 0

    def clear(self, *, new_generation: bool) -> None:
        """Forget all chunks, since they may have been removed from the log. Readers continue from the log."""
        with self._lock:
            self._forget()
            self._announced = 0
            self._floor = None
            self._cleared += 1
            self.reads = SharedReads()
            self.generation += new_generation
            parked = self._release()
        _wake(parked)

    def finish(self) -> None:
        with self._lock:
            self.gone = True
            parked = self._release()
        _wake(parked)

    def since(self, cursor: int) -> Sequence[Chunk] | None:
        """The chunks after ``cursor``, or the first of them if there are many. None if the log must be read."""
        with self._lock:
            if self._chunks and self._last > cursor:
                if self._cached is None or self._cached[0] != cursor:
                    if self._chunks[0][0].first > cursor + 1:
                        return None
                    self._cached = (cursor, _first(self._after(cursor)))
                return (self._cached[1],)
            newest = bool(self._chunks) and cursor == self._last
            complete = newest or (self._floor is not None and cursor >= self._floor)
            return () if complete and cursor >= self._announced else None

    def _after(self, cursor: int) -> deque[tuple[Chunk, int]]:
        found: deque[tuple[Chunk, int]] = deque()
        for each in reversed(self._chunks):
            if each[0].last <= cursor:
                break
            found.appendleft(each)
        return found

    def known_to(self) -> int | None:
        """The seq up to which everything is known, so that the end of the run will be pushed. None if the log must be
        read."""
        with self._lock:
            if self._announced > self._last or not (self._chunks or self._floor is not None):
                return None
            return self._last if self._chunks else self._floor

    def end_seq(self) -> int | None:
        """The seq of the run's end, if it is in memory."""
        with self._lock:
            return self._last if self._chunks and self._chunks[-1][0].ends else None

    def ended_by(self, cursor: int) -> bool:
        """Whether the end of the run is in memory and not after ``cursor``."""
        with self._lock:
            return bool(self._chunks) and self._last <= cursor and self._chunks[-1][0].ends

    def state(self) -> TailState:
        """The state when a log read begins, for ``caught_up``."""
        with self._lock:
            return TailState(self._reach(), self._cleared)

    def _reach(self) -> int:
        return max(self._announced, self._last) if self._chunks else self._announced

    def caught_up(self, cursor: int, heard: TailState = INITIAL) -> None:
        """A log read that began in state ``heard`` returned nothing after ``cursor``. From now on, chunks are
        pushed."""
        with self._lock:
            if heard.cleared != self._cleared:  # chunks published after the read may have been cleared
                return
            self._floor = cursor if self._floor is None else min(self._floor, cursor)
            if cursor < self._reach() <= heard.reach:  # the announced events have been removed since
                self._forget()
                self._announced = 0

    def park(self, follower: TailFollower) -> bool:
        """Register a reader for the next push. False if chunks are already available for it."""
        with self._lock:
            if self.gone or self._reach() > follower.cursor:
                return False
            self._parked.setdefault(follower.fanout, set()).add(follower)
            if sum(map(len, self._parked.values())) >= self.readers:
                self.reads.drop()
            return True

    def park_for_end(self, follower: TailFollower) -> bool:
        """Like ``park``, for a reader that is woken only by the end of the run, or when it must read the log."""
        with self._lock:
            ended = bool(self._chunks) and self._chunks[-1][0].ends
            if self.gone or ended or self._announced > max(follower.cursor, self._last):
                return False
            self._parked_for_end.setdefault(follower.fanout, set()).add(follower)
            return True

    def unpark(self, follower: TailFollower) -> None:
        with self._lock:
            for parked in (self._parked, self._parked_for_end):
                parked.get(follower.fanout, set[TailFollower]()).discard(follower)


def _first(chunks: Iterable[tuple[Chunk, int]]) -> Chunk:
    """The first chunk, merged with as many of the following ones as the limit allows."""
    return next(_together(chunks))


def _together(chunks: Iterable[tuple[Chunk, int]]) -> Iterator[Chunk]:
    """Merge chunks, so that each result is encoded and sent once. Gaps are preserved."""
    parts, total = list[Chunk](), 0
    for chunk, size in chunks:
        total += size
        if parts and (total > _TOGETHER_BYTES or chunk.first != parts[-1].last + 1):
            yield _joined(parts)
            parts, total = [], size
        parts.append(chunk)
    if parts:
        yield _joined(parts)


def _joined(parts: list[Chunk]) -> Chunk:
    if len(parts) == 1:
        return parts[0]
    return Chunk(parts[0].first, tuple(chain.from_iterable(part.events for part in parts)), {}, parts)


def _wake(parked: _Parked) -> None:
    for fanout, followers in parked.items():
        with contextlib.suppress(RuntimeError):  # the loop is closed: its readers are gone
            fanout.wake(followers)


class TailFollower:
    """A reader (ports.log.Follower): reads the log until it has caught up, then the tail.

    It registers with the tail before its first read of the log, so an event committed in between is found in one of
    them.
    """

    __slots__ = (
        "_checked",
        "_future",
        "_key",
        "_page",
        "_poll_seconds",
        "_read_log",
        "_tail",
        "_woken",
        "cursor",
        "ended",
        "fanout",
    )

    def __init__(
        self, tail: Tail, fanout: Fanout, key: str, after: int, read_log: ReadLog, poll_seconds: float
    ) -> None:
        self.cursor = after
        self.ended = False
        self.fanout = fanout
        self._key = key
        self._tail: Tail | None = tail
        self._read_log = read_log
        self._page: Sequence[Chunk] = ()  # read from the log, not yet returned
        self._poll_seconds = poll_seconds
        self._checked = fanout.loop.time()
        self._future: asyncio.Future[None] | None = None
        self._woken = False

    async def read(self, timeout: float | None = None) -> Sequence[Chunk]:
        tail = self._tail
        assert tail is not None, "the follower is closed"
        chunks = self._page or tail.since(self.cursor)
        if self.fanout.busy and tail.readers > UNBATCHED_READERS and (chunks is None or chunks):
            await self._wait(self.fanout.enqueue)
            chunks = self._page or tail.since(self.cursor)
        if chunks is None or (not chunks and self._is_stale()):
            chunks = await self._from_log(tail)
            if not chunks and not self.ended and tail.since(self.cursor) is None:
                return ()  # a hint in the meantime requires another read
        if chunks:
            self._page = chunks[1:]
            return self._advance(chunks[0])
        if self._is_over(tail):
            self.ended = True
        if not self.ended:
            await self._wait(tail.park, timeout)
        chunks = tail.since(self.cursor)
        return self._advance(chunks[0]) if chunks else ()

    async def end(self, timeout: float | None = None) -> None:
        tail = self._tail
        assert tail is not None, "the follower is closed"
        newest = None if self._page or self._is_stale() else tail.known_to()
        if (last := tail.end_seq()) is not None:
            self.cursor, self.ended = last, True
        elif tail.gone:
            self.ended = True
        elif newest is None:
            await self.read(timeout)  # from the log, which may contain the end
        else:
            self.cursor = max(self.cursor, newest)
            await self._wait(tail.park_for_end, timeout)

    def _is_stale(self) -> bool:
        """Whether to read the log again because a hint may have been lost."""
        return self.fanout.loop.time() - self._checked > self._poll_seconds

    def _is_over(self, tail: Tail) -> bool:
        return tail.gone or tail.ended_by(self.cursor)

    async def _from_log(self, tail: Tail) -> Sequence[Chunk]:
        async def read() -> LogRead:
            heard = tail.state()
            chunks, active = await self._read_log(self._key, cursor)
            return LogRead(list(_together((chunk, chunk.size) for chunk in chunks)), active, heard)

        cursor = self.cursor
        page = await (read() if tail.readers == 1 else tail.reads.read(cursor, read))
        self._checked = self.fanout.loop.time()
        if not page.chunks:
            self.ended = not page.active
            if page.active:  # nothing is pushed after the end: every reader that reaches it finds it in the log
                tail.caught_up(cursor, page.heard)
        return page.chunks

    def _advance(self, chunk: Chunk) -> Sequence[Chunk]:
        if chunk.first <= self.cursor:
            chunk = _after(chunk, self.cursor)
        self.cursor = chunk.last
        self.ended = chunk.ends
        return (chunk,)

    async def _wait(self, register: Callable[[TailFollower], bool], timeout: float | None = None) -> None:
        """Wait for a push, a wake or the timeout. A wake since the last wait counts."""
        if self._woken:
            self._woken = False
            return
        self._future = self.fanout.loop.create_future()
        timer = None if timeout is None else self.fanout.loop.call_later(timeout, self.wake)
        try:
            if register(self):
                await self._future
        finally:
            if timer is not None:
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
    """A reader of a thread. No run's end is its end. If the thread was recreated under the same id, it starts over."""

    __slots__ = ("_generation",)

    def __init__(
        self, tail: Tail, fanout: Fanout, key: str, after: int, read_log: ReadLog, poll_seconds: float
    ) -> None:
        super().__init__(tail, fanout, key, after, read_log, poll_seconds)
        self._generation = tail.generation

    async def read(self, timeout: float | None = None) -> Sequence[Chunk]:
        if self._tail is not None and self._tail.generation != self._generation:
            self._generation, self.cursor, self._page = self._tail.generation, 0, ()
        return await super().read(timeout)

    def _is_over(self, tail: Tail) -> bool:
        return False

    async def _from_log(self, tail: Tail) -> Sequence[Chunk]:
        chunks = await super()._from_log(tail)
        if self.ended:  # recreated, and the hint was lost
            self.ended, self.cursor, tail.reads = False, 0, SharedReads()
            chunks = await super()._from_log(tail)
        return chunks

    def _advance(self, chunk: Chunk) -> Sequence[Chunk]:
        if self._tail is None or self._tail.generation != self._generation:
            return ()
        chunks = super()._advance(chunk)
        self.ended = False
        return chunks


def _after(chunk: Chunk, cursor: int) -> Chunk:
    return Chunk(cursor + 1, chunk.events[cursor + 1 - chunk.first :])
