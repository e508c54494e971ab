"""A real HTTP receiver of webhooks on 127.0.0.1, on its own threads: it answers as configured, and records requests."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

WAIT_SECONDS = 20.0


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    raw: bytes

    @cached_property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


Answer = Callable[[Received], "int | tuple[int, dict[str, str]] | None"]
"""What to answer a webhook: a status, a status with headers, or None to say nothing until the receiver closes."""


class Receiver:
    """Listens from ``start`` to ``stop``; after a stop it can be started again on the same port."""

    def __init__(self, answer: Answer = lambda _: 200) -> None:
        self.answer = answer
        self.received: list[Received] = []
        self.port = 0
        self._arrived = threading.Condition()
        self._closing = threading.Event()
        self._server: ThreadingHTTPServer | None = None

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def start(self) -> Receiver:
        self._closing.clear()
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        self._closing.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Receiver:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def wait(self, count: int = 1, *, where: Callable[[Received], bool] = lambda _: True) -> list[Received]:
        """Everything that fits ``where``, once that is ``count`` or more."""
        deadline = time.monotonic() + WAIT_SECONDS
        with self._arrived:
            while len(found := [each for each in self.received if where(each)]) < count:
                left = deadline - time.monotonic()
                assert left > 0, f"{len(found)} of {count} webhooks came"
                self._arrived.wait(left)
            return found

    async def gets(self, count: int = 1, *, where: Callable[[Received], bool] = lambda _: True) -> list[Received]:
        """``wait``, for tests with an event loop."""
        return await asyncio.to_thread(self.wait, count, where=where)

    def _take(self, received: Received) -> None:
        with self._arrived:
            self.received.append(received)
            self._arrived.notify_all()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["content-length"]))
                received = Received(self.path, {k.lower(): v for k, v in self.headers.items()}, content)
                answer = outer.answer(received)
                outer._take(received)
                if answer is None:
                    outer._closing.wait(WAIT_SECONDS)
                    return
                status, headers = answer if isinstance(answer, tuple) else (answer, {})
                self.send_response(status)
                for name, value in {"content-length": "0", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


def in_turn(*answers: int) -> Answer:
    """These statuses one after the other, then 200."""
    left = list(answers)
    return lambda _: left.pop(0) if left else 200
