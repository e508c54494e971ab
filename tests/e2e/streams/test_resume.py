"""Reading after an event id gives the exact suffix, byte for byte: live, after the end, after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support import shapes
from support.server import Frame, Running, frames, running
from treadle.backends.engine.connection import Connection

PROJECT = Path(__file__).parent / "project"
MODES = ["custom", "values"]
EVENTS = 2_000


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path, project=PROJECT) as server:
        yield server


def suffix(log: list[Frame], after: int) -> bytes:
    return b"".join(frame.raw for frame in log[after:])


async def each_suffix(server: Running, path: str, log: list[Frame]) -> None:
    """Reads after every single id of an ended run."""
    for at, frame in enumerate(log, 1):
        assert await server.read(path, frame.id) == suffix(log, at), frame.id


async def test_resuming_at_each_of_2000_ids_gives_the_exact_suffix(tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    async def live(server: Running, path: str) -> list[Frame]:
        """Readers at every id while the run goes on; some of them stay to its end."""
        async with server.reading(path) as first:
            seen = frames(await first.holds(EVENTS))[:EVENTS]
            for at, frame in enumerate(seen, 1):
                async with server.reading(path, frame.id) as reader:
                    expected = suffix(seen, at)
                    assert await reader.reaches(len(expected)) == expected
            async with asyncio.TaskGroup() as group:
                staying = [group.create_task(server.read(path, frame.id)) for frame in seen[::50]]
                await server.get("/ok")
                gate.touch()
            log = frames(await first.rest())
        for at, reader in zip(range(1, EVENTS + 1, 50), staying, strict=True):
            assert reader.result() == suffix(log, at)
        return log

    async with asyncio.timeout(120):
        async with running(tmp_path / "data", project=PROJECT) as server:
            input = {"n": EVENTS - 2, "more": 40, "gate": str(gate)}
            path = await server.run("emitter", input, stream_mode=MODES)
            log = await live(server, path)
            assert len(log) == EVENTS + 41
            assert [frame.seq for frame in log] == list(range(1, len(log) + 1))
            await each_suffix(server, path, log)
        async with running(tmp_path / "data", project=PROJECT) as server:
            await each_suffix(server, path, log)


async def test_the_stream_of_creation_and_every_later_reading_are_the_same_bytes(server: Running) -> None:
    thread_id = await server.thread()
    body = {"assistant_id": "nested", "input": {"n": 30}, "stream_mode": MODES, "stream_subgraphs": True}
    answer = await server.http.post(f"/threads/{thread_id}/runs/stream", json=body)
    path = answer.headers["content-location"]
    assert answer.headers["location"] == f"{path}/stream"
    for after in ("-1", "0", "0-0"):
        assert await server.read(path, after) == answer.content
    log = frames(answer.content)
    assert all(frame.id for frame in log)
    assert len({frame.id for frame in log}) == len(log)


@pytest.mark.parametrize("resumable", [True, False, None])
async def test_a_run_can_be_replayed_whether_or_not_it_was_asked_to_be_resumable(
    server: Running, resumable: bool | None
) -> None:
    path = await server.run("emitter", {"n": 5}, stream_resumable=resumable, stream_mode=MODES)
    await server.ended(path)
    log = frames(await server.read(path))
    assert [frame.event for frame in log] == ["metadata", "values", *["custom"] * 5, "values"]


@pytest.mark.parametrize("given", [None, ""])
async def test_without_an_id_everything_comes_so_that_a_quick_run_can_be_created_and_then_joined(
    server: Running, given: str | None
) -> None:
    path = await server.run("emitter", {"n": 5}, stream_mode=MODES)
    await server.ended(path)
    headers = {} if given is None else {"last-event-id": given}
    answer = await server.http.get(f"{path}/stream", headers=headers)
    assert answer.content == await server.read(path, "-1")


@pytest.mark.parametrize("given", ["abc", "12", "-2", "1-", "-1-1", "1-x", "١-٢", "9" * 60 + "-1"])
async def test_an_id_that_is_none_of_ours_gives_nothing_old(server: Running, given: str) -> None:
    path = await server.run("emitter", {"n": 5}, stream_mode=MODES)
    await server.ended(path)
    headers = {"last-event-id": given.encode()}
    answer = await server.http.get(f"{path}/stream", headers=headers)
    assert (answer.status_code, answer.content) == (200, b"")


async def test_the_last_id_and_a_future_one_give_nothing_after_the_end(server: Running) -> None:
    path = await server.run("emitter", {"n": 5}, stream_mode=MODES)
    await server.ended(path)
    last = frames(await server.read(path))[-1]
    assert await server.read(path, last.id) == b""
    assert await server.read(path, f"{2**62}-{2**62}") == b""


async def test_a_future_id_on_a_live_run_gives_what_is_new_and_ends_with_the_run(
    server: Running, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"

    path = await server.run("emitter", {"n": 5, "more": 3, "gate": str(gate)}, stream_mode=["custom"])
    async with server.reading(path) as first:
        await first.holds(6)
        async with server.reading(path, "1-99999") as future:
            gate.touch()
            new = frames(await future.rest())
        log = frames(await first.rest())
    assert [frame.data["i"] for frame in new] == [5, 6, 7]
    assert new == log[6:]


def prune(data: Path, path: str, below: int) -> int:
    """Drops the oldest chunks of a run, as retention does; the first seq that is left."""
    run_id = path.rpartition("/")[2]

    def work(conn: Connection) -> int:
        conn.execute("DELETE FROM event_chunks WHERE run_id = ? AND last_seq < ?", (run_id, below))
        return conn.execute("SELECT min(first_seq) FROM event_chunks WHERE run_id = ?", (run_id,)).fetchone()[0]

    return shapes.written(data, work)


async def test_an_id_older_than_what_is_kept_gives_a_gap_and_then_what_there_is(
    server: Running, tmp_path: Path
) -> None:
    path = await server.run("emitter", {"n": 2_000}, stream_mode=MODES)
    await server.ended(path)
    log = frames(await server.read(path))
    first = await asyncio.to_thread(prune, tmp_path, path, 700)
    assert 1 < first <= 700
    for after in ("-1", "0", log[0].id, log[first - 3].id):
        gap, *rest = frames(await server.read(path, after))
        assert (gap.event, gap.id) == ("gap", None)
        assert gap.data == {
            "error": "gap",
            "message": f"events before {first} are no longer kept",
            "first_seq": first,
        }
        assert rest == log[first - 1 :]
    for after in (log[first - 2].id, log[first].id, log[-1].id):
        assert await server.read(path, after) == suffix(log, int((after or "").partition("-")[2]))


async def test_a_log_of_which_nothing_is_kept_says_so(server: Running, tmp_path: Path) -> None:
    path = await server.run("emitter", {"n": 3}, stream_mode=MODES)
    await server.ended(path)
    log = frames(await server.read(path))
    await asyncio.to_thread(prune_all, tmp_path, path)
    (gap,) = frames(await server.read(path, log[2].id))
    assert (gap.event, gap.id) == ("gap", None)


def prune_all(data: Path, path: str) -> None:
    run_id = path.rpartition("/")[2]
    shapes.written(data, lambda conn: conn.execute("DELETE FROM event_chunks WHERE run_id = ?", (run_id,)))


@pytest.mark.parametrize(
    ("modes", "wanted"),
    [
        ([("stream_mode", "custom")], {"custom"}),
        ([("stream_mode", "custom"), ("stream_mode", "values")], {"custom", "values"}),
        ([("stream_mode", '["custom","updates"]')], {"custom", "updates"}),
        ([("stream_mode", "custom,metadata")], {"custom", "metadata"}),
        ([("stream_mode", "debug")], set()),
        ([("stream_mode", "")], {"custom", "metadata", "updates", "values"}),
    ],
)
async def test_a_filter_on_stream_mode_resumes_after_the_same_ids(
    server: Running, modes: Any, wanted: set[str]
) -> None:
    path = await server.run("emitter", {"n": 6}, stream_mode=["custom", "values", "updates"])
    await server.ended(path)
    log = frames(await server.read(path))
    for at, frame in enumerate(log, 1):
        expected = [each for each in log[at:] if each.event in wanted]
        assert frames(await server.read(path, frame.id, params=modes)) == expected


async def test_namespaced_events_resume_and_filter_by_mode_and_by_name(server: Running) -> None:
    path = await server.run("nested", {"n": 3}, stream_mode=["custom", "updates"], stream_subgraphs=True)
    await server.ended(path)
    log = frames(await server.read(path))
    names = [frame.event or "" for frame in log]
    deep = next(name for name in names if name.startswith("updates|sub:") and "|deep:" in name)
    assert {name.partition("|")[0] for name in names} == {"metadata", "custom", "updates"}
    for at, frame in enumerate(log, 1):
        assert await server.read(path, frame.id) == suffix(log, at)
        by_mode = frames(await server.read(path, frame.id, params={"stream_mode": "updates"}))
        assert by_mode == [each for each in log[at:] if (each.event or "").partition("|")[0] == "updates"]
        by_name = frames(await server.read(path, frame.id, params={"stream_mode": deep}))
        assert by_name == [each for each in log[at:] if each.event == deep]
        root = frames(await server.read(path, frame.id, params={"stream_subgraphs": "false"}))
        assert root == [each for each in log[at:] if "|" not in (each.event or "")]


async def test_an_unknown_mode_in_the_filter_is_refused_by_name(server: Running) -> None:
    path = await server.run("emitter", {"n": 1})
    answer = await server.http.get(f"{path}/stream", params={"stream_mode": "values,nope"})
    assert answer.status_code == 422
    assert "nope" in answer.json()["detail"]
    assert answer.json()["field"] == "stream_mode"
