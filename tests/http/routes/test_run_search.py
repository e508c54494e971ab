"""Runs of all threads over HTTP: what a search shows, how it is paged, and what it refuses."""

from __future__ import annotations

from typing import Any

from support.server import Running

HEAD = ["run_id", "thread_id", "assistant_id", "graph_id", "status", "created_at", "updated_at", "available_at"]
COLUMNS = [
    *HEAD,
    *("started_at", "finished_at", "duration_seconds", "attempt", "crashes", "worker_id", "blocked_by", "cancelling"),
    *("priority", "concurrency_key", "multitask_strategy", "temporary", "trimmed", "stopped_at_interrupt", "tags"),
    *("error", "metadata"),
]
SLEEP = {"delay": 30}


def run_id(path: str) -> str:
    return path.rpartition("/")[2]


async def search(server: Running, **body: Any) -> list[dict[str, Any]]:
    return await server.post("/runs/search", body)


async def found(server: Running, **body: Any) -> list[str]:
    return [run["run_id"] for run in await search(server, **body)]


async def test_a_search_shows_what_became_of_runs_on_every_thread(server: Running) -> None:
    good = await server.run("chain", {"n": []}, config={"tags": ["x", "y"]}, metadata={"k": 1})
    bad = await server.run("boom", {"n": []})
    asks = await server.run("hil", {"log": []})
    assert [await server.ended(path) for path in (good, bad, asks)] == ["success", "error", "success"]
    slow = await server.run("sleeper", SLEEP)
    async with server.reading(slow) as reader:
        await reader.holds(1)
    thread_id = slow.split("/")[2]
    behind = await server.run("sleeper", SLEEP, thread_id=thread_id)
    later = await server.run("chain", {"n": []}, after_seconds=3600)

    shown = await search(server)
    assert [run["run_id"] for run in shown] == [run_id(path) for path in (later, behind, slow, asks, bad, good)]
    assert [list(run) for run in shown] == [COLUMNS] * 6
    delayed, waiting, running, asking, failed, ended = shown
    assert (ended["status"], ended["graph_id"], ended["attempt"], ended["crashes"]) == ("success", "chain", 1, 0)
    assert (ended["tags"], ended["metadata"]["k"], ended["error"]) == (["x", "y"], 1, None)
    assert 0 < ended["duration_seconds"] < 60
    assert ended["started_at"] < ended["finished_at"] == ended["updated_at"]
    assert (failed["status"], failed["error"]["error"], failed["error"]["message"]) == (
        *("error", "ValueError"),
        "boom message",
    )
    assert (asking["status"], asking["stopped_at_interrupt"]) == ("success", True)
    assert [run["stopped_at_interrupt"] for run in shown].count(True) == 1
    assert (running["status"], running["finished_at"], running["attempt"]) == ("running", None, 1)
    assert running["worker_id"]
    assert (waiting["status"], waiting["attempt"], waiting["started_at"]) == ("pending", 0, None)
    assert waiting["duration_seconds"] is None
    assert (delayed["blocked_by"], delayed["available_at"] > delayed["created_at"]) == ("time", True)


async def test_runs_are_searched_and_counted_by_what_they_are(server: Running) -> None:
    good = await server.run("chain", {"n": []}, config={"tags": ["x", "y"]}, metadata={"k": {"deep": 1}})
    await server.ended(good)
    bad = await server.run("boom", {"n": []}, config={"tags": ["x"]})
    await server.ended(bad)
    late = await server.run("chain", {"n": []}, after_seconds=3600)
    first, second, third = run_id(good), run_id(bad), run_id(late)
    created = (await search(server, ids=[second]))[0]["created_at"]
    assistant = (await search(server, ids=[first]))[0]["assistant_id"]
    thread_id = good.split("/")[2]
    await server.http.patch(f"/threads/{thread_id}", json={"metadata": {"team": "red"}})
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({}, [third, second, first]),
        ({"sort_order": "asc"}, [first, second, third]),
        ({"status": "error"}, [second]),
        ({"status": ["error", "success"]}, [second, first]),
        ({"status": "running"}, []),
        ({"assistant_id": "chain"}, [third, first]),
        ({"assistant_id": assistant, "status": "pending"}, [third]),
        ({"thread_id": thread_id}, [first]),
        ({"thread_id": thread_id.upper()}, [first]),
        ({"ids": [third, first]}, [third, first]),
        ({"ids": []}, []),
        ({"tags": ["x"]}, [second, first]),
        ({"tags": ["y", "x"]}, [first]),
        ({"metadata": {"k": {"deep": 1}}}, [first]),
        ({"thread_metadata": {"team": "red"}}, [first]),
        ({"created_after": created}, [third]),
        ({"created_before": created}, [first]),
        ({"sort_by": "finished_at"}, [second, first, third]),
        ({"sort_by": "duration", "status": "pending"}, [third]),
        ({"status": None, "metadata": {}, "tags": None, "ids": None, "limit": None}, [third, second, first]),
    ]
    for body, wanted in cases:
        assert await found(server, **body) == wanted, body
        assert await server.post("/runs/count", body) == len(wanted), body


async def test_a_page_goes_on_where_the_one_before_ended_whatever_came_meanwhile(server: Running) -> None:
    made = [run_id(await server.run("chain", {"n": []}, after_seconds=3600)) for _ in range(5)]
    seen: list[str] = []
    after = None
    while True:
        answer = await server.http.post("/runs/search", json={"limit": 2, "after": after})
        seen += [run["run_id"] for run in answer.json()]
        assert "x-pagination-total" not in answer.headers
        if (after := answer.headers.get("x-pagination-next")) is None:
            break
        await server.run("chain", {"n": []}, after_seconds=3600)
        gone = (await search(server, ids=[seen[-1]]))[0]
        await server.http.delete(f"/threads/{gone['thread_id']}/runs/{gone['run_id']}")
    assert seen == made[::-1]


async def test_columns_are_picked_and_what_was_asked_is_shown_only_then(server: Running) -> None:
    path = await server.run("chain", {"n": ["in"]}, after_seconds=3600)
    (run,) = await search(server, select=["status", "kwargs", "run_id"])
    assert list(run) == ["status", "kwargs", "run_id"]
    assert run["kwargs"] == (await server.get(path))["kwargs"]


async def test_an_ended_stateless_run_is_gone_for_searches_too(server: Running) -> None:
    late = await server.post("/runs", {"assistant_id": "chain", "input": {"n": []}, "after_seconds": 3600})
    kept = {"assistant_id": "chain", "input": {"n": []}, "on_completion": "keep"}
    await server.post("/runs/wait", {"assistant_id": "chain", "input": {"n": []}})
    await server.post("/runs/wait", kept)
    shown = await search(server)
    assert [(run["status"], run["temporary"]) for run in shown] == [("success", False), ("pending", True)]
    assert shown[1]["run_id"] == late["run_id"]
    assert await server.post("/runs/count", {}) == 2


async def test_a_running_run_that_is_told_to_stop_says_so(server: Running) -> None:
    path = await server.run("sleeper", SLEEP)
    async with server.reading(path) as reader:
        await reader.holds(1)
        await server.post(f"{path}/cancel?action=interrupt&wait=1", None)
    (run,) = await search(server)
    assert (run["status"], run["cancelling"], run["error"]["error"]) == ("interrupted", None, "UserInterrupt")


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"status": "done"}, "status"),
    ({"status": []}, "status"),
    ({"status": ["error", "done"]}, "status[1]"),
    ({"limit": 0}, "limit"),
    ({"limit": 1001}, "limit"),
    ({"after": "x"}, "after"),
    ({"after": "WzEsMl0"}, "after"),
    ({"after": "WyJjcmVhdGVkX2F0IixmYWxzZSwxLC0xXQ"}, "after"),
    ({"sort_by": "run_id"}, "sort_by"),
    ({"select": ["input"]}, "select"),
    ({"ids": ["x"]}, "run_id"),
    ({"thread_id": "x"}, "thread_id"),
    ({"assistant_id": "nobody"}, "assistant_id"),
    ({"created_after": "yesterday"}, "created_after"),
    ({"metadata": []}, "metadata"),
]


async def test_a_search_that_means_nothing_is_refused(server: Running) -> None:
    for body, field in REFUSED:
        answer = await server.http.post("/runs/search", json=body)
        assert (answer.status_code, answer.json()["field"]) == (422, field), body


async def test_a_cursor_is_of_one_order(server: Running) -> None:
    for _ in range(2):
        await server.run("chain", {"n": []}, after_seconds=3600)
    cursor = (await server.http.post("/runs/search", json={"limit": 1})).headers["x-pagination-next"]
    for order in ({"sort_order": "asc"}, {"sort_by": "updated_at"}):
        answer = await server.http.post("/runs/search", json={"after": cursor, **order})
        assert (answer.status_code, answer.json()["field"]) == (422, "after")
