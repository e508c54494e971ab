"""What a reader sees of the log's chunks: pure encoding."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from treadle.http.sse import EventReader, ReaderOptions, Streams, View
from treadle.model import Event
from treadle.ports.log import Chunk

EVENTS = (
    Event(1000, "metadata", "", b'{"run_id":"r","attempt":2,"tags":["a"]}'),
    Event(1000, "values", "", b'{"n":1}'),
    Event(1001, "updates", "sub:1", b'{"x":1}'),
    Event(1001, "updates", "sub:1|deep:2", b'{"y":1}'),
    Event(1002, "messages", "sub:1", b"[{},{}]"),
    Event(1002, "messages/partial", "", b"[{}]"),
    Event(1003, "error", "", b'{"error":"E","message":"m"}'),
    Event(1004, "end", "", b'{"run_id":"r","status":"error"}'),
)
FIRST = 7
ALL = [
    "metadata:7",
    "values:8",
    "updates|sub:1:9",
    "updates|sub:1|deep:2:10",
    "messages|sub:1:11",
    "messages/partial:12",
    "error:13",
]


def shown(view: View) -> list[str]:
    body = view.encode(Chunk(FIRST, EVENTS))
    parts = [part.decode().split("\r\n") for part in body.split(b"\r\n\r\n")[:-1]]
    return [f"{event.removeprefix('event: ')}:{id.partition('-')[2]}" for event, _, id in parts]


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (View(), ALL),
        (View(extended=True), [*ALL, "end:14"]),
        (View(subgraphs=False), ["metadata:7", "values:8", "messages/partial:12", "error:13"]),
        (View(only=frozenset({"values"})), ["values:8", "error:13"]),
        (View(only=frozenset({"updates"})), ["updates|sub:1:9", "updates|sub:1|deep:2:10", "error:13"]),
        (View(only=frozenset({"updates|sub:1"})), ["updates|sub:1:9", "error:13"]),
        (View(only=frozenset({"updates"}), subgraphs=False), ["error:13"]),
        (View(only=frozenset()), ["error:13"]),
        (View(only=frozenset({"metadata"}), extended=True), ["metadata:7", "error:13", "end:14"]),
    ],
)
def test_a_view_picks_events_and_never_changes_their_ids(view: View, expected: list[str]) -> None:
    assert shown(view) == expected


def test_the_frame_is_event_data_id_with_crlf() -> None:
    body = View().encode(Chunk(3, EVENTS[1:2]))
    assert body == b'event: values\r\ndata: {"n":1}\r\nid: 1000-3\r\n\r\n'


def test_only_our_client_sees_the_tags() -> None:
    chunk = Chunk(1, EVENTS[:1])
    assert b'data: {"run_id":"r","attempt":2}\r\n' in View().encode(chunk)
    assert b'"tags":["a"]' in View(extended=True).encode(chunk)


def test_a_chunk_is_encoded_once_for_all_readers_of_a_kind() -> None:
    chunk = Chunk(1, EVENTS)
    assert View().encode(chunk) is View().encode(chunk)
    assert View(extended=True).encode(chunk) is View(extended=True).encode(chunk)
    assert View().encode(chunk) != View(extended=True).encode(chunk)


class Kept:
    """A follower of what is left of a log."""

    def __init__(self, cursor: int, chunks: list[Chunk]) -> None:
        self.cursor = cursor
        self.ended = False
        self._chunks = chunks

    async def read(self, timeout: float | None = None) -> list[Chunk]:
        chunk = self._chunks.pop(0)
        self.cursor, self.ended = chunk.last, chunk.ends
        return [chunk]

    def wake(self) -> None: ...

    def close(self) -> None: ...


async def test_a_reader_under_which_the_log_was_dropped_is_told() -> None:
    values, end = EVENTS[1], EVENTS[-1]
    chunks = [Chunk(3, [values, values]), Chunk(9, [values]), Chunk(10, [values, end])]
    sent: list[bytes] = []

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def exists() -> bool:
        return True

    options = ReaderOptions(headers={}, heartbeat_seconds=60)
    reading = EventReader(Kept(2, chunks), Streams(), options, view=View(), run_id="r", exists=exists)
    await reading({}, receive, send)
    names = [line for line in b"".join(sent).decode().split("\r\n") if line.startswith(("event", "id"))]
    ids = ["3", "4", None, "9", "10"]
    expected = [["event: gap"] if seq is None else ["event: values", f"id: 1000-{seq}"] for seq in ids]
    assert names == [line for lines in expected for line in lines]


def test_joined_chunks_have_the_bytes_of_their_parts() -> None:
    parts = [Chunk(1, EVENTS[:2]), Chunk(3, EVENTS[2:])]
    joined = Chunk(1, EVENTS, {}, parts)
    for view in (View(), View(extended=True), View(only=frozenset({"values"})), View(subgraphs=False)):
        assert view.encode(joined) == b"".join(view.encode(part) for part in parts) == view.encode(Chunk(1, EVENTS))


def test_bytes_are_kept_for_a_few_views_only() -> None:
    chunk = Chunk(1, EVENTS)
    for number in range(100):
        View(only=frozenset({f"values|{number}"})).encode(chunk)
    assert len(chunk.frames) < 20


async def test_a_large_event_is_sent_in_pieces() -> None:
    large, end = msgspec.structs.replace(EVENTS[1], data=b'"%b"' % (b"x" * 1_000_000)), EVENTS[-1]
    sent: list[bytes] = []

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def exists() -> bool:
        return True

    chunk = Chunk(1, [large, end])
    options = ReaderOptions(headers={}, heartbeat_seconds=60)
    reading = EventReader(Kept(0, [chunk]), Streams(), options, view=View(), run_id="r", exists=exists)
    await reading({}, receive, send)
    assert b"".join(sent) == View().encode(chunk)
    assert max(map(len, sent)) <= 256 * 1024
