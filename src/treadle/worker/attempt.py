"""One attempt of a run in the worker, and the appender that writes its events to the log."""

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
"""Maximum size of one append, unless a single event is larger."""
_WAITING_EVENTS = 8192
_WAITING_BYTES = 8 * 1024 * 1024
"""Size of the unwritten events at which the graph has to wait for the log."""
_RETRY_SECONDS = 0.2

RawPart = tuple[str, str, bytes]


class Attempt:
    """A claimed run in this worker. Call ``stop`` and ``hand_back`` on the graphs' event loop."""

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
        """Interrupt the graph.

        A task that has not started checks for the stop itself, because a cancelled one would end without a record. A
        task that is already settling may finish.
        """
        if self.task is not None and self.started and not self.settling:
            self.task.cancel()

    def hand_back(self) -> None:
        self.handing_back = True
        self.stop()


class Appender:
    """Collects the events of an attempt and appends them, one append at a time, so chunks grow with the time a commit
    takes."""

    def __init__(self, log: EventLog, lease: Lease, clock: Clock) -> None:
        self._log = log
        self._lease = lease
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Event] = []
        self._bytes = 0  # of the events not yet taken by an append
        self._added = 0  # events since the loop last ran other tasks
        self.appended = 0  # events in the log
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
            # Append all events that the graph emits in this iteration of the loop together.
            self._scheduled = True
            self._loop.call_soon(self._launch)

    @property
    def full(self) -> bool:
        """Whether the graph must await ``wait_for_capacity`` before it continues."""
        return self._added >= _CHUNK_EVENTS or self._bytes > _WAITING_BYTES or self.lost is not None

    async def wait_for_capacity(self) -> None:
        """Let the append make progress, and wait while the log is far behind. Raises LeaseLost if the attempt lost its
        run."""
        # A graph may emit without ever awaiting. One iteration of the loop starts the append's task, the next runs it.
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
        """Wait for the append of the events added in this iteration of the loop."""
        await asyncio.sleep(0)
        if self._flight is not None:
            await asyncio.wait([self._flight])

    async def close(self) -> Sequence[Event]:
        """Stop appending. Returns the events that are not in the log yet, which belong to the final write."""
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
        """Take the oldest waiting events, enough for one append."""
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
            self.appended += len(events)
        except LeaseLost as lost:
            self.lost = lost
        except Exception as error:  # the run must survive a log that cannot be written now, so keep the events
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
    """The size of their data in bytes."""
    return sum(len(event.data) for event in events)
