"""Many readers, slow ones, early and late ones; heartbeats; what the end of a stream looks like."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from support.server import Running, frames, listening, running

PROJECT = Path(__file__).parent / "project"
MODES = ["custom", "values"]
OURS = {"treadle-events": "1"}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path, project=PROJECT) as server:
        yield server


@pytest.mark.parametrize("count", [2, 100])
async def test_readers_of_one_run_get_identical_bytes(tmp_path: Path, count: int) -> None:
    gate = tmp_path / "gate"
    async with running(tmp_path / "data", project=PROJECT) as server:
        path = await server.run("emitter", {"n": 200, "more": 200, "gate": str(gate)}, stream_mode=MODES)
        async with server.reading(path) as first:
            await first.holds(150)
            async with asyncio.TaskGroup() as group:
                readers = [group.create_task(server.read(path)) for _ in range(count - 1)]
                async with server.reading(path) as last:
                    await last.holds(202)
                gate.touch()
            body = await first.rest()
        assert len(frames(body)) == 403
        assert {reader.result() for reader in readers} == {body}
        assert await server.read(path) == body


async def test_a_reader_may_come_before_in_the_middle_and_after(tmp_path: Path) -> None:
    first_gate, gate = tmp_path / "first", tmp_path / "gate"

    async with running(tmp_path / "data", project=PROJECT) as server:
        thread_id = await server.thread()
        ahead = await server.run("emitter", {"gate": str(first_gate)}, thread_id=thread_id)
        input = {"n": 20, "more": 20, "gate": str(gate)}
        path = await server.run("emitter", input, thread_id=thread_id, stream_mode=MODES)
        assert (await server.get(path))["status"] == "pending"
        async with server.reading(path, None) as plain, server.reading(path, "-1") as full:
            first_gate.touch()
            await full.holds(22)
            async with server.reading(path, "new") as middle:
                new = asyncio.ensure_future(middle.until(lambda body: body != b""))
                gate.touch()
                await new
                late = await middle.rest()
            body = await full.rest()
            assert await plain.rest() == body
        assert len(frames(body)) == 43
        assert frames(late) == frames(body)[22:]
        assert await server.read(path) == body
        assert await server.read(path, None) == body
        assert await server.read(path, "new") == b""
        assert await server.ended(ahead) == "success"


async def test_a_reader_goes_on_after_a_restart_of_the_server(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with asyncio.timeout(60):
        async with running(tmp_path / "data", project=PROJECT) as server:
            path = await server.run("emitter", {"n": 10, "gate": str(gate)}, stream_mode=["custom"])
            async with server.reading(path) as reader:
                seen = frames(await reader.holds(11))
        gate.touch()
        async with running(tmp_path / "data", project=PROJECT) as server:
            rest = frames(await server.read(path, seen[-1].id))
            assert [frame.event for frame in rest] == ["metadata", *["custom"] * 10]
            assert rest[0].data["attempt"] == 2
            assert [frame.seq for frame in seen + rest] == list(range(1, 23))
            assert frames(await server.read(path)) == seen + rest


@asynccontextmanager
async def stalled(url: str, path: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client with a small window that has asked for a stream, and reads nothing yet."""
    parts = urlsplit(url)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, (parts.hostname, parts.port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=4096)
    writer.write(f"GET {path}/stream HTTP/1.1\r\nHost: x\r\nLast-Event-ID: -1\r\nConnection: close\r\n\r\n".encode())
    try:
        yield reader, writer
    finally:
        writer.close()


async def body_of(reader: asyncio.StreamReader) -> bytes:
    """A chunked body to its terminating chunk."""
    await reader.readuntil(b"\r\n\r\n")
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += await reader.readexactly(size)
        assert await reader.readexactly(2) == b"\r\n"
    return body


async def test_a_reader_that_stops_reading_slows_nobody_and_still_gets_everything(server: Running) -> None:
    path = await server.run("emitter", {"n": 6_000, "size": 1_000}, stream_mode=["custom"], after_seconds=0.5)
    async with listening(server.runtime.app) as url, stalled(url, path) as (reader, _):
        async with asyncio.timeout(20):
            fast = await server.read(path)
        assert (await server.get(path))["status"] == "success"
        tails = server.runtime.backend.log._hub._tails  # type: ignore[attr-defined]
        (tail,) = tails.values()
        assert tail._events <= 4096 or len(tail._chunks) == 1
        async with asyncio.timeout(30):
            slow = await body_of(reader)
        assert slow == fast
        assert len(frames(fast)) == 6_001
    assert not tails


@pytest.mark.parametrize("pause", [0.0, 0.01])
async def test_heartbeats_are_steady_with_events_and_without(tmp_path: Path, pause: float) -> None:
    """Forty intervals of wall time would be a slow test: the beat is short, and its count may be a little off."""
    gate = tmp_path / "gate"
    async with running(tmp_path / "data", project=PROJECT, heartbeat_seconds=0.05) as server:
        input = {"n": 40 if pause else 0, "pause": pause, "gate": str(gate)}
        path = await server.run("emitter", input, stream_mode=["custom"])
        loop = asyncio.get_running_loop()
        async with server.reading(path) as reader:
            began = loop.time()
            await reader.until(lambda body: body.count(b": heartbeat\r\n\r\n") >= 10)
            took = loop.time() - began
            gate.touch()
            log = frames(await reader.rest())
        assert 0.4 < took < 2.0
        beats = [frame for frame in log if frame.event is None]
        assert all(frame.raw == b": heartbeat\r\n\r\n" for frame in beats)
        assert [frame.seq for frame in log if frame.event] == list(range(1, len(log) - len(beats) + 1))


async def test_waiting_calls_are_kept_alive_with_white_space(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with running(tmp_path / "data", project=PROJECT, heartbeat_seconds=0.05) as server:
        path = await server.run("emitter", {"gate": str(gate)})
        async with server.http.stream("GET", f"{path}/join") as answer:
            body = b""
            async with asyncio.timeout(10):
                async for piece in answer.aiter_raw():
                    body += piece
                    if len(body) >= 3:
                        gate.touch()
        assert body.startswith(b"\n\n\n")
        assert json.loads(body) == {"gate": str(gate), "log": ["emitted"]}


async def test_ids_are_the_time_and_a_dense_number(server: Running) -> None:
    path = await server.run("failing", {"n": 50}, stream_mode=["custom", "values", "updates", "tasks"])
    before = await server.get(path)
    await server.ended(path)
    log = frames(await server.read(path, headers=OURS))
    assert [frame.seq for frame in log] == list(range(1, len(log) + 1))
    times = [int((frame.id or "").partition("-")[0]) for frame in log]
    assert times == sorted(times)
    assert abs(times[0] / 1000 - _seconds(before["created_at"])) < 5


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


async def test_the_replay_of_a_failed_run_has_its_error(server: Running) -> None:
    thread_id = await server.thread()
    body = {"assistant_id": "failing", "input": {"n": 2}, "stream_mode": ["custom"]}
    live = await server.http.post(f"/threads/{thread_id}/runs/stream", json=body)
    path = live.headers["content-location"]
    error = {"error": "ValueError", "message": "as asked"}
    log = frames(live.content)
    assert (log[-1].event, log[-1].data) == ("error", error)
    assert await server.read(path) == live.content
    assert frames(await server.read(path, params={"stream_mode": "values"}))[-1].data == error
    assert await server.get(f"{path}/join") == {"__error__": error}
    waited = await server.post(f"/threads/{thread_id}/runs/wait", body)
    assert waited == {"__error__": error}
    assert (await server.get(path))["status"] == "error"
    thread = await server.get(f"/threads/{thread_id}")
    assert (thread["status"], thread["error"]) == ("error", error)


async def test_joining_a_finished_interrupted_run_gives_its_state_and_the_interrupt(server: Running) -> None:
    path = await server.run("asking", {"n": 1})
    joined = [await server.get(f"{path}/join") for _ in range(2)]
    assert joined[0] == joined[1]
    (interrupt,) = joined[0].pop("__interrupt__")
    assert joined[0] == {"n": 1, "log": ["emitted"]}
    assert interrupt == {"value": {"question": "ok?"}, "id": interrupt["id"], "response_schema": None}
    log = frames(await server.read(path))
    assert log[-1].data["__interrupt__"][0]["id"] == interrupt["id"]


@pytest.mark.parametrize(("graph", "status"), [("emitter", "success"), ("failing", "error"), ("asking", "success")])
async def test_our_client_gets_the_end_and_the_tags_and_others_do_not(server: Running, graph: str, status: str) -> None:
    thread_id = await server.thread()
    body = {"assistant_id": graph, "input": {"n": 2}, "config": {"tags": ["a", "b"]}}
    live = await server.http.post(f"/threads/{thread_id}/runs/stream", json=body, headers=OURS)
    path = live.headers["content-location"]
    run_id = path.rpartition("/")[2]
    log = frames(live.content)
    assert log[0].data == {"run_id": run_id, "attempt": 1, "tags": ["a", "b"]}
    assert (log[-1].event, log[-1].data) == ("end", {"run_id": run_id, "status": status})
    assert await server.read(path, headers=OURS) == live.content
    plain = frames(await server.read(path))
    assert plain[0].data == {"run_id": run_id, "attempt": 1}
    assert [frame.raw for frame in plain[1:]] == [frame.raw for frame in log[1:-1]]


@pytest.mark.parametrize("removal", ["rollback", "delete"])
async def test_readers_of_a_run_that_is_rolled_back_end(tmp_path: Path, removal: str) -> None:
    gate = tmp_path / "gate"
    async with running(tmp_path / "data", project=PROJECT) as server:
        path = await server.run("emitter", {"n": 3, "gate": str(gate)}, stream_mode=["custom"])
        async with server.reading(path) as plain, server.reading(path, headers=OURS) as ours:
            await asyncio.gather(plain.holds(4), ours.holds(4))
            if removal == "rollback":
                await server.http.post(f"{path}/cancel", params={"action": "rollback", "wait": 1})
            else:
                await server.http.delete(path)
            assert [frame.event for frame in frames(await plain.rest())] == ["metadata", *["custom"] * 3]
            *_, end = frames(await ours.rest())
        assert (end.event, end.id) == ("end", None)
        assert end.data == {"run_id": path.rpartition("/")[2], "status": "rolled_back"}
        assert (await server.http.get(path)).status_code == 404


async def test_a_cancelled_run_closes_its_streams_without_an_event(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with running(tmp_path / "data", project=PROJECT) as server:
        path = await server.run("emitter", {"n": 3, "gate": str(gate)}, stream_mode=["custom"])
        async with server.reading(path) as plain, server.reading(path, headers=OURS) as ours:
            await asyncio.gather(plain.holds(4), ours.holds(4))
            await server.http.post(f"{path}/cancel")
            assert [frame.event for frame in frames(await plain.rest())] == ["metadata", *["custom"] * 3]
            assert frames(await ours.rest())[-1].data["status"] == "interrupted"
        # The status is committed before the stream closes.
        assert (await server.get(path))["status"] == "interrupted"


@pytest.mark.parametrize("kind", ["stream", "join"])
async def test_a_draining_server_breaks_off_what_it_cannot_finish(tmp_path: Path, kind: str) -> None:
    """The body has no terminating chunk, so no client takes it for complete. It does not count as a disconnect."""
    gate = tmp_path / "gate"
    async with asyncio.timeout(60):
        async with running(tmp_path / "data", project=PROJECT) as server:
            path = await server.run("emitter", {"n": 3, "gate": str(gate)}, stream_mode=["custom"])
            query = "?cancel_on_disconnect=1"
            async with (
                listening(server.runtime.app) as url,
                httpx.AsyncClient(base_url=url) as http,
                http.stream("GET", f"{path}/{kind}{query}", headers={"last-event-id": "-1"}) as answer,
            ):
                pieces = answer.aiter_raw()
                if kind == "stream":
                    await anext(pieces)
                await server.runtime.drain()
                with pytest.raises(httpx.RemoteProtocolError):
                    await exhaust(pieces)
            assert (await server.get(path))["status"] == "pending"
        gate.touch()
        async with running(tmp_path / "data", project=PROJECT) as server:
            assert await server.ended(path) == "success"


async def exhaust(pieces: AsyncIterator[bytes]) -> None:
    async for _ in pieces:
        pass


@pytest.mark.parametrize("leaving", ["stream", "wait", "join", "joined stream"])
@pytest.mark.parametrize("asked", [True, False])
async def test_a_client_that_leaves_stops_the_run_only_if_asked_to(tmp_path: Path, leaving: str, asked: bool) -> None:
    gate = tmp_path / "gate"
    async with running(tmp_path / "data", project=PROJECT) as server:
        thread_id = await server.thread()
        input = {"n": 3, "gate": str(gate)}
        if leaving in ("stream", "wait"):
            body = {"assistant_id": "emitter", "input": input, "on_disconnect": "cancel" if asked else "continue"}
            call: dict[str, Any] = {"method": "POST", "url": f"/threads/{thread_id}/runs/{leaving}", "json": body}
        else:
            path = await server.run("emitter", input, thread_id=thread_id)
            kind = "join" if leaving == "join" else "stream"
            params = {"cancel_on_disconnect": "1" if asked else "0"}
            call = {"method": "GET", "url": f"{path}/{kind}", "params": params, "headers": {"last-event-id": "-1"}}
        async with server.http.stream(**call) as answer:
            path = answer.headers["content-location"]
            async with server.reading(path) as other:
                await other.holds(2)
        if not asked:
            gate.touch()
        assert await server.ended(path) == ("interrupted" if asked else "success")
        error = (await server.get(f"/threads/{thread_id}"))["error"]
        left = "client disconnected from the run stream (on_disconnect=cancel)"
        assert error == ({"error": "UserInterrupt", "message": left} if asked else None)


async def test_the_stream_of_a_stateless_run_can_be_joined_where_it_says(server: Running) -> None:
    answer = await server.http.post("/runs/stream", json={"assistant_id": "emitter", "input": {"n": 3}})
    assert answer.headers["content-location"].startswith("/runs/")
    assert answer.headers["location"] == answer.headers["content-location"] + "/stream"
    log = frames(answer.content)
    again = await server.http.get(answer.headers["location"], headers={"last-event-id": log[0].id or ""})
    assert frames(again.content) == log[1:]
    joined = await server.http.get(answer.headers["content-location"] + "/join")
    assert joined.json() == {"n": 3, "log": ["emitted"]}
