"""A keep-alive HTTP/1.1 connection on a bare socket: it frames the body and keeps its bytes, and parses nothing else.

So that a load generator on the same machine is not what is measured.
"""

from __future__ import annotations

import asyncio
import time
from typing import NamedTuple, cast


class Answer(NamedTuple):
    """``sent_at`` and ``first_at`` are ``time.perf_counter`` at the request's start and at the body's first bytes."""

    status: int
    body: bytes
    sent_at: float
    first_at: float

    @property
    def events(self) -> int:
        """How many server-sent events the body holds. JSON on one line cannot hold the line end that is looked for."""
        return self.body.count(b"\r\ndata: ")


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._body = bytearray()
        self._status = 0
        self._left: int | None = (
            None  # bytes of the body, or of the chunk, that are still to come; None: a line is next
        )
        self._chunked = False
        self._sent_at = self._first_at = 0.0
        self._answer: asyncio.Future[Answer] | None = None

    @classmethod
    async def open(cls, host: str, port: int) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(cls, host, port)
        return connection

    async def get(self, path: str) -> Answer:
        return await self._request(f"GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n".encode())

    async def post(self, path: str, body: bytes) -> Answer:
        fields = f"host: bench\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
        return await self._request(f"POST {path} HTTP/1.1\r\n{fields}\r\n\r\n".encode() + body)

    async def _request(self, request: bytes) -> Answer:
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._body, self._status, self._left, self._first_at = bytearray(), 0, None, 0.0
        self._sent_at = time.perf_counter()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's has no base class

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._advance():
            pass

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("the server closed the connection in mid-answer"))

    # framing; each step returns whether there may be more to do

    def _advance(self) -> bool:
        if self._status == 0:
            return self._head()
        if self._left is None:
            return self._size()
        return self._content(self._left)

    def _head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self._buffer[:end]).lower()
        del self._buffer[: end + 4]
        self._status = int(head[9:12])
        self._chunked = b"\r\ntransfer-encoding: chunked" in head
        if not self._chunked:
            _, _, rest = head.partition(b"\r\ncontent-length: ")
            self._left = int(rest.partition(b"\r\n")[0] or b"0")
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

    def _content(self, left: int) -> bool:
        if len(self._buffer) < left:
            return False
        if not self._first_at:
            self._first_at = time.perf_counter()
        self._body += self._buffer[: left - 2 if self._chunked else left]
        if not self._chunked:
            return self._finish(left)
        del self._buffer[:left]
        self._left = None
        return True

    def _finish(self, consumed: int) -> bool:
        del self._buffer[:consumed]
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.set_result(Answer(self._status, bytes(self._body), self._sent_at, self._first_at))
        return False
