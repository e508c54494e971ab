"""A keep-alive HTTP/1.1 connection on a bare socket: it frames bodies and counts events by bytes, and parses nothing.

So that a load generator on the same machine is not what is measured.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import cast


@dataclass
class Answer:
    """What came back. ``sent_at``, ``first_at`` and ``marked_at`` are ``time.perf_counter`` when the request was sent,
    and when the body's first bytes and the first ``mark`` were there (0.0: never); ``marks`` is how many came."""

    mark: bytes
    keep: bool
    sent_at: float
    first_at: float = 0.0
    marked_at: float = 0.0
    marks: int = 0
    status: int = 0
    body: bytearray = field(default_factory=bytearray)
    last: bytes = b""
    """The end of the body, however long that was."""

    def add(self, piece: bytes) -> None:
        self.first_at = self.first_at or time.perf_counter()
        if self.keep:
            self.body += piece
        if self.mark:
            self._count(piece)

    def _count(self, piece: bytes) -> None:
        """A mark may be spread over pieces; one that was counted cannot be within what is carried over."""
        found = self.last[-len(self.mark) + 1 :] + piece
        if marks := found.count(self.mark):
            self.marks += marks
            self.marked_at = self.marked_at or time.perf_counter()
        self.last = piece[-_TAIL:] if len(piece) >= _TAIL else (self.last + piece)[-_TAIL:]


_TAIL = 512


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._answer: Answer | None = None
        self._done: asyncio.Future[Answer] | None = None
        self._lost = asyncio.Event()
        self.headed = asyncio.Event()
        """Whether the head of the answer is here."""
        self._chunked = self._until_closed = self._closed = False
        self._left: int | None = None  # bytes of the body or chunk still to come; None: a line is next

    @classmethod
    async def open(cls, host: str, port: int) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(cls, host, port)
        return connection

    async def get(self, path: str, *, mark: bytes = b"", keep: bool = True, headers: str = "") -> Answer:
        return await self.begin(f"GET {path}", headers=headers, mark=mark, keep=keep)

    async def post(self, path: str, body: bytes, *, mark: bytes = b"", keep: bool = True) -> Answer:
        return await self.begin(f"POST {path}", body, mark=mark, keep=keep)

    def begin(
        self, what: str, body: bytes = b"", *, headers: str = "", mark: bytes = b"", keep: bool = True
    ) -> asyncio.Future[Answer]:
        """Sends a request, such as ``GET /ok``. Counts ``mark`` in the body of the answer, and keeps it if ``keep``.

        The future fails with ConnectionError when the server hangs up in mid-answer.
        """
        assert self._transport is not None
        fields = f"host: bench\r\n{headers}"
        if body:
            fields += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        self._done = asyncio.get_running_loop().create_future()
        self._answer = Answer(mark, keep, time.perf_counter())
        self.headed.clear()
        self._left = None
        self._transport.write(f"{what} HTTP/1.1\r\n{fields}\r\n".encode() + body)
        return self._done

    def close(self) -> None:
        """Hangs up; the future of an answer that is still to come stays open."""
        self._closed = True
        if self._transport is not None:
            self._transport.close()

    async def aclose(self) -> None:
        """Hangs up, and waits until that is done."""
        self.close()
        await self._lost.wait()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's has no base class

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._advance():
            pass

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost.set()
        if self._done is None or self._done.done() or self._closed:
            return
        if self.headed.is_set() and self._until_closed:
            self._finish(0)
        else:
            self._done.set_exception(exc or ConnectionError("the server closed the connection in mid-answer"))

    # framing; each step returns whether there may be more to do

    def _advance(self) -> bool:
        if self._answer is None:
            return False
        if not self.headed.is_set():
            return self._head(self._answer)
        if self._left is None:
            return self._size()
        return self._content(self._answer, self._left)

    def _head(self, answer: Answer) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self._buffer[:end]).lower()
        del self._buffer[: end + 4]
        answer.status = int(head[9:12])
        self.headed.set()
        self._chunked = b"\r\ntransfer-encoding: chunked" in head
        _, _, length = head.partition(b"\r\ncontent-length: ")
        self._until_closed = not self._chunked and not length and answer.status != 204
        if not self._chunked:
            self._left = int(length.partition(b"\r\n")[0] or b"0")
        return True

    def _size(self) -> bool:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return False
        size = int(self._buffer[:end], 16)
        if size == 0:
            return len(self._buffer) >= end + 4 and self._finish(end + 4)
        del self._buffer[: end + 2]
        self._left = size + 2
        return True

    def _content(self, answer: Answer, left: int) -> bool:
        if self._until_closed:
            answer.add(bytes(self._buffer))
            self._buffer.clear()
            return False
        if len(self._buffer) < left:
            return False
        answer.add(bytes(self._buffer[: left - 2 if self._chunked else left]))
        if not self._chunked:
            return self._finish(left)
        del self._buffer[:left]
        self._left = None
        return True

    def _finish(self, consumed: int) -> bool:
        del self._buffer[:consumed]
        answer, self._answer = self._answer, None
        if answer is not None and self._done is not None and not self._done.done():
            self._done.set_result(answer)
        return False
