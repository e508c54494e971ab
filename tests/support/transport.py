"""An in-process httpx transport that streams: each chunk arrives as the application sends it.

httpx's own ASGITransport collects the whole response first, so an endless stream never begins.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
from starlette.types import ASGIApp, Message


class StreamingTransport(httpx.AsyncBaseTransport):
    """Runs ``app`` in a task per request. Closing the response tells the application ``http.disconnect``.

    What the application raises is raised to the reader. ``closing`` bounds how long an application may take to end
    after its client has gone (seconds)."""

    def __init__(self, app: ASGIApp, *, closing: float = 5.0) -> None:
        self._app = app
        self._closing = closing

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        exchange = _Exchange(request, self._closing)
        exchange.task = asyncio.create_task(exchange.run(self._app))
        start = await exchange.next()
        if start is None:
            await exchange.task
            raise httpx.RemoteProtocolError("the application ended without a response", request=request)
        return httpx.Response(start["status"], headers=start.get("headers", []), stream=exchange)


class _Exchange(httpx.AsyncByteStream):
    """One request and its response: the ASGI side puts messages into a queue, the httpx side takes them out."""

    task: asyncio.Task[None]

    def __init__(self, request: httpx.Request, closing: float) -> None:
        self._request = request
        self._closing = closing
        self._body = aiter(request.stream)  # type: ignore[arg-type]
        self._sent = False
        self._gone = asyncio.Event()
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue(maxsize=1)

    async def run(self, app: ASGIApp) -> None:
        try:
            await app(self._scope(), self._receive, self._send)
        finally:
            if not self._gone.is_set():
                await self._messages.put(None)

    async def next(self) -> Message | None:
        return await self._messages.get()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (message := await self.next()) is not None:
            if body := message.get("body"):
                yield body
            if not message.get("more_body"):
                return
        await self.task

    async def aclose(self) -> None:
        self._gone.set()
        while not self._messages.empty():
            self._messages.get_nowait()
        done, _ = await asyncio.wait([self.task], timeout=self._closing)
        if not done:
            self.task.cancel()
            raise TimeoutError(f"{self._request.url} went on for {self._closing} s after its client had gone")
        self.task.result()

    def _scope(self) -> dict[str, Any]:
        url = self._request.url
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": self._request.method,
            "headers": [(name.lower(), value) for name, value in self._request.headers.raw],
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.split(b"?")[0],
            "query_string": url.query,
            "root_path": "",
            "server": (url.host, url.port),
            "client": ("127.0.0.1", 1),
        }

    async def _receive(self) -> Message:
        if not self._sent:
            try:
                return {"type": "http.request", "body": await anext(self._body), "more_body": True}
            except StopAsyncIteration:
                self._sent = True
                return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if not self._gone.is_set():
            await self._messages.put(message)
