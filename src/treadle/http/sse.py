"""Serve the events or the result of a run: streams, waits and joins are one loop over the log with two outputs.

Starlette's StreamingResponse only notices a disconnect when it sends, and it has no heartbeat. So a Reader is a plain
ASGI application that waits for the log, the disconnect, the heartbeat and the drain at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import orjson
from msgspec import structs
from starlette.types import Receive, Scope, Send

from treadle import sse
from treadle.http.heartbeats import Heartbeats
from treadle.model import Event
from treadle.ports.log import Chunk, Follower

STREAM_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
    "connection": "keep-alive",
}


_SEND_BYTES = 128 * 1024
"""The size of one send. Backpressure only works between sends, so this bounds the memory of a slow reader."""
_CACHED_VIEWS = 8
"""How many views of a chunk are cached. Clients choose their view, so without a limit they could fill the memory."""


def encode_chunk(chunk: Chunk, view: Hashable, visible: Callable[[Event], Event | None]) -> bytes:
    """The wire bytes of a chunk, cached in it for other readers with the same ``view``.

    ``visible`` returns the event to send in place of an event, or None to leave it out."""
    body = chunk.frames.get(view)
    if body is None:
        if chunk.parts:
            body = b"".join([encode_chunk(part, view, visible) for part in chunk.parts])
        else:
            body = b"".join(_frames(chunk, visible))
        if len(chunk.frames) < _CACHED_VIEWS:
            chunk.frames[view] = body
    return body


def _frames(chunk: Chunk, visible: Callable[[Event], Event | None]) -> Iterator[bytes]:
    """Encode the events. ``visible`` decides by name, so an unchanged or hidden name is looked up only once."""
    heads: dict[tuple[str, str], bytes] = {}
    for seq, event in enumerate(chunk.events, chunk.first):
        head = heads.get((event.mode, event.ns))
        if head is None:
            replacement = visible(event)
            head = sse.head(event.name) if replacement is event else b""
            if replacement is None or replacement is event:
                heads[event.mode, event.ns] = head
            else:
                # Changed data depends on the single event, so it is not remembered.
                yield sse.numbered(sse.head(replacement.name), replacement.data, replacement.ms, seq)
        if head:
            yield sse.numbered(head, event.data, event.ms, seq)


@dataclass(frozen=True, kw_only=True)
class View:
    """Selects the events for a reader. ``only`` are event names, None for all.

    ``extended`` adds the parts that only treadle's client requests: the ``end`` event with the status, and the tags in
    ``metadata``.
    """

    extended: bool = False
    only: frozenset[str] | None = None
    subgraphs: bool = True

    def encode(self, chunk: Chunk) -> bytes:
        """The wire bytes of a chunk, encoded once for all readers with the same view."""
        return encode_chunk(chunk, (self.extended, self.only, self.subgraphs), self._visible)

    def _visible(self, event: Event) -> Event | None:
        if not self._includes(event):
            return None
        return official_metadata(event) if event.mode == "metadata" and not self.extended else event

    def _includes(self, event: Event) -> bool:
        if event.mode == "end":
            return self.extended
        if event.mode == "error":
            return True
        if event.ns and not self.subgraphs:
            return False
        return self.only is None or event.mode in self.only or event.name in self.only


def official_metadata(event: Event) -> Event:
    """The first event of an attempt with only the fields of the official protocol."""
    data = orjson.loads(event.data)
    return structs.replace(event, data=orjson.dumps({"run_id": data["run_id"], "attempt": data["attempt"]}))


class Streams:
    """The open readers of this server."""

    def __init__(self) -> None:
        self.broken = False
        self.open: set[Reader] = set()
        self.heartbeats = Heartbeats()

    def break_all(self) -> None:
        """Break all connections while the server drains, so that clients reconnect to another server."""
        self.broken = True
        for reader in tuple(self.open):
            reader.follower.wake()


@dataclass(frozen=True, kw_only=True)
class ReaderOptions:
    """The response of a reader. ``on_disconnect`` is called when the client disconnects before the end."""

    headers: Mapping[str, str]
    heartbeat_seconds: float
    on_disconnect: Callable[[], Awaitable[None]] | None = None


class Reader:
    """One reader on one connection, until the run ends, the client disconnects or the server drains.

    Disconnect, heartbeat and drain set a flag and wake the follower, so that ``_relay`` is the only task that sends."""

    def __init__(self, follower: Follower, streams: Streams, options: ReaderOptions) -> None:
        self.follower = follower
        self._streams = streams
        self._options = options
        self._disconnected = False
        self._heartbeat_due = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        watcher = asyncio.get_running_loop().create_task(self._watch(receive))
        self._streams.open.add(self)
        self._streams.heartbeats.add(self, self._options.heartbeat_seconds)
        try:
            await self._start(send)
            if await self._relay(send):
                await send({"type": "http.response.body", "body": await self._last(), "more_body": False})
        finally:
            self._streams.open.discard(self)
            self._streams.heartbeats.remove(self)
            self.follower.close()
            watcher.cancel()
        # A drain also ends in a disconnect, but the client will resume: its run must not be cancelled.
        if self._disconnected and not self._streams.broken and self._options.on_disconnect is not None:
            await self._options.on_disconnect()

    async def _start(self, send: Send) -> None:
        headers = [(name.encode(), value.encode()) for name, value in self._options.headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    async def _relay(self, send: Send) -> bool:
        """Send until the run has ended. Return False if the client disconnected or the server drains.

        In that case the response stays unfinished, because a client must not take it for complete."""
        while not self.follower.ended:
            if self._disconnected or self._streams.broken:
                return False
            for body in await self._read():
                if not self._disconnected:
                    await send({"type": "http.response.body", "body": body, "more_body": True})
            if self._heartbeat_due and not self._disconnected:
                self._heartbeat_due = False
                await send({"type": "http.response.body", "body": self._heartbeat, "more_body": True})
        return not self._disconnected

    def beat(self) -> None:
        """Send a heartbeat."""
        self._heartbeat_due = True
        self.follower.wake()

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._disconnected = True
        self.follower.wake()

    # output

    _heartbeat: bytes

    async def _read(self) -> Iterable[bytes]:
        """Wait for something to send, or for ``wake``."""
        raise NotImplementedError

    async def _last(self) -> bytes:
        """The end of the body, after the run has ended."""
        raise NotImplementedError


class StreamReader(Reader):
    """Sends events as server-sent events."""

    _heartbeat = sse.HEARTBEAT

    async def _read(self) -> Iterable[bytes]:
        return self._split(await self.follower.read())

    def _split(self, chunks: Sequence[Chunk]) -> Iterator[bytes]:
        for chunk in chunks:
            body = self._encode(chunk)
            yield from (body[start : start + _SEND_BYTES] for start in range(0, len(body), _SEND_BYTES))

    def _encode(self, chunk: Chunk) -> bytes:
        raise NotImplementedError


class EventReader(StreamReader):
    """Sends the events of a run. ``gap`` is the first seq in the log if the reader requested deleted ones."""

    def __init__(
        self,
        follower: Follower,
        streams: Streams,
        options: ReaderOptions,
        *,
        view: View,
        gap: int | None = None,
        run_id: str,
        exists: Callable[[], Awaitable[bool]],
    ) -> None:
        super().__init__(follower, streams, options)
        self._view = view
        self._gap = gap
        self._next = gap or follower.cursor + 1
        self._run_id = run_id
        self._exists = exists
        self._ended = False

    async def _start(self, send: Send) -> None:
        await super()._start(send)
        if self._gap is not None:
            await send({"type": "http.response.body", "body": _gap_notice(self._gap), "more_body": True})

    def _encode(self, chunk: Chunk) -> bytes:
        self._ended = chunk.ends
        # Retention may also delete events that a slow reader has yet to read.
        notice = _gap_notice(chunk.first) if chunk.first > self._next else b""
        self._next = chunk.last + 1
        return notice + self._view.encode(chunk)

    async def _last(self) -> bytes:
        # The log of a run that was rolled back or deleted is gone, so send the end event that it cannot contain.
        if self._ended or not self._view.extended or await self._exists():
            return b""
        return sse.encode("end", orjson.dumps({"run_id": self._run_id, "status": "rolled_back"}))


def _gap_notice(first: int) -> bytes:
    """The frame for deleted events before ``first``. It has no id, because it is not part of the log."""
    notice = {"error": "gap", "message": f"events before {first} are no longer kept", "first_seq": first}
    return sse.encode("gap", orjson.dumps(notice))


class ResultReader(Reader):
    """Sends one JSON body when the run has ended. Until then, white space keeps the connection alive."""

    _heartbeat = b"\n"

    def __init__(
        self, follower: Follower, streams: Streams, options: ReaderOptions, *, result: Callable[[], Awaitable[bytes]]
    ) -> None:
        super().__init__(follower, streams, options)
        self._result = result

    async def _read(self) -> Iterable[bytes]:
        await self.follower.end()
        return ()

    async def _last(self) -> bytes:
        return await self._result()
