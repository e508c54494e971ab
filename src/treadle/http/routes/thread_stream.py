"""The stream of a thread: what all its runs say, in one order that goes on from run to run (wire.md, Threads)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

import orjson
from msgspec import structs
from starlette.requests import Request

from treadle import sse
from treadle.errors import UnprocessableError
from treadle.http import parse
from treadle.http.gate import Access
from treadle.http.routing import Operation, Parameter, Services
from treadle.http.sse import STREAM_HEADERS, Following, Streams, Terms, encoded, started
from treadle.model import Event
from treadle.ports.log import Chunk, Follower

ThreadStreamMode = Literal["run_modes", "lifecycle", "state_update"]
MODES: tuple[ThreadStreamMode, ...] = ("run_modes", "lifecycle", "state_update")
_NAMES = ("stream_modes", "stream_mode")
_FROM_THE_START = ("0", "0-0", "-")


@dataclass(frozen=True)
class ThreadView:
    """Which events a reader gets: all of the runs (``run_modes``), where they begin and end (``lifecycle``, and
    ``run_modes`` too), states that were written without a run (``state_update``)."""

    modes: frozenset[ThreadStreamMode]

    def encode(self, chunk: Chunk) -> bytes:
        """The wire bytes of a chunk; made once for all readers of the same modes."""
        return encoded(chunk, self.modes, self._shown)

    def _shown(self, event: Event) -> Event | None:
        if not self._wanted(event.mode):
            return None
        if event.mode == "end":
            over = {"status": "run_done", "run_id": orjson.loads(event.data)["run_id"]}
            return structs.replace(event, mode="metadata", data=orjson.dumps(over))
        return started(event) if event.mode == "metadata" else event

    def _wanted(self, mode: str) -> bool:
        if mode == "state_update":
            return "state_update" in self.modes
        return "run_modes" in self.modes or (mode in ("metadata", "end") and "lifecycle" in self.modes)


class ThreadReading(Following):
    """The events of a thread, until the client leaves or the server drains."""

    def __init__(self, follower: Follower, streams: Streams, terms: Terms, *, view: ThreadView) -> None:
        super().__init__(follower, streams, terms)
        self._view = view

    def _encode(self, chunk: Chunk) -> bytes:
        return self._view.encode(chunk)


async def stream(request: Request, services: Services) -> ThreadReading:
    thread_id = parse.path_uuid(request, "thread_id", "thread")
    query = parse.query(request)
    asked: list[ThreadStreamMode] = [mode for name in _NAMES for mode in query.choices(name, MODES) or ()]
    modes = frozenset(asked) or frozenset(MODES[:1])
    if services.gate is not None:
        await services.threads.get(thread_id)  # one that is yet to come could turn out to be somebody else's
    event_id = _event_id(request.headers.get("last-event-id"))
    after = 0 if event_id == (0, 0) else await services.log.thread_cursor(thread_id, event_id)
    # Where the SDKs come back to when the connection breaks: with the same modes, since they keep none themselves.
    location = f"/threads/{thread_id}/stream?{urlencode([('stream_modes', mode) for mode in sorted(modes)])}"
    terms = Terms(
        headers={**STREAM_HEADERS, "location": location}, heartbeat_seconds=services.settings.heartbeat_seconds
    )
    follower = services.log.follow_thread(thread_id, after)
    return ThreadReading(follower, services.streams, terms, view=ThreadView(modes))


def _event_id(given: str | None) -> tuple[int, int] | None:
    """``(0, 0)`` for the start, None for what comes from now on."""
    if not given:
        return None
    known = (0, 0) if given in _FROM_THE_START else sse.parse_event_id(given)
    if known is None:
        text = "Last-Event-ID: must be the id of an event, or 0, 0-0 or - for the start"
        raise UnprocessableError(text, field="Last-Event-ID")
    # Ids of other servers count from 0, and ours from 1: such a one says nothing here.
    return None if known[0] and not known[1] else known


ROUTES: list[Operation] = [
    Operation(
        method="GET",
        path="/threads/{thread_id}/stream",
        endpoint=stream,
        summary="Follow all runs of a thread",
        access=Access("threads", "read"),
        tag="Threads",
        parameters=(
            Parameter(name="stream_modes", type=list[ThreadStreamMode], description="run_modes unless given"),
            Parameter(name="stream_mode", type=list[ThreadStreamMode], description="the same"),
            Parameter(
                name="Last-Event-ID",
                type=str,
                place="header",
                description="read after this event; 0, 0-0 or - from the start; only what is new unless given",
            ),
        ),
        errors=(422,),
        streams=True,
    )
]
