"""One attempt of a run as the worker holds it, and the part of the event log that it writes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from itertools import accumulate

import structlog

from treadle.errors import LeaseLost
from treadle.model import CancelAction, Event
from treadle.ports.clock import Clock
from treadle.ports.log import EventLog
from treadle.ports.queue import Claim, Lease

logger = structlog.get_logger("treadle.worker")

_CHUNK_EVENTS = 2048
_CHUNK_BYTES = 1024 * 1024
"""One append takes at most so much, and one event."""
_WAITING_EVENTS = 8192
_WAITING_BYTES = 8 * 1024 * 1024
"""What may wait for the log before the graph has to."""
_RETRY_SECONDS = 0.2

RawPart = tuple[str, str, bytes]


class Attempt:
    """What the worker knows of a claimed run. ``stop`` and ``hand_back`` are called on the loop of the graphs."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.lease: Lease = claim.lease
        self.task: asyncio.Task[None] | None = None
        self.cancelled: CancelAction | None = None
        self.cut_off_at: float | None = None
        self.handing_back = False
        self.started = False
        self.settling = False

    @property
    def stopping(self) -> bool:
        return self.cancelled is not None or self.handing_back

    def stop(self) -> None:
        """Interrupts the graph. A task that has not begun sees by itself that it is to stop (a cancelled one would end
        without a word), and what has begun to settle is left to end."""
        if self.task is not None and self.started and not self.settling:
            self.task.cancel()

    def hand_back(self) -> None:
        self.handing_back = True
        self.stop()


class Appender:
    """Gathers the events of an attempt and appends them, one append in flight: chunks grow with what a commit costs."""

    def __init__(self, log: EventLog, lease: Lease, clock: Clock) -> None:
        self._log = log
        self._lease = lease
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Event] = []
        self._bytes = 0  # of what is waiting
        self._added = 0  # events since the loop last had a turn
        self._flight: asyncio.Task[None] | None = None
        self._scheduled = False
        self.lost: LeaseLost | None = None

    def add(self, parts: Iterable[RawPart]) -> None:
        ms = self._clock.now() // 1000
        for mode, ns, data in parts:
            self._waiting.append(Event(ms, mode, ns, data))
            self._bytes += len(data)
            self._added += 1
        if self._flight is None and not self._scheduled:
            # What the graph emits in this turn of the loop goes together.
            self._scheduled = True
            self._loop.call_soon(self._launch)

    @property
    def full(self) -> bool:
        """Whether the graph has to await ``room`` before it goes on."""
        return self._added >= _CHUNK_EVENTS or self._bytes > _WAITING_BYTES or self.lost is not None

    async def wait_for_capacity(self) -> None:
        """Lets the appending get on, and waits while the log is far behind. Raises LeaseLost when the attempt may not
        write any more."""
        # A graph may emit without ever waiting itself: one turn of the loop launches the append, the next begins it.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        while self.lost is None and (len(self._waiting) > _WAITING_EVENTS or self._bytes > _WAITING_BYTES):
            if self._flight is not None:
                await asyncio.wait([self._flight])
            else:
                await asyncio.sleep(_RETRY_SECONDS)
        self._added = 0
        if self.lost is not None:
            raise self.lost

    async def flushed(self) -> None:
        """Waits for the append of what was added in this turn of the loop."""
        await asyncio.sleep(0)
        if self._flight is not None:
            await asyncio.wait([self._flight])

    async def close(self) -> Sequence[Event]:
        """Ends the appending and returns the events that are not in the log yet; they belong to the final write."""
        self._scheduled = True
        if self._flight is not None:
            await asyncio.wait([self._flight])
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        return waiting

    def _launch(self) -> None:
        self._scheduled = False
        self._added = 0
        if self._waiting and self.lost is None and self._flight is None:
            self._flight = self._loop.create_task(self._append(self._take()))

    def _take(self) -> list[Event]:
        """The oldest of what is waiting, one append's worth."""
        taken = self._waiting[:_CHUNK_EVENTS]
        if self._bytes > _CHUNK_BYTES:
            sizes = accumulate(len(event.data) for event in taken)
            taken = taken[: max(1, sum(size <= _CHUNK_BYTES for size in sizes))]
        del self._waiting[: len(taken)]
        self._bytes -= _size(taken)
        return taken

    async def _append(self, events: list[Event]) -> None:
        try:
            await self._log.append(self._lease, events)
        except LeaseLost as lost:
            self.lost = lost
        except Exception as error:  # the run must not die of a log that cannot take events now: they are kept
            logger.warning("events could not be appended; they wait for the next write", error=repr(error))
            self._waiting[:0] = events
            self._bytes += _size(events)
            self._scheduled = True
            self._loop.call_later(_RETRY_SECONDS, self._retry)
        self._flight = None
        if self._waiting and not self._scheduled:
            self._launch()

    def _retry(self) -> None:
        self._launch()


def _size(events: Iterable[Event]) -> int:
    """Bytes of data."""
    return sum(len(event.data) for event in events)
