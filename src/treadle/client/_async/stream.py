"""Stream the events of one run over as many connections as necessary."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from types import TracebackType
from typing import Generic

import httpx
import msgspec

from treadle.client.bounds import AsyncBounds, async_drain
from treadle.client.calls import FROM_START, Call, after, created, resumed, wire_error
from treadle.client.events import C, EventDecoder, S, StreamEvent, U
from treadle.client.options import RunCreated
from treadle.client.retry import Tries, TryAgain
from treadle.errors import APIError, ConnectionFailed, StreamTruncated
from treadle.sse import Decoder, Frame, event_id, parse_event_id

from .transport import AsyncTransport, OnCreated, next_chunk

PROGRESS_HEARTBEATS = 2
"""Heartbeats after which a connection counts as progress, even without an event."""


class AsyncEventStream(Generic[S, U, C]):
    """Iterates over the events of a run, up to its EndEvent. Sends nothing before the first event is requested.

    A dropped connection is resumed after the last event, without loss or repetition. Leaving the loop
    or ``async with``, ``aclose()`` and cancelling the task close the connection at once. ``run_id`` and ``thread_id``
    are None until they are known; ``last_event_id`` is the id of the last event that was returned.
    """

    def __init__(
        self,
        transport: AsyncTransport,
        call: Call,
        decoder: EventDecoder[S, U, C],
        bounds: AsyncBounds,
        *,
        on_created: OnCreated | None = None,
        subgraphs: bool = True,
        last_event_id: str | None = None,
    ) -> None:
        self.run_id: str | None = call.run_id
        self.thread_id: str | None = call.run.thread_id if call.run else None
        self.last_event_id = last_event_id
        self._transport = transport
        self._call = call
        self._resume: Call | None = None
        self._stranded = False
        self._events = decoder
        self._bounds = bounds
        self._on_created = on_created
        self._subgraphs = subgraphs
        self._tries = Tries(transport.retry)
        self._frames: deque[Frame] = deque()
        self._cursor = last_event_id or FROM_START
        self._seq = (parse_event_id(self._cursor) or (0, 0))[1]
        self._given = self._seq
        self._response: httpx.Response | None = None
        self._chunks: AsyncIterator[bytes] | None = None
        self._decoder = Decoder()
        self._over = False

    async def __aiter__(self) -> AsyncGenerator[StreamEvent[S, U, C], None]:
        try:
            while self._frames or await self._fill():
                yield self._pop()
        finally:
            await self.aclose()

    async def __anext__(self) -> StreamEvent[S, U, C]:
        if self._frames or await self._fill():
            return self._pop()
        raise StopAsyncIteration

    async def __aenter__(self) -> AsyncEventStream[S, U, C]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the iteration and close the connection. ``on_disconnect`` decides whether the run continues."""
        self._over = True
        self._frames.clear()
        self._bounds.close()
        await self._hang_up()

    def _pop(self) -> StreamEvent[S, U, C]:
        frame = self._frames.popleft()
        if frame.id is not None:
            self.last_event_id = frame.id
        return self._events.decode(frame)

    async def _fill(self) -> bool:
        """Read until a frame is available. False at the end."""
        try:
            while not (self._frames or self._over):
                try:
                    await self._read()
                except TryAgain as failure:
                    await self._dropped(failure)
        except BaseException:
            await self.aclose()
            raise
        if not self._frames and self._chunks is not None:
            await async_drain(self._chunks)
            await self.aclose()
        return bool(self._frames)

    async def _read(self) -> None:
        chunks = self._chunks or await self._connect()
        try:
            chunk = await next_chunk(chunks, self._bounds)
        except httpx.RequestError as error:
            raise TryAgain(self._truncated(f"{type(error).__name__} {error}".rstrip())) from error
        if chunk is None:
            raise TryAgain(self._truncated("it was closed"))
        self._take(self._decoder.feed(chunk))

    async def _connect(self) -> AsyncIterator[bytes]:
        call = after(self._resume, self._cursor) if self._resume else self._call
        response = self._response = await self._transport.open(call, self._bounds)
        kind = response.headers.get("content-type", "")
        if "text/event-stream" not in kind:
            raise TryAgain(ConnectionFailed(f"{call}: expected an event stream, got {kind!r}", request=str(call)))
        if self._resume is None:
            self._resume = resumed(self._call, response, self._transport.base, "stream")
            self._stranded = self._resume is None
            self._created(created(response))
        self._decoder = Decoder()
        self._chunks = response.aiter_bytes()
        return self._chunks

    def _created(self, run: RunCreated | None) -> None:
        if run is None:
            return
        self.run_id, self.thread_id = run.run_id, run.thread_id or self.thread_id
        if self._on_created is not None:
            self._on_created(run)

    def _take(self, frames: list[Frame]) -> None:
        if frames or self._decoder.comments >= PROGRESS_HEARTBEATS:
            self._tries.progress()
        for frame in frames:
            if frame.id is None and frame.event == "error":
                self._check_refusal(frame)
            if self._is_new(frame) and (self._subgraphs or "|" not in frame.event):
                self._frames.append(frame)
            if frame.event == "end":
                self._over = True

    def _is_new(self, frame: Frame) -> bool:
        """Return False for an event that was seen before, and advance the cursor. Sequence numbers of a run only
        increase."""
        if frame.id is None:
            return True
        parsed = parse_event_id(frame.id)
        if parsed and parsed[1] <= self._seq:
            return False
        self._seq, self._cursor = parsed[1] if parsed else self._seq, frame.id
        return True

    def _check_refusal(self, frame: Frame) -> None:
        """Raise an error event that is a response to the call (no such run, not allowed) rather than the run's own."""
        error = msgspec.json.decode(frame.data, type=dict[str, object])
        refusal = wire_error(error, self._run(), self._resume or self._call)
        if isinstance(refusal, APIError):
            raise refusal

    async def _dropped(self, failure: TryAgain) -> None:
        await self._hang_up()
        if self._stranded:  # the server announced no location to resume from
            raise failure.error
        if 0 < self._seq == self._given:
            # Nothing followed the caller's id, which may be that of the end event. Read that event again to check.
            self._cursor = event_id(0, self._seq - 1)
        await self._transport.pause(self._tries, failure, self._bounds)

    async def _hang_up(self) -> None:
        response, self._response, self._chunks = self._response, None, None
        if response is not None:
            await response.aclose()

    def _truncated(self, why: str) -> StreamTruncated:
        where = f"after event {self._cursor}" if self._seq else "before its first event"
        text = f"{self._resume or self._call}: the stream broke {where}: {why}"
        return StreamTruncated(text, request=str(self._resume or self._call), run_id=self.run_id)

    def _run(self) -> RunCreated | None:
        return RunCreated(self.run_id, self.thread_id) if self.run_id else None
