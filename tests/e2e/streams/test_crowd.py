"""Many readers of one run: each gets every event once and in order, and a reader that does not read delays no other."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from support.server import Running, frames, listening, running

PROJECT = Path(__file__).parent / "project"
READERS = 500


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path, project=PROJECT) as server:
        yield server


@asynccontextmanager
async def asking(url: str, path: str) -> AsyncIterator[asyncio.StreamReader]:
    """A client that has asked for a stream and has the head of the answer."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=2**16)
    writer.write(f"GET {path}/stream HTTP/1.1\r\nHost: x\r\nLast-Event-ID: -1\r\nConnection: close\r\n\r\n".encode())
    try:
        await reader.readuntil(b"\r\n\r\n")
        yield reader
    finally:
        writer.close()


async def body_of(reader: asyncio.StreamReader) -> bytes:
    """What is left of a chunked body."""
    pieces: list[bytes] = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        pieces.append((await reader.readexactly(size + 2))[:-2])
    return b"".join(pieces)


def numbers(body: bytes) -> list[int]:
    """Of its custom events."""
    return [int(found) for found in re.findall(rb'data: {"i":(\d+),', body)]


async def test_five_hundred_readers_each_get_every_event_in_order(tmp_path: Path) -> None:
    gate, events = tmp_path / "gate", 200

    async with running(tmp_path / "data", project=PROJECT) as server:
        input = {"more": events, "pause": 0.005, "gate": str(gate)}
        path = await server.run("emitter", input, stream_mode=["custom"])
        async with listening(server.runtime.app) as url, AsyncExitStack() as open:
            readers = [await open.enter_async_context(asking(url, path)) for _ in range(READERS)]
            reading = [asyncio.create_task(body_of(reader)) for reader in readers]
            gate.touch()
            bodies = set(await asyncio.gather(*reading))
        (body,) = bodies
        assert numbers(body) == list(range(events))
        assert [frame.seq for frame in frames(body)] == list(range(1, events + 2))
        assert await server.read(path) == body


async def test_one_of_a_crowd_that_does_not_read_holds_up_nobody(tmp_path: Path) -> None:
    gate, events = tmp_path / "gate", 3_000

    async with running(tmp_path / "data", project=PROJECT) as server:
        input = {"more": events, "size": 2_000, "gate": str(gate)}
        path = await server.run("emitter", input, stream_mode=["custom"])
        async with listening(server.runtime.app) as url, AsyncExitStack() as open:
            stalled = await open.enter_async_context(asking(url, path))
            readers = [await open.enter_async_context(asking(url, path)) for _ in range(40)]
            reading = [asyncio.create_task(body_of(reader)) for reader in readers]
            gate.touch()
            (body,) = set(await asyncio.gather(*reading))
            assert numbers(body) == list(range(events))
            assert await body_of(stalled) == body


async def test_a_crowd_that_joins_late_reads_the_log_together(tmp_path: Path) -> None:
    """Readings of the log are shared: there are far fewer than readers."""
    gate, events = tmp_path / "gate", 500

    async with running(tmp_path / "data", project=PROJECT) as server:
        path = await server.run("emitter", {"n": events, "size": 1_000, "gate": str(gate)}, stream_mode=["custom"])
        async with server.reading(path) as first:
            await first.holds(events + 1)
        readings = 0
        log = server.runtime.backend.log
        read = log._read  # type: ignore[attr-defined]

        async def counted(run_id: str, after: int) -> object:
            nonlocal readings
            readings += 1
            return await read(run_id, after)

        log._read = counted  # type: ignore[attr-defined]
        async with AsyncExitStack() as open:
            readers = [await open.enter_async_context(server.reading(path)) for _ in range(100)]
            bodies = await asyncio.gather(*(reader.holds(events + 1) for reader in readers))
            gate.touch()
            await asyncio.gather(*(reader.rest() for reader in readers))
        assert {tuple(numbers(body)) for body in bodies} == {tuple(range(events))}
        assert readings < 50
