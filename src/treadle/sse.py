"""The server-sent events codec: pure and incremental, shared by server and client."""

from __future__ import annotations

from typing import NamedTuple

HEARTBEAT = b": heartbeat\r\n\r\n"


class Frame(NamedTuple):
    """One decoded event. ``data`` is the raw payload; ``id`` is None if the frame has none."""

    event: str
    data: bytes
    id: str | None


def encode(event: str, data: bytes, id: str | None = None) -> bytes:
    """The bytes of one frame. ``data`` must be a single line, such as compact JSON."""
    if id is None:
        return b"event: %b\r\ndata: %b\r\n\r\n" % (event.encode(), data)
    return b"event: %b\r\ndata: %b\r\nid: %b\r\n\r\n" % (event.encode(), data, id.encode())


def head(event: str) -> bytes:
    """The constant first bytes of every frame named ``event``, for ``numbered``."""
    return b"event: %b\r\ndata: " % event.encode()


def numbered(head: bytes, data: bytes, ms: int, seq: int) -> bytes:
    """``encode`` with ``event_id(ms, seq)`` as the id, given the precomputed ``head`` of the event name."""
    return b"%b%b\r\nid: %d-%d\r\n\r\n" % (head, data, ms, seq)


def event_id(ms: int, seq: int) -> str:
    """``<unix ms>-<seq>``, where ``seq`` is dense from 1 within the run."""
    return f"{ms}-{seq}"


def parse_event_id(text: str) -> tuple[int, int] | None:
    """``(ms, seq)`` of an id, or None if it does not have the form of ``event_id``."""
    ms, dash, seq = text.partition("-")
    if dash and ms.isascii() and ms.isdigit() and seq.isascii() and seq.isdigit() and len(text) <= 40:
        return int(ms), int(seq)
    return None


class Decoder:
    """Decode bytes, split at any position, into frames. Lines end in CR, LF or CRLF; comments are only counted."""

    def __init__(self) -> None:
        self._buffer = b""
        self._event = ""
        self._data: list[bytes] = []
        self._id: str | None = None
        self.last_id: str | None = None
        self.comments = 0

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames completed by ``chunk``."""
        buffer = self._buffer + chunk
        if b"\r" in buffer:
            # A trailing CR may be the first half of a CRLF, so keep it for the next chunk.
            held = buffer.endswith(b"\r")
            body = buffer[:-1] if held else buffer
            *lines, rest = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
            self._buffer = rest + (b"\r" if held else b"")
        else:
            *lines, self._buffer = buffer.split(b"\n")
        return [frame for line in lines if (frame := self._line(line)) is not None]

    def flush(self) -> list[Frame]:
        """The frames left in a stream that ended without a final blank line."""
        frames = self.feed(b"\n\n")
        self._buffer = b""
        return frames

    def _line(self, line: bytes) -> Frame | None:
        if not line:
            return self._dispatch()
        if line.startswith(b":"):
            self.comments += 1
            return None
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._event = value.decode()
        elif field == b"id" and b"\0" not in value:
            self._id = value.decode()
        return None

    def _dispatch(self) -> Frame | None:
        event, data, id = self._event, self._data, self._id
        self._event, self._data, self._id = "", [], None
        if id is not None:
            self.last_id = id
        if not data and not event:
            return None
        return Frame(event or "message", b"\n".join(data), id)
