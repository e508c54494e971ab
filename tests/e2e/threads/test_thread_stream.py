"""The stream of a thread: every run of it in one order, live and replayed, across restarts and roll-backs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient

from support.keeping import keeping
from support.server import Frame, Reader, Running, frames, listening

PROJECT = Path(__file__).parent / "project"
GOLDEN_STREAMS = json.loads((Path(__file__).parent / "thread_stream_modes_param.json").read_text())["steps"]
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    async with keeping(tmp_path, project=PROJECT) as server:
        yield server


@asynccontextmanager
async def following(server: Running, thread_id: str, after: str | None = "0", **query: Any) -> AsyncIterator[Reader]:
    async with server.reading(f"/threads/{thread_id}", after, params=query) as reader:
        yield reader


def said(body: bytes) -> list[tuple[str | None, Any]]:
    return [(frame.event, frame.data) for frame in frames(body) if frame.event]


def dones(body: bytes) -> list[str]:
    """The runs that are over, in their order."""
    told = (data for event, data in said(body) if event == "metadata")
    return [data["run_id"] for data in told if data.get("status") == "run_done"]


async def runs_over(reader: Reader, count: int) -> bytes:
    return await reader.until(lambda body: body.count(b'"run_done"') >= count)


def run_id(path: str) -> str:
    return path.split("/")[-1]


def recorded(step: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(frame["event"], frame["data"]) for frame in step["response"]["sse"] if "event" in frame]


@pytest.mark.parametrize("number", [0, 2])
@pytest.mark.parametrize("name", ["stream_modes", "stream_mode"])
async def test_a_stream_that_is_open_before_the_run_says_what_was_recorded(
    tmp_path: Path, number: int, name: str
) -> None:
    step = GOLDEN_STREAMS[number]
    wanted = recorded(step)

    async with keeping(tmp_path) as server:
        thread_id = await server.thread()
        async with following(server, thread_id, None, **{name: step["request"]["query"]["stream_modes"]}) as reader:
            path = await server.run("ticker", {"tokens": 1}, thread_id=thread_id)
            body = await runs_over(reader, 1)
        known = json.loads(json.dumps(wanted).replace(wanted[0][1]["run_id"], run_id(path)))
        assert said(body) == [tuple(each) for each in known]


@pytest.mark.parametrize("number", range(5, 9))
async def test_replays_that_were_recorded(tmp_path: Path, number: int) -> None:
    step = GOLDEN_STREAMS[number]
    wanted = recorded(step)

    async with keeping(tmp_path) as server:
        path = await server.run("ticker", {"tokens": 2}, stream_mode=["values", "custom"], stream_resumable=True)
        own = frames(await server.read(path))
        after = step["request"]["headers"]["Last-Event-ID"]
        async with following(server, path.split("/")[2], own[2].id if after.startswith("<") else after) as reader:
            body = await runs_over(reader, 1)
        known = json.loads(
            json.dumps(wanted).replace(GOLDEN_STREAMS[4]["response"]["sse"][0]["data"]["run_id"], run_id(path))
        )
        assert said(body) == [tuple(each) for each in known]


async def test_the_id_of_a_runs_stream_is_understood_in_a_later_run_of_the_thread_too(server: Running) -> None:
    first = await server.run("teller", {"count": 5}, stream_mode="custom")
    await server.ended(first)
    thread_id = first.split("/")[2]
    second = await server.run("teller", {"count": 5}, thread_id=thread_id, stream_mode="custom")
    own = frames(await server.read(second))
    for number, frame in enumerate(own):
        async with following(server, thread_id, frame.id) as reader:
            assert len(frames(await runs_over(reader, 1))) == len(own) - number, frame


async def test_every_id_gives_the_exact_suffix_over_many_runs(server: Running) -> None:
    thread_id = await server.thread()
    for count in (3, 0, 7):
        await server.ended(await server.run("teller", {"count": count}, thread_id=thread_id, stream_mode="custom"))
    async with following(server, thread_id) as reader:
        whole = frames(await runs_over(reader, 3))
    assert [frame.seq for frame in whole] == list(range(1, len(whole) + 1))
    assert len({frame.id for frame in whole}) == len(whole)
    for number, frame in enumerate(whole[:-1], start=1):
        async with following(server, thread_id, frame.id) as reader:
            rest = await reader.holds(len(whole) - number)
        assert rest == b"".join(each.raw for each in whole[number:])


async def test_without_an_id_only_what_is_new_is_sent(server: Running) -> None:
    old = await server.run("teller", {"count": 3})
    await server.ended(old)
    thread_id = old.split("/")[2]
    for after in (None, "9999999999999-9999", "1795361934635-0"):
        async with following(server, thread_id, after) as reader:
            new = await server.run("teller", {"count": 1}, thread_id=thread_id)
            body = await runs_over(reader, 1)
        assert dones(body) == [run_id(new)], after


@pytest.mark.parametrize("after", ["-1", "$", "abc", "5", "1-2-3"])
async def test_ids_that_say_nothing_are_refused(server: Running, after: str) -> None:
    answer = await server.http.get(f"/threads/{NOBODY}/stream", headers={"last-event-id": after})
    assert (answer.status_code, answer.json()["field"]) == (422, "Last-Event-ID")


async def test_modes_may_be_joined_and_spelled_in_every_way(server: Running) -> None:
    path = await server.run("teller", {"count": 2}, stream_mode="custom")
    thread_id = path.split("/")[2]
    await server.ended(path)
    await server.post(f"/threads/{thread_id}/state", {"values": {"count": 9}})

    async def events(query: str) -> set[str | None]:
        async with server.reading(f"/threads/{thread_id}", "0", params=query) as reader:
            body = await reader.until(
                lambda body: b"state_update" in body if "state_update" in query else b"run_done" in body
            )
        return {event for event, _ in said(body)}

    assert await events("") == {"metadata", "custom"}
    assert await events("stream_modes=lifecycle") == {"metadata"}
    assert await events("stream_mode=state_update") == {"state_update"}
    everything = {"metadata", "custom", "state_update"}
    assert await events("stream_mode=run_modes&stream_mode=state_update") == everything
    assert await events('stream_modes=["run_modes","state_update"]') == everything
    assert await events("stream_modes=run_modes&stream_mode=lifecycle,state_update") == everything
    for name in ("stream_mode", "stream_modes"):
        answer = await server.http.get(f"/threads/{thread_id}/stream?{name}=bogus")
        assert (answer.status_code, answer.json()["field"]) == (422, name)
    assert (await server.http.get("/threads/abc/stream")).status_code == 422


async def test_a_state_update_says_what_was_written_and_where(server: Running) -> None:
    thread_id = (await server.post("/threads", {"metadata": {"graph_id": "teller"}}))["thread_id"]
    async with following(server, thread_id, None, stream_modes="state_update") as reader:
        written = await server.post(f"/threads/{thread_id}/state", {"values": {"count": 3}, "as_node": "__start__"})
        ((event, data),) = said(await reader.holds(1))
    assert event == "state_update"
    assert data == {"checkpoint": written["checkpoint"], "values": {"count": 3}, "next": ["tell"]}


async def test_an_unknown_thread_opens_and_stays_silent_until_there_is_one(tmp_path: Path) -> None:
    async with (
        keeping(tmp_path, project=PROJECT, heartbeat_seconds=0.05) as server,
        following(server, NOBODY, None) as reader,
    ):
        await reader.until(lambda body: body.count(b": heartbeat\r\n\r\n") >= 2)
        assert said(reader.body) == []
        path = await server.run("teller", {"count": 1}, thread_id=NOBODY, if_not_exists="create")
        assert dones(await runs_over(reader, 1)) == [run_id(path)]


async def test_a_thread_that_is_deleted_and_made_anew_is_read_from_its_start(server: Running) -> None:
    first = await server.run("teller", {"count": 9}, thread_id=NOBODY, if_not_exists="create")
    await server.ended(first)
    async with following(server, NOBODY) as reader:
        await runs_over(reader, 1)
        assert (await server.http.delete(f"/threads/{NOBODY}")).status_code == 204
        second = await server.run("teller", {"count": 1}, thread_id=NOBODY, if_not_exists="create")
        body = await runs_over(reader, 2)
    assert dones(body) == [run_id(first), run_id(second)]
    assert frames(body)[-1].seq < 10, "its numbers begin anew"


async def test_a_run_that_is_rolled_back_is_over_for_who_saw_it_begin(server: Running) -> None:
    kept = await server.run("teller", {"count": 1}, stream_mode="custom")
    thread_id = kept.split("/")[2]
    await server.ended(kept)
    async with following(server, thread_id) as reader:
        await runs_over(reader, 1)
        gone = await server.run("teller", {"count": 3, "forever": True}, thread_id=thread_id, stream_mode="custom")
        await reader.until(lambda body: body.count(b"event: custom") >= 4)
        await server.http.post(f"{gone}/cancel?wait=1&action=rollback")
        after = await server.run("teller", {"forever": False}, thread_id=thread_id, stream_mode="custom")
        assert dones(await runs_over(reader, 3)) == [run_id(kept), run_id(gone), run_id(after)]
    async with following(server, thread_id) as reader:
        body = await runs_over(reader, 3)
    assert dones(body) == [run_id(kept), run_id(gone), run_id(after)]
    begun = [data["run_id"] for event, data in said(body) if event == "metadata" and "attempt" in data]
    assert begun == [run_id(kept), run_id(after)], "what it had said went with it"
    seqs = [frame.seq for frame in frames(body)]
    assert seqs == sorted(set(seqs))


async def test_readers_go_on_past_a_run_that_was_deleted(server: Running) -> None:
    thread_id = await server.thread()
    paths = [await server.run("teller", {"count": 50}, thread_id=thread_id) for _ in range(2)]
    for path in paths:
        await server.ended(path)
    async with following(server, thread_id) as live, following(server, thread_id) as late:
        await runs_over(live, 2)
        assert (await server.http.delete(paths[1])).status_code == 204
        last = await server.run("teller", {"count": 1}, thread_id=thread_id)
        assert dones(await runs_over(live, 3))[2] == run_id(last)
        assert dones(await late.until(lambda body: run_id(last).encode() in body and body.endswith(b"\r\n\r\n")))[
            0
        ] == run_id(paths[0])


async def test_failed_and_cancelled_runs_are_over_too(tmp_path: Path) -> None:
    async with keeping(tmp_path) as server:
        failed = await server.run("boom", {})
        thread_id = failed.split("/")[2]
        await server.ended(failed)
        slow = await server.run("sleeper", {"delay": 30}, thread_id=thread_id)
        queued = await server.run("sleeper", {"delay": 30}, thread_id=thread_id)
        await server.http.post(f"{queued}/cancel")
        await server.http.post(f"{slow}/cancel?wait=1")
        async with following(server, thread_id) as reader:
            body = await runs_over(reader, 3)
        assert set(dones(body)) == {run_id(failed), run_id(slow), run_id(queued)}
        assert ("error", {"error": "ValueError", "message": "boom message"}) in said(body)


async def test_the_stream_goes_on_after_a_restart(tmp_path: Path) -> None:
    async with asyncio.timeout(60):
        async with keeping(tmp_path, project=PROJECT) as server:
            first = await server.run("teller", {"count": 5}, stream_mode="custom")
            thread_id = first.split("/")[2]
            await server.ended(first)
            async with following(server, thread_id) as reader:
                seen: list[Frame] = frames(await reader.holds(4))[:4]
        async with (
            keeping(tmp_path, project=PROJECT) as server,
            following(server, thread_id, seen[-1].id) as reader,
        ):
            await runs_over(reader, 1)
            second = await server.run("teller", {"count": 1}, thread_id=thread_id, stream_mode="custom")
            rest = frames(await runs_over(reader, 2))
    assert [frame.seq for frame in [*seen, *rest]] == list(range(1, len(seen) + len(rest) + 1))
    assert dones(b"".join(frame.raw for frame in rest)) == [run_id(first), run_id(second)]


async def test_a_slow_reader_misses_nothing_and_holds_nothing_up(server: Running) -> None:
    thread_id = await server.thread()
    async with following(server, thread_id, None) as slow, following(server, thread_id, None) as quick:
        for _ in range(3):
            path = await server.run("teller", {"count": 3000, "size": 2000}, thread_id=thread_id, stream_mode="custom")
            await runs_over(quick, len(dones(quick.body)) + 1)
            assert await server.ended(path) == "success"
        body = await runs_over(slow, 3)
    assert body == quick.body
    assert [frame.seq for frame in frames(body)] == list(range(1, 3 * 3002 + 1))


async def test_a_stateless_run_shows_on_its_own_thread(server: Running) -> None:
    run = await server.post("/runs", {"assistant_id": "teller", "input": {"count": 1}, "stream_mode": "custom"})
    async with following(server, run["thread_id"]) as reader:
        assert dones(await runs_over(reader, 1)) == [run["run_id"]]


async def test_the_official_sdk_follows_a_thread_over_a_socket_and_comes_back_with_its_modes(server: Running) -> None:
    import httpx

    thread_id = await server.thread()
    async with listening(server.runtime.app) as url, httpx.AsyncClient(base_url=url, timeout=20) as http:
        client = LangGraphClient(http)
        parts: list[Any] = []

        async def follow() -> None:
            told = await client.threads.join_stream(thread_id, stream_mode="lifecycle", last_event_id="0")
            async for part in told:
                parts.append(part)
                if sum(part.data.get("status") == "run_done" for part in parts) == 2:
                    return

        task = asyncio.create_task(follow())
        runs = [run_id(await server.run("teller", {"count": 2}, thread_id=thread_id)) for _ in range(2)]
        await asyncio.wait_for(task, 20)
        assert [part.event for part in parts] == ["metadata"] * 4
        assert [part.data["run_id"] for part in parts] == [runs[0], runs[0], runs[1], runs[1]]
        async with http.stream("GET", f"/threads/{thread_id}/stream?stream_mode=lifecycle") as answer:
            assert answer.headers["location"] == f"/threads/{thread_id}/stream?stream_modes=lifecycle"
            assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["x-accel-buffering"] == "no"


async def test_readers_that_leave_leave_nothing_behind(server: Running) -> None:
    thread_id = await server.thread()
    for _ in range(20):
        async with following(server, thread_id, None):
            pass
    hub = server.runtime.backend.wakeup
    assert server.runtime.services.streams.open == set()
    assert hub._threads == {}  # type: ignore[attr-defined]
