"""A keep-alive HTTP/1.1 connection that frames bodies and counts events by their bytes, without parsing them.

It uses a bare socket, so that a load generator on the same machine takes little CPU time from the server.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import cast


@dataclass
class Response:
    """A response. ``marks`` is the number of times that ``mark`` occurred in the body.

    ``sent_at``, ``first_at`` and ``marked_at`` are ``time.perf_counter`` at the sending of the request, at the first
    bytes of the body and at the first ``mark`` (0.0: never). ``body`` stays empty unless ``keep`` is set.
    """

    mark: bytes
    keep: bool
    sent_at: float
    first_at: float = 0.0
    marked_at: float = 0.0
    marks: int = 0
    status: int = 0
    body: bytearray = field(default_factory=bytearray)
    last: bytes = b""
    """The last bytes of the body, even if ``keep`` is not set."""

    def add(self, piece: bytes) -> None:
        self.first_at = self.first_at or time.perf_counter()
        if self.keep:
            self.body += piece
        if self.mark:
            self._count(piece)

    def _count(self, piece: bytes) -> None:
        # A mark may be split between pieces. The carried-over bytes are too short to hold a mark that was counted.
        text = self.last[-len(self.mark) + 1 :] + piece
        if marks := text.count(self.mark):
            self.marks += marks
            self.marked_at = self.marked_at or time.perf_counter()
        self.last = piece[-_TAIL:] if len(piece) >= _TAIL else (self.last + piece)[-_TAIL:]


_TAIL = 512


class Connection(asyncio.Protocol):
    """A connection for one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._response: Response | None = None
        self._done: asyncio.Future[Response] | None = None
        self._lost = asyncio.Event()
        self.headers_received = asyncio.Event()
        """Set when the status line and the headers of the response are received."""
        self._chunked = self._until_closed = self._closed = False
        self._left: int | None = None  # missing bytes of the body or chunk; None: a chunk size is next

    @classmethod
    async def open(cls, host: str, port: int) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(cls, host, port)
        return connection

    async def get(self, path: str, *, mark: bytes = b"", keep: bool = True, headers: str = "") -> Response:
        return await self.send(f"GET {path}", headers=headers, mark=mark, keep=keep)

    async def post(self, path: str, body: bytes, *, mark: bytes = b"", keep: bool = True) -> Response:
        return await self.send(f"POST {path}", body, mark=mark, keep=keep)

    def send(
        self, request: str, body: bytes = b"", *, headers: str = "", mark: bytes = b"", keep: bool = True
    ) -> asyncio.Future[Response]:
        """Send a request, such as ``GET /ok``. Count ``mark`` in the body of the response; store the body if ``keep``.

        The future fails with ConnectionError if the server closes the connection before the end of the response.
        """
        assert self._transport is not None
        fields = f"host: bench\r\n{headers}"
        if body:
            fields += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        self._done = asyncio.get_running_loop().create_future()
        self._response = Response(mark, keep, time.perf_counter())
        self.headers_received.clear()
        self._left = None
        self._transport.write(f"{request} HTTP/1.1\r\n{fields}\r\n".encode() + body)
        return self._done

    def close(self) -> None:
        """Close the connection. The future of an unfinished response stays pending."""
        self._closed = True
        if self._transport is not None:
            self._transport.close()

    async def aclose(self) -> None:
        """Close the connection, and wait until it is closed."""
        self.close()
        await self._lost.wait()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transport does not inherit from it

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._advance():
            pass

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost.set()
        if self._done is None or self._done.done() or self._closed:
            return
        if self.headers_received.is_set() and self._until_closed:
            self._finish(0)
        else:
            self._done.set_exception(exc or ConnectionError("the server closed the connection mid-response"))

    # Framing. Each step returns whether the buffer may hold more to process.

    def _advance(self) -> bool:
        if self._response is None:
            return False
        if not self.headers_received.is_set():
            return self._read_head(self._response)
        if self._left is None:
            return self._read_size()
        return self._read_content(self._response, self._left)

    def _read_head(self, response: Response) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self._buffer[:end]).lower()
        del self._buffer[: end + 4]
        response.status = int(head[9:12])
        self.headers_received.set()
        self._chunked = b"\r\ntransfer-encoding: chunked" in head
        _, _, length = head.partition(b"\r\ncontent-length: ")
        self._until_closed = not self._chunked and not length and response.status != 204
        if not self._chunked:
            self._left = int(length.partition(b"\r\n")[0] or b"0")
        return True

    def _read_size(self) -> bool:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return False
        size = int(self._buffer[:end], 16)
        if size == 0:
            return len(self._buffer) >= end + 4 and self._finish(end + 4)
        del self._buffer[: end + 2]
        self._left = size + 2
        return True

    def _read_content(self, response: Response, left: int) -> bool:
        if self._until_closed:
            response.add(bytes(self._buffer))
            self._buffer.clear()
            return False
        if len(self._buffer) < left:
            return False
        response.add(bytes(self._buffer[: left - 2 if self._chunked else left]))
        if not self._chunked:
            return self._finish(left)
        del self._buffer[:left]
        self._left = None
        return True

    def _finish(self, consumed: int) -> bool:
        del self._buffer[:consumed]
        response, self._response = self._response, None
        if response is not None and self._done is not None and not self._done.done():
            self._done.set_result(response)
        return False
