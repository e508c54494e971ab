"""The stream of a thread: the events of all its runs, in one order that continues from run to run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

import orjson
from msgspec import structs

from treadle import sse
from treadle.errors import UnprocessableError
from treadle.http.gate import Access
from treadle.http.routing import Call, Parameter, Routes
from treadle.http.sse import STREAM_HEADERS, ReaderOptions, StreamReader, Streams, encode_chunk, official_metadata
from treadle.model import Event
from treadle.ports.log import Chunk, Follower

ThreadStreamMode = Literal["run_modes", "lifecycle", "state_update"]
MODES: tuple[ThreadStreamMode, ...] = ("run_modes", "lifecycle", "state_update")
_NAMES = ("stream_modes", "stream_mode")
_FROM_THE_START = ("0", "0-0", "-")
_PARAMETERS = (
    Parameter(name="stream_modes", type=list[ThreadStreamMode], description="default run_modes"),
    Parameter(name="stream_mode", type=list[ThreadStreamMode], description="the same as stream_modes"),
    Parameter(
        name="Last-Event-ID",
        type=str,
        place="header",
        description="read after this event; 0, 0-0 or - from the start; only new events by default",
    ),
)

route = Routes("Threads")


@dataclass(frozen=True)
class ThreadView:
    """Selects events: all events of the runs (``run_modes``), only where runs start and end (``lifecycle``), and states
    written without a run (``state_update``)."""

    modes: frozenset[ThreadStreamMode]

    def encode(self, chunk: Chunk) -> bytes:
        """The wire bytes of a chunk, encoded once for all readers with the same modes."""
        return encode_chunk(chunk, self.modes, self._visible)

    def _visible(self, event: Event) -> Event | None:
        if not self._includes(event.mode):
            return None
        if event.mode == "end":
            data = {"status": "run_done", "run_id": orjson.loads(event.data)["run_id"]}
            return structs.replace(event, mode="metadata", data=orjson.dumps(data))
        return official_metadata(event) if event.mode == "metadata" else event

    def _includes(self, mode: str) -> bool:
        if mode == "state_update":
            return "state_update" in self.modes
        return "run_modes" in self.modes or (mode in ("metadata", "end") and "lifecycle" in self.modes)


class ThreadReader(StreamReader):
    """Sends the events of a thread until the client disconnects or the server drains."""

    def __init__(self, follower: Follower, streams: Streams, options: ReaderOptions, *, view: ThreadView) -> None:
        super().__init__(follower, streams, options)
        self._view = view

    def _encode(self, chunk: Chunk) -> bytes:
        return self._view.encode(chunk)


@route(
    "GET",
    "/threads/{thread_id}/stream",
    "Follow all runs of a thread",
    access=Access("threads", "read"),
    parameters=_PARAMETERS,
    errors=(422,),
    streams=True,
)
async def stream(call: Call[None]) -> ThreadReader:
    services, query = call.services, call.query
    thread_id = call.id("thread")
    requested: list[ThreadStreamMode] = [mode for name in _NAMES for mode in query.choices(name, MODES) or ()]
    modes = frozenset(requested) or frozenset(MODES[:1])
    if services.gate is not None:
        # Without auth the thread may be created later; with auth that thread could belong to another user.
        await services.threads.get(thread_id)
    event_id = _event_id(call.request.headers.get("last-event-id"))
    after = 0 if event_id == (0, 0) else await services.log.thread_cursor(thread_id, event_id)
    # The SDKs reconnect here without remembering their modes, so the address contains them.
    location = f"/threads/{thread_id}/stream?{urlencode([('stream_modes', mode) for mode in sorted(modes)])}"
    options = ReaderOptions(
        headers={**STREAM_HEADERS, "location": location}, heartbeat_seconds=services.settings.heartbeat_seconds
    )
    follower = services.log.follow_thread(thread_id, after)
    return ThreadReader(follower, services.streams, options, view=ThreadView(modes))


def _event_id(text: str | None) -> tuple[int, int] | None:
    """Parse Last-Event-ID: ``(0, 0)`` for the start, None for new events only."""
    if not text:
        return None
    event_id = (0, 0) if text in _FROM_THE_START else sse.parse_event_id(text)
    if event_id is None:
        detail = "Last-Event-ID: must be the id of an event, or 0, 0-0 or - for the start"
        raise UnprocessableError(detail, field="Last-Event-ID")
    # Our ids count from 1. An id with number 0 comes from another server and says nothing about this log.
    return None if event_id[0] and not event_id[1] else event_id
