"""A whole server in this process: real storage, real graphs, a worker; reached in process or over a socket."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import structlog
import uvicorn

from support import shapes
from support.transport import StreamingTransport
from treadle.graph.graphs import Graphs
from treadle.project.load import load_config, load_graphs
from treadle.runtime import Runtime, listen

GOLDEN = Path(__file__).parent / "graphs"
# structlog's default renderer prints local variables, which takes a second per failure.
_plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
# Only warnings: runs and relays log from many threads, and output of threads interleaves with that of tests.
structlog.configure(
    processors=[structlog.processors.add_log_level, _plain],
    wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
)

# Heartbeats are for the tests that ask for them: bodies are compared byte for byte, however slow the machine.
QUICK = {"drain_seconds": 0.2, "cancel_seconds": 2.0, "heartbeat_seconds": 60.0}

graphs_of: Callable[[Path], Graphs] = cache(lambda project: load_graphs(load_config(project)))


@dataclass(frozen=True)
class Frame:
    """One frame as it was on the wire. A comment has no event."""

    raw: bytes
    event: str | None
    data: Any
    id: str | None

    @property
    def seq(self) -> int:
        return int((self.id or "").partition("-")[2])


def frames(body: bytes) -> list[Frame]:
    """The frames of a whole SSE body, which must be well formed to the last byte."""
    assert not body or body.endswith(b"\r\n\r\n"), body[-200:]
    return [_frame(part + b"\r\n\r\n") for part in body.split(b"\r\n\r\n")[:-1]]


def _frame(raw: bytes) -> Frame:
    if raw.startswith(b":"):
        return Frame(raw, None, None, None)
    fields = re.fullmatch(rb"event: ([^\r\n]+)\r\ndata: ([^\r\n]*)(?:\r\nid: ([^\r\n]+))?\r\n\r\n", raw)
    assert fields, raw
    event, data, id = fields.groups()
    return Frame(raw, event.decode(), json.loads(data), id.decode() if id else None)


@dataclass(frozen=True)
class Running:
    runtime: Runtime
    http: httpx.AsyncClient

    async def thread(self) -> str:
        return (await self.post("/threads", {}))["thread_id"]

    async def post(self, path: str, body: Any, **more: Any) -> Any:
        answer = await self.http.post(path, json=body, **more)
        assert answer.status_code < 300, (answer.status_code, answer.text)
        return answer.json() if answer.content else None

    async def get(self, path: str, **more: Any) -> Any:
        answer = await self.http.get(path, **more)
        assert answer.status_code < 300, (answer.status_code, answer.text)
        return answer.json()

    async def run(self, graph: str, input: Any, *, thread_id: str | None = None, **more: Any) -> str:
        """Creates a run in the background; its path."""
        thread_id = thread_id or await self.thread()
        run = await self.post(f"/threads/{thread_id}/runs", {"assistant_id": graph, "input": input, **more})
        return f"/threads/{thread_id}/runs/{run['run_id']}"

    async def ended(self, path: str) -> str:
        """Waits for the end of a run; its status."""
        await self.get(f"{path}/join")
        return (await self.get(path))["status"]

    async def read(self, path: str, after: str | None = "-1", **more: Any) -> bytes:
        """The whole stream of a run, to its end."""
        headers = {**more.pop("headers", {}), **({} if after is None else {"last-event-id": after})}
        answer = await self.http.get(f"{path}/stream", headers=headers, **more)
        assert answer.status_code == 200, answer.text
        return answer.content

    @asynccontextmanager
    async def reading(self, path: str, after: str | None = "-1", **more: Any) -> AsyncIterator[Reader]:
        """A stream that is open: its pieces are read one by one."""
        headers = {**more.pop("headers", {}), **({} if after is None else {"last-event-id": after})}
        async with self.http.stream("GET", f"{path}/stream", headers=headers, **more) as answer:
            assert answer.status_code == 200, await answer.aread()
            yield Reader(answer)


class Reader:
    """Bytes of an open stream. Every wait is bounded by ``seconds``."""

    def __init__(self, answer: httpx.Response, *, seconds: float = 20.0) -> None:
        self.answer = answer
        self.body = b""
        self._pieces = answer.aiter_raw()
        self._seconds = seconds

    async def until(self, satisfied: Callable[[bytes], bool]) -> bytes:
        """Reads on until ``satisfied(all read so far)``."""
        async with asyncio.timeout(self._seconds):
            while not satisfied(self.body):
                self.body += await anext(self._pieces)
        return self.body

    async def rest(self) -> bytes:
        async with asyncio.timeout(self._seconds):
            async for piece in self._pieces:
                self.body += piece
        return self.body

    async def reaches(self, count: int) -> bytes:
        """Reads on until there are that many bytes."""
        return await self.until(lambda body: len(body) >= count)

    async def holds(self, count: int) -> bytes:
        """Reads on until that many events are there."""
        return await self.until(lambda body: body.count(b"\r\nid: ") >= count)


@asynccontextmanager
async def running(data: Path, *, project: Path = GOLDEN, **settings: Any) -> AsyncIterator[Running]:
    """A server over ``data``; it can be opened again on the same directory afterwards."""
    runtime = Runtime(shapes.settings(data, **{**QUICK, **settings}), graphs_of(project))
    transport = StreamingTransport(runtime.app)
    async with runtime, httpx.AsyncClient(transport=transport, base_url="http://treadle", timeout=30) as http:
        yield Running(runtime, http)


class _Server(uvicorn.Server):
    """Uvicorn that leaves the signals of the test process alone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def listening(app: Any) -> AsyncIterator[str]:
    """``app`` on a socket of 127.0.0.1; the address."""
    with listen("127.0.0.1", 0) as listener:
        config = uvicorn.Config(app, lifespan="off", log_config=None, ws="none", timeout_graceful_shutdown=3)
        server = _Server(config)
        serving = asyncio.create_task(server.serve([listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving
