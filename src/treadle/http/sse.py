"""Readers of a run over HTTP. stream, join stream, wait and join are one loop over the log, with two ways to write it.

We own the race with the client's disconnect and the heartbeat: Starlette's StreamingResponse watches neither the way an
endless stream needs (STYLE.md, habit 10).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import orjson
from msgspec import structs
from starlette.types import Receive, Scope, Send

from treadle import sse
from treadle.http.heartbeats import Beats
from treadle.model import Event
from treadle.ports.log import Chunk, Follower

STREAM_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
    "connection": "keep-alive",
}


_PIECE = 128 * 1024
"""Bytes that are sent at once, so that what a slow reader keeps in memory is bounded."""
_VIEWS = 8
"""Of how many views a chunk keeps the bytes: those that most readers have, and no more than a client could ask for."""


def encoded(chunk: Chunk, view: Hashable, shown: Callable[[Event], Event | None]) -> bytes:
    """The wire bytes of a chunk: those of its parts, or of its events as ``shown`` shows them. Kept with the chunk for
    the next reader with that view."""
    known = chunk.frames.get(view)
    if known is None:
        if chunk.parts:
            known = b"".join([encoded(part, view, shown) for part in chunk.parts])
        else:
            known = b"".join(_frames(chunk, shown))
        if len(chunk.frames) < _VIEWS:
            chunk.frames[view] = known
    return known


def _frames(chunk: Chunk, shown: Callable[[Event], Event | None]) -> Iterator[bytes]:
    """What is shown as it is, is asked for once for all events of its name."""
    heads: dict[tuple[str, str], bytes] = {}
    for seq, event in enumerate(chunk.events, chunk.first):
        head = heads.get((event.mode, event.ns))
        if head is None:
            seen = shown(event)
            head = sse.head(event.name) if seen is event else b""
            if seen is None or seen is event:
                heads[event.mode, event.ns] = head
            else:
                yield sse.numbered(sse.head(seen.name), seen.data, seen.ms, seq)
        if head:
            yield sse.numbered(head, event.data, event.ms, seq)


@dataclass(frozen=True, kw_only=True)
class View:
    """Which events of the log a reader gets, and how. ``extended`` is what our own client asks for (an ``end`` event
    with the status, the tags in ``metadata``); ``only`` are event names, None for all."""

    extended: bool = False
    only: frozenset[str] | None = None
    subgraphs: bool = True

    def encode(self, chunk: Chunk) -> bytes:
        """The wire bytes of a chunk; made once for all readers that want the same."""
        return encoded(chunk, (self.extended, self.only, self.subgraphs), self._shown)

    def _shown(self, event: Event) -> Event | None:
        if not self._wanted(event):
            return None
        return started(event) if event.mode == "metadata" and not self.extended else event

    def _wanted(self, event: Event) -> bool:
        if event.mode == "end":
            return self.extended
        if event.mode == "error":
            return True
        if event.ns and not self.subgraphs:
            return False
        return self.only is None or event.mode in self.only or event.name in self.only


def started(event: Event) -> Event:
    """The first event of an attempt as the official protocol has it."""
    known = orjson.loads(event.data)
    return structs.replace(event, data=orjson.dumps({"run_id": known["run_id"], "attempt": known["attempt"]}))


class Streams:
    """The open readers of this server. ``break_all`` is for a draining one: their connections break, as if cut."""

    def __init__(self) -> None:
        self.broken = False
        self.open: set[Reading] = set()
        self.beats = Beats()

    def break_all(self) -> None:
        self.broken = True
        for reading in tuple(self.open):
            reading.follower.wake()


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How a reader is served. ``on_leave`` is called when the client goes away before the end."""

    headers: Mapping[str, str]
    heartbeat_seconds: float
    on_leave: Callable[[], Awaitable[None]] | None = None


class Reading:
    """One reader on one connection, from the request until the run ends, the client leaves or the server drains."""

    def __init__(self, follower: Follower, streams: Streams, terms: Terms) -> None:
        self.follower = follower
        self._streams = streams
        self._terms = terms
        self._left = False
        self._due = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        watcher = asyncio.get_running_loop().create_task(self._watch(receive))
        self._streams.open.add(self)
        self._streams.beats.enter(self, self._terms.heartbeat_seconds)
        try:
            await self._start(send)
            finished = await self._relay(send)
            if finished:
                await send({"type": "http.response.body", "body": await self._last(), "more_body": False})
        finally:
            self._streams.open.discard(self)
            self._streams.beats.leave(self)
            self.follower.close()
            watcher.cancel()
        if self._left and not self._streams.broken and (on_leave := self._terms.on_leave) is not None:
            await on_leave()

    async def _start(self, send: Send) -> None:
        headers = [(name.encode(), value.encode()) for name, value in self._terms.headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    async def _relay(self, send: Send) -> bool:
        """Sends what comes until the run has ended. False: the client left or the server drains, and the response is
        left unfinished so that nobody takes it for complete."""
        while not self.follower.ended:
            if self._left or self._streams.broken:
                return False
            for body in await self._more():
                if not self._left:
                    await send({"type": "http.response.body", "body": body, "more_body": True})
            if self._due and not self._left:
                self._due = False
                await send({"type": "http.response.body", "body": self._beat, "more_body": True})
        return not self._left

    def beat(self) -> None:
        """It is time to say that the stream is still alive."""
        self._due = True
        self.follower.wake()

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._left = True
        self.follower.wake()

    # what is written

    _beat: bytes

    async def _more(self) -> Iterable[bytes]:
        """What is to be sent now, once there is something, or once ``wake`` was called."""
        raise NotImplementedError

    async def _last(self) -> bytes:
        raise NotImplementedError


class Following(Reading):
    """Writes every event that its view shows, as a server-sent event."""

    _beat = sse.HEARTBEAT

    async def _more(self) -> Iterable[bytes]:
        return self._pieces(await self.follower.read())

    def _pieces(self, chunks: Sequence[Chunk]) -> Iterator[bytes]:
        for chunk in chunks:
            body = self._encode(chunk)
            yield from (body[start : start + _PIECE] for start in range(0, len(body), _PIECE))

    def _encode(self, chunk: Chunk) -> bytes:
        raise NotImplementedError


class EventReading(Following):
    """The events of a run. ``gap`` is the first seq still kept when the reader asked for older ones."""

    def __init__(
        self,
        follower: Follower,
        streams: Streams,
        terms: Terms,
        *,
        view: View,
        gap: int | None = None,
        run_id: str,
        exists: Callable[[], Awaitable[bool]],
    ) -> None:
        super().__init__(follower, streams, terms)
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
        # A reader so slow that what it had yet to read was dropped meanwhile is told so, too.
        notice = _gap_notice(chunk.first) if chunk.first > self._next else b""
        self._next = chunk.last + 1
        return notice + self._view.encode(chunk)

    async def _last(self) -> bytes:
        """A run that was rolled back or deleted has no log to hold its end; our own client is told all the same."""
        if self._ended or not self._view.extended or await self._exists():
            return b""
        return sse.encode("end", orjson.dumps({"run_id": self._run_id, "status": "rolled_back"}))


def _gap_notice(first: int) -> bytes:
    """A control frame, so it has no id: the events before ``first`` cannot be had any more."""
    notice = {"error": "gap", "message": f"events before {first} are no longer kept", "first_seq": first}
    return sse.encode("gap", orjson.dumps(notice))


class ResultReading(Reading):
    """Writes one JSON body once the run has ended; white space keeps the connection alive until then."""

    _beat = b"\n"

    def __init__(
        self, follower: Follower, streams: Streams, terms: Terms, *, result: Callable[[], Awaitable[bytes]]
    ) -> None:
        super().__init__(follower, streams, terms)
        self._result = result

    async def _more(self) -> Iterable[bytes]:
        await self.follower.end()
        return ()

    async def _last(self) -> bytes:
        return await self._result()
