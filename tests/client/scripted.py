"""A real HTTP server on 127.0.0.1 that follows a script, connection by connection; and both clients, driven alike."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import queue
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

from treadle import AsyncClient, Client, Retry
from treadle.sse import encode

BOUND = 10.0
"""Seconds that anything in these tests may take."""

RUN = "0192f0c1-0000-7000-8000-000000000001"
THREAD = "0192f0c1-0000-7000-8000-0000000000aa"
LOCATION = f"/threads/{THREAD}/runs/{RUN}"


class Conversation:
    """One connection: the request that came, and what the script answers."""

    def __init__(
        self, connection: socket.socket, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> None:
        self.connection = connection
        self.method, self.target, self.headers, self.body = method, target, headers, body

    def send(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):  # the client may leave at any time
            self.connection.sendall(data)

    def head(self, status: str, headers: dict[str, str]) -> None:
        headers = {"connection": "close", **headers}
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        self.send("\r\n".join(lines).encode())

    def chunk(self, data: bytes) -> None:
        self.send(b"%x\r\n%b\r\n" % (len(data), data))

    def finish(self) -> None:
        self.send(b"0\r\n\r\n")

    def open_stream(self, **headers: str) -> None:
        named = {"content-location": LOCATION, "location": f"{LOCATION}/stream", **headers}
        self.head("200 OK", {"content-type": "text/event-stream", "transfer-encoding": "chunked", **_present(named)})

    def json(self, body: Any, status: str = "200 OK", **headers: str) -> None:
        data = json.dumps(body).encode()
        self.head(status, {"content-type": "application/json", "content-length": str(len(data)), **headers})
        self.send(data)

    def reset(self) -> None:
        """Breaks the connection instead of closing it."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def wait_closed(self) -> None:
        """Until the client has closed its side."""
        self.connection.settimeout(BOUND)
        with contextlib.suppress(ConnectionError):
            while self.connection.recv(65536):
                pass


Script = Callable[[Conversation], None]


class Server:
    """Answers the nth request with the nth script; every answer is on a connection of its own. Failures surface."""

    def __init__(self, *scripts: Script) -> None:
        self._scripts = list(scripts)
        self.requests: list[Conversation] = []
        self.finished: queue.Queue[int] = queue.Queue()
        self._failures: list[BaseException] = []
        self._threads: list[threading.Thread] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Server:
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in [self._accepting, *self._threads]:
            thread.join(BOUND)
            assert not thread.is_alive()
        if self._failures and error[0] is None:
            raise self._failures[0]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(BOUND)
            try:
                conversation = _read(connection)
                if conversation is None:
                    return
                self.requests.append(conversation)
                number = len(self.requests)
                assert number <= len(self._scripts), f"request {number} was not expected: {conversation.target}"
                self._scripts[number - 1](conversation)
                self.finished.put(number)
            except BaseException as error:
                self._failures.append(error)


def _read(connection: socket.socket) -> Conversation | None:
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := connection.recv(65536)):
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    return Conversation(connection, method, target, headers, body)


def _present(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items() if value}


# --- what the server says --------------------------------------------------------------------------------------------


def frame(seq: int, event: str, data: Any) -> bytes:
    return encode(event, json.dumps(data, separators=(",", ":")).encode(), f"{1_700_000_000_000 + seq}-{seq}")


METADATA = frame(1, "metadata", {"run_id": RUN, "attempt": 1, "tags": ["t1"]})


def end(seq: int, status: str = "success") -> bytes:
    return frame(seq, "end", {"run_id": RUN, "status": status})


def stream(*frames: bytes, **headers: str) -> Script:
    """Sends the frames and ends the body cleanly."""

    def script(conversation: Conversation) -> None:
        conversation.open_stream(**headers)
        conversation.chunk(b"".join(frames))
        conversation.finish()

    return script


def broken(*frames: bytes, **headers: str) -> Script:
    """Sends the frames as the start of a body and then breaks off."""

    def script(conversation: Conversation) -> None:
        conversation.open_stream(**headers)
        if frames:
            conversation.chunk(b"".join(frames))

    return script


def answer(body: Any, status: str = "200 OK", **headers: str) -> Script:
    return lambda conversation: conversation.json(body, status, **_present(headers))


def hang_up(conversation: Conversation) -> None:
    """Closes without a byte."""


# --- the clients -----------------------------------------------------------------------------------------------------


class Driver:
    """One of the two clients. ``pauses`` are the seconds it wanted to sleep; it never does."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.pauses: list[float] = []

    def collect(self, url: str, make: Callable[[Any], Any], **options: Any) -> list[Any]:
        """All events of the stream that ``make(client)`` gives."""
        return self.run(url, lambda client: _all(make(client)), **options)

    def run(self, url: str, make: Callable[[Any], Any], **options: Any) -> Any:
        """The result of ``make(client)``, which may be an awaitable."""
        options = {"retry": Retry(random=lambda: 1.0), "sleep": self._sleep(), **options}
        if self.kind == "sync":
            with Client(url, **options) as client:
                return make(client)
        return asyncio.run(asyncio.wait_for(self._arun(url, make, options), BOUND))

    async def _arun(self, url: str, make: Callable[[Any], Any], options: Any) -> Any:
        async with AsyncClient(url, **options) as client:
            result = make(client)
            return await result if inspect.isawaitable(result) else result

    def _sleep(self) -> Callable[[float], Any]:
        async def asleep(seconds: float) -> None:
            self.pauses.append(seconds)

        return asleep if self.kind == "async" else self.pauses.append


def _all(events: Any) -> Any:
    if hasattr(events, "__iter__"):
        return list(events)

    async def gather() -> list[Any]:
        return [event async for event in events]

    return gather()
