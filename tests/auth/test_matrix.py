"""Every route, without credentials, as somebody else, and as the owner. A route without a case here fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from auth.serving_users import Users, ok, running, serve_users, until
from treadle.http.app import operations
from treadle.http.gate import PUBLIC

UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"


@dataclass
class World:
    """What ann has: threads with a finished and a waiting run, a cron, an assistant, an item, a delivery."""

    users: Users
    ids: dict[str, str] = field(default_factory=dict)

    async def seen(self) -> list[Any]:
        """All of it, as ann sees it."""
        ids, ann = self.ids, self.users.ann
        paths = [
            "/threads/{thread}", "/threads/{thread}/state", "/threads/{thread}/runs", "/threads/{busy}",
            "/threads/{busy}/runs", "/runs/crons/{cron}", "/assistants/{assistant}",
        ]  # fmt: skip
        found = [ok(await ann.get(path.format(**ids))) for path in paths]
        found.append(ok(await ann.get("/store/items", params={"namespace": "notes", "key": "a"})))
        deliveries = ok(await ann.get("/webhooks/deliveries"))
        found.append([(each["delivery_id"], each["run_id"]) for each in deliveries])
        counts = ("/threads/count", "/runs/crons/count", "/assistants/count")
        return [*found, *[ok(await ann.post(path, json={})) for path in counts]]


async def build(users: Users) -> World:
    ann = users.ann
    world = World(users)
    ids = world.ids
    ids["assistant"] = ok(await ann.post("/assistants", json={"graph_id": "echo", "name": "hers"}))["assistant_id"]
    ids["thread"] = ok(await ann.post("/threads", json={}))["thread_id"]
    run = ok(
        await ann.post(
            f"/threads/{ids['thread']}/runs",
            json={"assistant_id": ids["assistant"], "input": {"text": "hers"}, "webhook": "http://127.0.0.1:9/hook"},
        )
    )
    ids["run"] = run["run_id"]
    ok(await ann.get(f"/threads/{ids['thread']}/runs/{ids['run']}/join"))
    ids["checkpoint"] = ok(await ann.get(f"/threads/{ids['thread']}/state"))["checkpoint_id"]
    ids["busy"] = ok(await ann.post("/threads", json={}))["thread_id"]
    ids["waiting"] = ok(await ann.post(f"/threads/{ids['busy']}/runs", json={"assistant_id": "wait", "input": {}}))[
        "run_id"
    ]
    await running(ann, ids["busy"], ids["waiting"])
    ids["stateless"] = ok(await ann.post("/runs", json={"assistant_id": "echo", "input": {"text": "x"}}))["run_id"]
    ok(await ann.get(f"/runs/{ids['stateless']}/join"))
    cron = {"assistant_id": "echo", "schedule": "0 0 1 1 *"}
    ids["cron"] = ok(await ann.post(f"/threads/{ids['thread']}/runs/crons", json=cron))["cron_id"]
    ok(await ann.put("/store/items", json={"namespace": ["notes"], "key": "a", "value": {"text": "hers"}}))

    async def deliveries() -> list[Any]:
        return ok(await ann.get("/webhooks/deliveries"))

    ids["delivery"] = (await until(deliveries))[0]["delivery_id"]
    return world


@dataclass(frozen=True)
class Case:
    """``other`` is what somebody else gets: a status, or a check of what came. ``path`` is filled in with the ids."""

    path: str
    body: Any = None
    params: dict[str, str] | None = None
    other: int | Callable[[Any], bool] = 404
    owner: int = 200

    async def send(self, world: World, method: str, user: httpx.AsyncClient) -> tuple[int, Any]:
        """The status and the JSON of the answer; of a stream its first bytes."""
        body = _filled(self.body, world.ids)
        url = self.path.format(**world.ids)
        async with user.stream(method, url, json=body, params=self.params) as response:
            if response.headers.get("content-type", "").startswith("text/event-stream"):
                return response.status_code, None
            await response.aread()
            text = response.text.strip()
            is_json = response.headers.get("content-type", "").startswith("application/json")
            return response.status_code, response.json() if text and is_json else text


def _filled(body: Any, ids: dict[str, str]) -> Any:
    if isinstance(body, dict):
        return {key: _filled(value, ids) for key, value in body.items()}
    if isinstance(body, list):
        return [_filled(value, ids) for value in body]
    return body.format(**ids) if isinstance(body, str) and body.startswith("{") else body


def empty(found: Any) -> bool:
    return found in ([], 0, None, {"items": []}, {"namespaces": []})


def own(found: Any) -> bool:
    return True


RUN: dict[str, Any] = {"assistant_id": "{assistant}", "input": {"text": "x"}}
LATE = {**RUN, "after_seconds": 1000}
CRON = {"assistant_id": "echo", "schedule": "0 0 1 1 *"}
T = "/threads/{thread}"
BUSY = "/threads/{busy}/runs/{waiting}"
DONE = "/threads/{thread}/runs/{run}"
A = "/assistants/{assistant}"

CASES: dict[str, list[Case]] = {
    "POST /assistants": [
        Case("/assistants", {"graph_id": "echo", "assistant_id": "{assistant}", "if_exists": "do_nothing"}),
        Case("/assistants", {"graph_id": "echo", "assistant_id": "{assistant}"}, owner=409),
    ],
    "POST /assistants/search": [Case("/assistants/search", {}, other=empty)],
    "POST /assistants/count": [Case("/assistants/count", {}, other=empty)],
    "GET /assistants/{assistant_id}": [Case(A)],
    "PATCH /assistants/{assistant_id}": [Case(A, {"name": "other", "metadata": {"owner": "ben"}})],
    "DELETE /assistants/{assistant_id}": [Case(A, owner=204), Case(A, params={"delete_threads": "true"}, owner=204)],
    "POST /assistants/{assistant_id}/versions": [Case(f"{A}/versions", {})],
    "POST /assistants/{assistant_id}/latest": [Case(f"{A}/latest", {"version": 1})],
    "GET /assistants/{assistant_id}/graph": [Case(f"{A}/graph")],
    "GET /assistants/{assistant_id}/schemas": [Case(f"{A}/schemas")],
    "GET /assistants/{assistant_id}/subgraphs": [Case(f"{A}/subgraphs")],
    "GET /assistants/{assistant_id}/subgraphs/{namespace}": [Case(f"{A}/subgraphs/x")],
    "POST /threads": [
        Case("/threads", {"thread_id": "{thread}", "if_exists": "do_nothing"}),
        Case("/threads", {"thread_id": "{thread}", "if_exists": "raise"}, owner=409),
    ],
    "POST /threads/search": [
        Case("/threads/search", {}, other=empty),
        Case("/threads/search", {"ids": ["{thread}"]}, other=empty),
        Case("/threads/search", {"values": {"text": "hers"}}, other=empty),
        Case("/threads/search", {"status": "busy"}, other=empty),
    ],
    "POST /threads/count": [Case("/threads/count", {}, other=empty)],
    "POST /threads/prune": [
        Case("/threads/prune", {"thread_ids": ["{thread}"]}, other=lambda found: found == {"pruned_count": 0}),
        Case(
            "/threads/prune",
            {"thread_ids": ["{thread}"], "strategy": "keep_latest"},
            other=lambda found: found == {"pruned_count": 0},
        ),
    ],
    "GET /threads/{thread_id}": [Case(T)],
    "PATCH /threads/{thread_id}": [Case(T, {"metadata": {"owner": "ben"}})],
    "DELETE /threads/{thread_id}": [Case(T, owner=204)],
    "GET /threads/{thread_id}/storage": [Case(f"{T}/storage")],
    "POST /threads/{thread_id}/copy": [Case(f"{T}/copy")],
    "GET /threads/{thread_id}/state": [Case(f"{T}/state")],
    "POST /threads/{thread_id}/state": [Case(f"{T}/state", {"values": {"text": "bens"}})],
    "GET /threads/{thread_id}/state/{checkpoint_id}": [Case(f"{T}/state/{{checkpoint}}")],
    "POST /threads/{thread_id}/state/checkpoint": [
        Case(f"{T}/state/checkpoint", {"checkpoint": {"checkpoint_id": "{checkpoint}"}})
    ],
    "GET /threads/{thread_id}/history": [Case(f"{T}/history")],
    "POST /threads/{thread_id}/history": [Case(f"{T}/history", {})],
    "GET /threads/{thread_id}/stream": [Case(f"{T}/stream")],
    "POST /threads/{thread_id}/runs": [
        Case(f"{T}/runs", LATE),
        Case(f"{T}/runs", {**LATE, "assistant_id": "echo"}),
        Case(f"{T}/runs", {**LATE, "if_not_exists": "create", "assistant_id": "echo"}),
        Case("/threads/{busy}/runs", {**LATE, "assistant_id": "echo", "multitask_strategy": "rollback"}),
        Case("/threads/{busy}/runs", {**LATE, "assistant_id": "echo", "multitask_strategy": "reject"}, owner=409),
        Case(f"/threads/{UNKNOWN}/runs", {**LATE, "if_not_exists": "create"}),
    ],
    "POST /threads/{thread_id}/runs/stream": [Case(f"{T}/runs/stream", {**RUN, "assistant_id": "echo"})],
    "POST /threads/{thread_id}/runs/wait": [Case(f"{T}/runs/wait", {**RUN, "assistant_id": "echo"})],
    "POST /runs": [Case("/runs", RUN), Case("/runs", {**RUN, "assistant_id": "echo"}, other=own)],
    "POST /runs/stream": [Case("/runs/stream", RUN)],
    "POST /runs/wait": [Case("/runs/wait", RUN)],
    "POST /runs/batch": [
        Case("/runs/batch", [{**RUN, "assistant_id": "echo"}, RUN]),
        Case("/runs/batch", [{"assistantId": "{assistant}", "input": {}}]),
        Case("/runs/batch", [{"assistant_id": "echo", "input": {}, "thread_id": "{thread}"}]),
        Case("/runs/batch", [{"assistant_id": "echo", "input": {}, "threadId": "{thread}"}]),
    ],
    "POST /runs/cancel": [
        Case("/runs/cancel", {"thread_id": "{busy}", "run_ids": ["{waiting}"]}, owner=204),
        Case("/runs/cancel", {"status": "all"}, owner=204),
        Case("/runs/cancel", {"status": "all"}, params={"action": "rollback"}, owner=204),
    ],
    "POST /runs/search": [
        Case("/runs/search", {}, other=empty),
        Case("/runs/search", {"ids": ["{run}"]}, other=empty),
        Case("/runs/search", {"thread_id": "{thread}"}, other=empty),
        Case("/runs/search", {"status": "running", "thread_metadata": {"owner": "ann"}}, other=empty),
    ],
    "POST /runs/count": [
        Case("/runs/count", {}, other=empty),
        Case("/runs/count", {"ids": ["{run}"]}, other=empty),
    ],
    "GET /threads/{thread_id}/runs": [Case(f"{T}/runs")],
    "GET /threads/{thread_id}/runs/{run_id}": [Case(DONE)],
    "DELETE /threads/{thread_id}/runs/{run_id}": [Case(DONE, owner=204), Case(BUSY, owner=204)],
    "POST /threads/{thread_id}/runs/{run_id}/cancel": [
        Case(f"{BUSY}/cancel", owner=202),
        Case(f"{BUSY}/cancel", params={"wait": "1", "action": "rollback"}),
        Case(f"{DONE}/cancel", owner=404),
    ],
    "POST /threads/{thread_id}/runs/{run_id}/retry": [
        Case(f"{DONE}/retry", owner=409),
        Case(f"{BUSY}/retry", owner=409),
    ],
    "GET /threads/{thread_id}/runs/{run_id}/join": [
        Case(f"{DONE}/join"),
        Case(f"{DONE}/join", params={"cancel_on_disconnect": "1"}),
    ],
    "GET /threads/{thread_id}/runs/{run_id}/stream": [Case(f"{DONE}/stream"), Case(f"{BUSY}/stream")],
    "GET /runs/{run_id}/join": [Case("/runs/{run}/join"), Case("/runs/{stateless}/join")],
    "GET /runs/{run_id}/stream": [Case("/runs/{waiting}/stream"), Case("/runs/{stateless}/stream")],
    "POST /runs/crons": [
        Case("/runs/crons", {**CRON, "assistant_id": "{assistant}"}),
        Case("/runs/crons", CRON, other=own),
    ],
    "POST /threads/{thread_id}/runs/crons": [Case(f"{T}/runs/crons", CRON)],
    "POST /runs/crons/search": [
        Case("/runs/crons/search", {}, other=empty),
        Case("/runs/crons/search", {"thread_id": "{thread}"}, other=empty),
    ],
    "POST /runs/crons/count": [Case("/runs/crons/count", {}, other=empty)],
    "GET /runs/crons/{cron_id}": [Case("/runs/crons/{cron}")],
    "PATCH /runs/crons/{cron_id}": [Case("/runs/crons/{cron}", {"enabled": False})],
    "DELETE /runs/crons/{cron_id}": [Case("/runs/crons/{cron}", owner=204)],
    "GET /webhooks/deliveries": [
        Case("/webhooks/deliveries", other=empty),
        Case("/webhooks/deliveries", params={"run_id": UNKNOWN}, other=empty),
    ],
    "GET /webhooks/deliveries/{delivery_id}": [Case("/webhooks/deliveries/{delivery}")],
    "POST /webhooks/deliveries/{delivery_id}/redeliver": [Case("/webhooks/deliveries/{delivery}/redeliver")],
    "GET /server": [Case("/server", other=403, owner=403)],
    "PUT /store/items": [
        Case("/store/items", {"namespace": ["notes"], "key": "a", "value": {"text": "bens"}}, other=own, owner=204),
        Case("/store/items", {"namespace": ["ann", "notes"], "key": "a", "value": {"text": "b"}}, other=own, owner=204),
    ],
    "GET /store/items": [
        Case("/store/items", params={"namespace": "notes", "key": "a"}, other=empty),
        Case("/store/items", params={"namespace": "ann.notes", "key": "a"}, other=empty),
    ],
    "DELETE /store/items": [Case("/store/items", {"namespace": ["ann", "notes"], "key": "a"}, other=own, owner=204)],
    "POST /store/items/search": [
        Case("/store/items/search", {}, other=empty),
        Case("/store/items/search", {"namespace_prefix": []}, other=empty),
        Case("/store/items/search", {"namespace_prefix": ["ann"]}, other=empty),
    ],
    "POST /store/namespaces": [
        Case("/store/namespaces", {}, other=empty),
        Case("/store/namespaces", {"prefix": ["ann"]}, other=empty),
        Case("/store/namespaces", {"suffix": ["notes"]}, other=empty),
    ],
}  # fmt: skip

PRIVATE = {f"{each.method} {each.path}" for each in operations() if each.access is not PUBLIC}


def test_every_route_says_who_may_use_it():
    assert [f"{each.method} {each.path}" for each in operations() if each.access is None] == []


def test_every_route_has_a_case():
    assert PRIVATE - CASES.keys() == set()
    assert CASES.keys() - PRIVATE == set()


def test_the_public_routes_are_these():
    public = {each.path for each in operations() if each.access is PUBLIC}
    assert public == {"/", "/ok", "/info", "/openapi.json", "/docs", "/metrics"}


@pytest.mark.parametrize(
    ("route", "case"),
    [(route, case) for route, cases in CASES.items() for case in cases],
    ids=lambda each: str(each)[:60],
)
async def test_a_route_lets_in_its_owner_alone(route: str, case: Case, tmp_path):
    method = route.partition(" ")[0]

    async with serve_users(tmp_path, webhook_allow_private=True) as users:
        world = await build(users)
        before = await world.seen()
        status, _ = await case.send(world, method, users.anonymous)
        assert status == 401
        status, found = await case.send(world, method, users.ben)
        if callable(case.other):
            assert status < 300, found
            assert case.other(found), found
        else:
            assert status == case.other, found
        assert await world.seen() == before
        status, found = await case.send(world, method, users.ann)
        assert status == case.owner, found


async def test_the_public_routes_need_nobody(users: Users):
    for path in ("/", "/ok", "/info", "/openapi.json", "/docs", "/metrics"):
        assert (await users.anonymous.get(path)).status_code == 200


async def test_somebody_elses_thread_is_as_unknown_as_one_that_never_was(tmp_path):
    """Status and body alike, but for the id that was asked for."""

    async with serve_users(tmp_path, webhook_allow_private=True) as users:
        world = await build(users)
        ids = world.ids
        for route, cases in CASES.items():
            for case in cases:
                if (
                    case.other != 404
                    or "if_not_exists" in (case.body or {})
                    or route in ("POST /threads", "POST /assistants")
                ):
                    continue
                method = route.partition(" ")[0]
                theirs = await case.send(world, method, users.ben)
                never = World(users, dict.fromkeys(ids, UNKNOWN))
                unknown = await case.send(never, method, users.ben)
                same = str(theirs)
                for known in ids.values():
                    same = same.replace(known, UNKNOWN)
                assert same == str(unknown), route
