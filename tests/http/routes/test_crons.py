"""The endpoints of crons, as the official server was seen to answer them, and where ours is better on purpose."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient

from e2e.crons.serving import SetClock, running
from support.server import Running

NOBODY = "00000000-0000-4000-8000-000000000000"
CRON = {"assistant_id": "chain", "schedule": "0 0 1 1 *", "input": {"n": ["cron"]}}
FORMAT = (
    "Ensure the schedule uses the standard cron format (minute hour day_of_month month day_of_week)."
    " Example: '*/5 * * * *' for every 5 minutes."
)
FIVE = "must have five fields"
ZONES = "Use IANA timezone format (e.g. 'America/New_York')."
PAST = "2001-01-01T00:00:00+00:00"
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
CREATED = "2026-11-22T15:00:00.000000+00:00"


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def server(tmp_path: Path, clock: SetClock) -> AsyncIterator[Running]:
    async with running(tmp_path, clock) as server:
        yield server


async def create(server: Running, thread_id: str | None = None, **fields: Any) -> Any:
    path = "/runs/crons" if thread_id is None else f"/threads/{thread_id}/runs/crons"
    return await server.post(path, {**CRON, **fields})


async def test_a_cron_without_a_thread(server: Running, clock: SetClock) -> None:
    cron = await create(server, metadata={"m": 1}, timezone="Europe/Paris")
    cron_id = cron["cron_id"]
    assert UUID7.fullmatch(cron_id)
    (assistant,) = await server.post("/assistants/search", {"graph_id": "chain"})
    assert cron == {
        "cron_id": cron_id,
        "assistant_id": assistant["assistant_id"],
        "thread_id": None,
        "user_id": "",
        "end_time": None,
        "schedule": "0 0 1 1 *",
        "timezone": "Europe/Paris",
        "payload": {
            **CRON,
            "metadata": {"m": 1},
            "timezone": "Europe/Paris",
            "config": {"configurable": {"cron_id": cron_id}},
        },
        "next_run_date": "2026-12-31T23:00:00.000000+00:00",
        "metadata": {"m": 1},
        "on_run_completed": "delete",
        "enabled": True,
        "created_at": CREATED,
        "updated_at": CREATED,
    }
    assert await server.get(f"/runs/crons/{cron_id}") == cron


async def test_a_cron_on_a_thread(server: Running, clock: SetClock) -> None:
    thread_id = await server.thread()
    cron = await create(server, thread_id)
    assert (cron["thread_id"], cron["on_run_completed"], cron["timezone"]) == (thread_id, None, None)
    assert cron["next_run_date"] == "2027-01-01T00:00:00.000000+00:00"
    assert cron["payload"] == {**CRON, "config": {"configurable": {"cron_id": cron["cron_id"]}}}


async def test_a_disabled_cron_with_an_end(server: Running, clock: SetClock) -> None:
    end = "2030-01-01T00:00:00+00:00"
    cron = await create(server, end_time=end, enabled=False, on_run_completed="keep")
    assert (cron["end_time"], cron["enabled"], cron["on_run_completed"]) == (
        "2030-01-01T00:00:00.000000+00:00",
        False,
        "keep",
    )
    assert cron["next_run_date"] == "2027-01-01T00:00:00.000000+00:00"
    ended = await create(server, end_time="2026-12-01T00:00:00+02:00")
    assert (ended["end_time"], ended["next_run_date"]) == ("2026-11-30T22:00:00.000000+00:00", None)


@pytest.mark.parametrize(
    ("fields", "status", "detail", "field"),
    [
        ({"schedule": "bogus"}, 422, f"Invalid cron schedule: 'bogus'. Reason: {FIVE}. {FORMAT}", "schedule"),
        ({"schedule": "61 * * * *"}, 422, f"Invalid cron schedule: '61 * * * *'. Reason: Bad minute. {FORMAT}", None),
        ({"schedule": None}, 422, "schedule: expected `str`, got `null`", "schedule"),
        ({"timezone": "Mars/X"}, 422, f"Invalid timezone: 'Mars/X'. {ZONES}", "timezone"),
        ({"end_time": PAST}, 422, f"end_time: must be in the future, is {PAST}", "end_time"),
        ({"end_time": "soon"}, 422, None, "end_time"),
        ({"assistant_id": "nope"}, 404, "Assistant 'nope' not found", None),
        ({"assistant_id": NOBODY}, 404, None, None),
        ({"on_run_completed": "explode"}, 422, None, "on_run_completed"),
        ({"multitask_strategy": "explode"}, 422, None, "multitask_strategy"),
        ({"webhook": "ftp://x/y"}, 422, None, "webhook"),
        ({"checkpoint_id": "x"}, 422, None, "checkpoint_id"),
        ({"config": {"configurable": {"a": 1}}, "context": {"b": 2}}, 400, None, None),
    ],
)  # fmt: skip
async def test_what_is_refused(
    server: Running, clock: SetClock, fields: Any, status: int, detail: str | None, field: str | None
) -> None:
    for path in ("/runs/crons", f"/threads/{await server.thread()}/runs/crons"):
        answer = await server.http.post(path, json={**CRON, **fields})
        assert answer.status_code == status, answer.text
        assert detail in (None, answer.json()["detail"])
        assert field in (None, answer.json().get("field"))
    assert await server.post("/runs/crons/count", {}) == 0


async def test_what_else_is_refused(server: Running, clock: SetClock) -> None:
    no_schedule = await server.http.post("/runs/crons", json={"assistant_id": "chain"})
    assert (no_schedule.status_code, no_schedule.json()["field"]) == (422, "schedule")
    no_thread = await server.http.post(f"/threads/{NOBODY}/runs/crons", json=CRON)
    assert no_thread.status_code == 404
    assert no_thread.json()["detail"] == (
        f"Thread with ID '{NOBODY}' not found. Please verify the ID is correct and the thread hasn't been deleted"
        " or expired."
    )
    on_thread = await server.http.post(
        f"/threads/{await server.thread()}/runs/crons", json={**CRON, "on_run_completed": "keep"}
    )
    assert (on_thread.status_code, on_thread.json()["field"]) == (422, "on_run_completed")


async def test_patch(server: Running, clock: SetClock) -> None:
    cron = await create(server, metadata={"m": 1}, timezone="Europe/Paris")
    clock.set("2026-11-22T16:00:00")
    path = f"/runs/crons/{cron['cron_id']}"
    change = {"schedule": "0 5 1 1 *", "enabled": False, "metadata": {"x": 2}, "input": {"n": ["new"]}}
    answer = await server.http.patch(path, json=change)
    assert answer.status_code == 200
    assert answer.json() == {
        **cron,
        "schedule": "0 5 1 1 *",
        "enabled": False,
        "metadata": {"m": 1, "x": 2},
        "payload": {**cron["payload"], **change},
        "next_run_date": "2027-01-01T04:00:00.000000+00:00",
        "updated_at": "2026-11-22T16:00:00.000000+00:00",
    }
    assert await server.get(path) == answer.json()


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"timezone": "Asia/Tokyo"}, {"timezone": "Asia/Tokyo", "next_run_date": "2026-12-31T15:00:00.000000+00:00"}),
        ({"timezone": None}, {"timezone": None, "next_run_date": "2027-01-01T00:00:00.000000+00:00"}),
        ({"end_time": None}, {"end_time": None, "next_run_date": "2026-12-31T23:00:00.000000+00:00"}),
        ({"end_time": "2026-12-01T00:00:00Z"}, {"end_time": "2026-12-01T00:00:00.000000+00:00", "next_run_date": None}),
        ({"on_run_completed": "keep"}, {"on_run_completed": "keep"}),
        ({"metadata": {"m": 2}}, {"metadata": {"m": 2}, "next_run_date": "2026-12-31T23:00:00.000000+00:00"}),
    ],
)
async def test_patches_of_one_field(server: Running, clock: SetClock, change: Any, shown: Any) -> None:
    cron = await create(server, metadata={"m": 1}, timezone="Europe/Paris", end_time="2028-01-01T00:00:00Z")
    answer = await server.http.patch(f"/runs/crons/{cron['cron_id']}", json=change)
    assert answer.status_code == 200, answer.text
    assert {name: answer.json()[name] for name in shown} == shown


@pytest.mark.parametrize(
    ("change", "status", "detail"),
    [
        ({}, 400, "Request body cannot be empty"),
        ({"unknown": 1}, 400, "Request body cannot be empty"),
        ({"schedule": "bogus"}, 422, f"Invalid cron schedule: 'bogus'. Reason: {FIVE}. {FORMAT}"),
        ({"timezone": "Mars/X"}, 422, None),
        ({"end_time": "2001-01-01T00:00:00Z"}, 422, None),
        ({"webhook": "http://"}, 422, None),
        ({"context": {"a": 1}, "config": {"configurable": {"b": 1}}}, 400, None),
        ({"enabled": "no"}, 422, None),
    ],
)
async def test_patches_that_are_refused(
    server: Running, clock: SetClock, change: Any, status: int, detail: str | None
) -> None:
    cron = await create(server)
    path = f"/runs/crons/{cron['cron_id']}"
    answer = await server.http.patch(path, json=change)
    assert answer.status_code == status, answer.text
    assert detail in (None, answer.json()["detail"])
    assert await server.get(path) == cron


async def test_a_cron_that_has_ended_can_still_be_changed(server: Running, clock: SetClock) -> None:
    cron = await create(server, end_time="2026-12-01T00:00:00Z")
    clock.set("2026-12-02T00:00:00")
    path = f"/runs/crons/{cron['cron_id']}"
    assert (await server.http.patch(path, json={"schedule": "0 1 * * *"})).json()["next_run_date"] is None
    longer = await server.http.patch(path, json={"end_time": None})
    assert longer.json()["next_run_date"] == "2026-12-02T01:00:00.000000+00:00"


async def test_unknown_and_malformed_ids(server: Running, clock: SetClock) -> None:
    answers = {
        method: await server.http.request(method, f"/runs/crons/{NOBODY}", json={"enabled": False})
        for method in ("GET", "PATCH", "DELETE")
    }
    assert {method: answer.status_code for method, answer in answers.items()} == dict.fromkeys(answers, 404)
    assert [answer.json()["detail"] for answer in answers.values()] == [
        "Not Found",
        f"Cron '{NOBODY}' not found",
        "Not Found",
    ]
    malformed = await server.http.delete("/runs/crons/abc")
    assert (malformed.status_code, malformed.json()["detail"]) == (422, "Invalid cron ID: must be a UUID")


async def test_delete(server: Running, clock: SetClock) -> None:
    cron = await create(server)
    path = f"/runs/crons/{cron['cron_id']}"
    answer = await server.http.delete(path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await server.http.delete(path)).status_code == 404


async def test_a_cron_goes_with_its_thread_and_with_its_assistant(server: Running, clock: SetClock) -> None:
    thread_id = await server.thread()
    await create(server, thread_id)
    assistant = await server.post("/assistants", {"graph_id": "chain"})
    await create(server, assistant_id=assistant["assistant_id"])
    kept = await create(server)
    await server.http.delete(f"/threads/{thread_id}")
    await server.http.delete(f"/assistants/{assistant['assistant_id']}")
    assert await server.post("/runs/crons/search", {}) == [kept]


async def test_search_and_count(server: Running, clock: SetClock) -> None:
    thread_id = await server.thread()
    made: list[Any] = []
    for number, fields in enumerate(
        [{"metadata": {"m": 1}}, {"schedule": "0 0 1 2 *"}, {"enabled": False}, {"assistant_id": "boom"}]
    ):
        clock.set(f"2026-11-22T15:0{number}:00")
        made.append(await create(server, thread_id if number == 1 else None, **fields))
    one, on_thread, disabled, other = (cron["cron_id"] for cron in made)

    async def search(**query: Any) -> list[str]:
        return [cron["cron_id"] for cron in await server.post("/runs/crons/search", query)]

    assert await search() == [other, disabled, on_thread, one]
    assert await search(thread_id=thread_id) == [on_thread]
    assert await search(enabled=False) == [disabled]
    assert await search(metadata={"m": 1}) == [one]
    assert await search(assistant_id="boom") == await search(assistant_id=made[3]["assistant_id"]) == [other]
    assert await search(sort_by="next_run_date", sort_order="desc", limit=1) == [on_thread]
    assert await search(sort_by="created_at", sort_order="asc", limit=2, offset=1) == [on_thread, disabled]
    picked = await server.post("/runs/crons/search", {"select": ["cron_id", "schedule", "now"], "limit": 1})
    assert picked == [{"cron_id": other, "schedule": "0 0 1 1 *"}]
    page = await server.http.post("/runs/crons/search", json={"limit": 2})
    assert (page.headers["x-pagination-total"], page.headers["x-pagination-next"]) == ("4", "2")
    assert "x-pagination-next" not in (await server.http.post("/runs/crons/search", json={"offset": 3})).headers
    assert await server.post("/runs/crons/count", {}) == 4
    assert await server.post("/runs/crons/count", {"thread_id": thread_id}) == 1
    assert await server.post("/runs/crons/count", {"assistant_id": "boom"}) == 1
    for bad in ({"select": ["nope"]}, {"limit": 0}, {"sort_by": "x"}, {"thread_id": "x"}):
        assert (await server.http.post("/runs/crons/search", json=bad)).status_code == 422
    assert (await server.http.post("/runs/crons/search", json={"assistant_id": "nope"})).status_code == 404


async def test_the_official_sdk(server: Running, clock: SetClock) -> None:
    crons = LangGraphClient(server.http).crons
    thread_id = await server.thread()
    end = datetime(2030, 1, 1, tzinfo=UTC)
    cron: Any = await crons.create(
        "chain", schedule="27 15 * * *", input={"n": []}, timezone="America/New_York", end_time=end,
        on_run_completed="keep", multitask_strategy="interrupt", stream_mode=["values", "updates"],
        context={"a": 1}, metadata={"name": "x"}, interrupt_before=["n1"], durability="sync", enabled=True,
    )  # fmt: skip
    assert cron["next_run_date"] == "2026-11-22T20:27:00.000000+00:00"
    on_thread: Any = await crons.create_for_thread(thread_id, "chain", schedule="0 0 * * *")
    assert await crons.search(thread_id=thread_id) == [on_thread]
    assert await crons.count() == 2
    cleared = await crons.update(cron["cron_id"], end_time=None, enabled=False)
    assert (cleared["end_time"], cleared["enabled"]) == (None, False)
    moved = await crons.update(cron["cron_id"], end_time=end + timedelta(days=1), schedule="0 0 * * *")
    assert moved["end_time"] == "2030-01-02T00:00:00.000000+00:00"
    assert [c["cron_id"] for c in await crons.search(enabled=False, select=["cron_id"])] == [cron["cron_id"]]
    await crons.delete(cron["cron_id"])
    assert await crons.count() == 1
