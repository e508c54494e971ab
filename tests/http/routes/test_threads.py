"""Threads and their state, against what the official server was seen to answer (threads_crud, thread_state…)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.serving import Served, served

NOBODY = "00000000-0000-4000-8000-000000000000"
STATE = [
    "values",
    "next",
    "tasks",
    "metadata",
    "created_at",
    "checkpoint",
    "parent_checkpoint",
    "interrupts",
    "checkpoint_id",
    "parent_checkpoint_id",
]


async def created(api: Served, **fields: Any) -> dict[str, Any]:
    response = await api.http.post("/threads", json=fields)
    assert response.status_code == 200, response.text
    return response.json()


async def ran(api: Served, graph_id: str = "chain", value: Any = None) -> str:
    """A thread on which a graph has run."""
    thread_id: str = (await created(api))["thread_id"]
    body = {"assistant_id": graph_id, "input": {"n": ["in"]} if value is None else value}
    await ok(api, "POST", f"/threads/{thread_id}/runs/wait", json=body)
    return thread_id


async def busy(api: Served) -> str:
    """A thread on which a run waits for its time."""
    thread_id = await ran(api)
    await ok(api, "POST", f"/threads/{thread_id}/runs", json={"assistant_id": "chain", "after_seconds": 3600})
    return thread_id


async def ok(api: Served, method: str, path: str, **more: Any) -> Any:
    response = await api.http.request(method, path, **more)
    assert response.status_code == 200, response.text
    return response.json()


# --- the record


async def test_create_get_and_the_shape_of_a_fresh_thread(api: Served) -> None:
    one = await created(api, metadata={"k": "v"})
    assert list(one) == [
        *("thread_id", "created_at", "updated_at", "state_updated_at", "metadata", "status", "config", "values")
    ]
    assert (one["status"], one["values"], one["config"]) == ("idle", None, {})
    assert one["thread_id"][14] == "7"
    assert await ok(api, "GET", f"/threads/{one['thread_id']}") == one
    assert (await created(api, graph_id="chain"))["metadata"] == {"graph_id": "chain"}


async def test_an_existing_id_conflicts_unless_told_to_do_nothing(api: Served) -> None:
    one = await created(api, thread_id=NOBODY.upper(), metadata={"k": 1})
    assert one["thread_id"] == NOBODY
    response = await api.http.post("/threads", json={"thread_id": NOBODY, "if_exists": "raise"})
    assert (response.status_code, response.json()["detail"]) == (409, f"Thread with ID {NOBODY} already exists")
    assert await created(api, thread_id=NOBODY, if_exists="do_nothing", metadata={"z": 1}) == one


async def test_a_patch_merges_metadata_at_the_top_level(api: Served) -> None:
    one = await created(api, metadata={"k": "v", "n": {"a": 1}})
    path = f"/threads/{one['thread_id']}"
    two = await ok(api, "PATCH", path, json={"metadata": {"k": None, "n": {"b": 2}, "new": True}})
    assert two["metadata"] == {"k": None, "n": {"b": 2}, "new": True}
    assert two["updated_at"] > one["updated_at"]
    assert two["state_updated_at"] == one["state_updated_at"]
    assert (await ok(api, "PATCH", path, json={}))["metadata"] == two["metadata"]
    minimal = await api.http.patch(path, json={"metadata": {"m": 1}}, headers={"prefer": "return=minimal"})
    assert (minimal.status_code, minimal.content) == (204, b"")
    assert (await ok(api, "GET", path))["metadata"]["m"] == 1


async def test_search_filters_sorts_selects_extracts_and_counts(api: Served) -> None:
    a, b = await created(api, metadata={"u": {"id": 1, "x": 2}}), await created(api, metadata={"u": {"id": 2}})

    async def search(**body: Any) -> Any:
        return await ok(api, "POST", "/threads/search", json=body)

    def ids(found: Any) -> list[str]:
        return [thread["thread_id"] for thread in found]

    assert ids(await search()) == [b["thread_id"], a["thread_id"]]
    assert ids(await search(sort_order="asc", sort_by="created_at")) == [a["thread_id"], b["thread_id"]]
    assert ids(await search(metadata={"u": {"id": 1}})) == [a["thread_id"]]
    assert ids(await search(ids=[b["thread_id"].upper(), NOBODY])) == [b["thread_id"]]
    assert await search(ids=[]) == []
    assert await search(status="busy") == []
    assert await search(select=["thread_id", "context"], limit=1) == [{"thread_id": b["thread_id"]}]
    page = await api.http.post("/threads/search", json={"limit": 1})
    assert (page.headers["x-pagination-total"], page.headers["x-pagination-next"]) == ("2", "1")
    page = await api.http.post("/threads/search", json={"limit": 1, "offset": 1})
    assert (page.headers["x-pagination-total"], "x-pagination-next" in page.headers) == ("2", False)
    assert await ok(api, "POST", "/threads/count", json={}) == 2
    assert await ok(api, "POST", "/threads/count", json={"metadata": {"u": {"id": 2}}}) == 1


async def test_search_by_values_and_extracts_of_them(api: Served) -> None:
    thread_id = await ran(api)
    await ok(api, "POST", f"/threads/{thread_id}/state", json={"values": {"n": ["x"]}, "as_node": "n2"})
    await created(api)
    asked = {"values": {"n": ["in", 0, 1, 2, "x"]}, "select": ["thread_id"]}
    assert await ok(api, "POST", "/threads/search", json=asked) == [{"thread_id": thread_id}]
    paths = {"last": "values.n[-1]", "far": "values.n[99]", "no": "values.z.q", "g": "metadata.graph_id"}
    found = await ok(api, "POST", "/threads/search", json={**asked, "extract": paths})
    assert found == [{"thread_id": thread_id, "extracted": {"last": "x", "far": None, "no": None, "g": "chain"}}]


async def test_delete_and_prune(api: Served) -> None:
    thread_id = await ran(api)
    response = await api.http.delete(f"/threads/{thread_id}")
    assert (response.status_code, response.content) == (204, b"")
    assert (await api.http.get(f"/threads/{thread_id}")).status_code == 404
    assert (await api.http.delete(f"/threads/{await busy(api)}")).status_code == 204
    one, two = await ran(api), await ran(api)
    asked = {"thread_ids": [one, NOBODY, two], "strategy": "keep_latest"}
    assert await ok(api, "POST", "/threads/prune", json=asked) == {"pruned_count": 2}
    assert len(await ok(api, "POST", f"/threads/{one}/history", json={"limit": 10})) == 1
    assert await ok(api, "POST", "/threads/prune", json={**asked, "strategy": "delete"}) == {"pruned_count": 2}
    assert await ok(api, "POST", "/threads/count", json={}) == 0


async def test_checkpoints_of_a_busy_thread_are_not_pruned(api: Served) -> None:
    asked = {"thread_ids": [await busy(api)], "strategy": "keep_latest"}
    assert (await api.http.post("/threads/prune", json=asked)).status_code == 409


async def test_a_copy_has_the_history_but_not_the_runs(tmp_path: Path) -> None:
    def _values(found: Any) -> Any:
        return [state["values"] for state in found] if isinstance(found, list) else found["values"]

    async with served(tmp_path) as api:
        for source in (await ran(api), await busy(api)):
            copy = await ok(api, "POST", f"/threads/{source}/copy")
            assert copy["thread_id"] != source
            assert (copy["status"], copy["metadata"]["graph_id"]) == ("idle", "chain")
            for path in ("history?limit=10", "state"):
                theirs, ours = [await ok(api, "GET", f"/threads/{t}/{path}") for t in (source, copy["thread_id"])]
                assert _values(ours) == _values(theirs)
            await ok(api, "POST", f"/threads/{copy['thread_id']}/state", json={"values": {"n": [9]}, "as_node": "n2"})
            assert (await ok(api, "GET", f"/threads/{source}/state"))["values"] == {"n": ["in", 0, 1, 2]}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("POST", "", None, 422, "Invalid JSON in request body"),
        ("POST", "", {"if_exists": "bogus"}, 422, "if_exists: invalid enum value 'bogus'; allowed: do_nothing, raise"),
        ("POST", "", {"thread_id": "abc"}, 422, "Invalid thread ID: must be a UUID"),
        ("POST", "", {"metadata": "x"}, 422, "metadata: "),
        ("POST", "", {"ttl": {"ttl": 0}}, 422, "ttl.ttl: must be more than 0"),
        ("POST", "", {"ttl": {"ttl": 1, "strategy": "forget"}}, 422, "ttl.strategy: "),
        ("POST", "", {"ttl": 60}, 422, "ttl: "),
        ("POST", "", {"supersteps": [{"updates": [{}]}]}, 422, "graph_id: supersteps need a graph"),
        ("POST", "", {"graph_id": "chain", "supersteps": [{"updates": []}]}, 422, "supersteps.0.updates: "),
        ("PATCH", f"/{NOBODY}", {"ttl": {"ttl": 1}}, 404, "not found"),
        ("PATCH", f"/{NOBODY}", {"metadata": {}}, 404, f"Thread with ID {NOBODY} not found"),
        ("POST", f"/{NOBODY}/copy", None, 404, "not found"),
        ("POST", "/search", {"limit": 0}, 422, "limit: must be from 1 to 1000"),
        ("POST", "/search", {"limit": 1001}, 422, "limit: "),
        ("POST", "/search", {"limit": "x"}, 422, "limit: "),
        ("POST", "/search", {"offset": -1}, 422, "offset: must be from 0"),
        ("POST", "/search", {"status": "x"}, 422, "status: invalid enum value 'x'; allowed: busy, error, idle"),
        ("POST", "/search", {"sort_by": "values"}, 422, "sort_by: "),
        ("POST", "/search", {"select": ["nope"]}, 422, "select: must be one of thread_id"),
        ("POST", "/search", {"ids": ["abc"]}, 422, "Invalid thread ID"),
        ("POST", "/search", {"extract": {"a": "config.x"}}, 422, "extract.a: must be a path"),
        ("POST", "/search", {"extract": {"a": "values[x]"}}, 422, "extract.a: must be a path"),
        ("POST", "/prune", {"thread_ids": ["abc"]}, 422, "Invalid thread ID"),
        ("POST", "/prune", {"thread_ids": [], "strategy": "x"}, 422, "allowed: delete, keep_latest"),
        ("GET", f"/{NOBODY}/state?subgraphs=x", None, 422, "subgraphs: must be"),
        ("GET", f"/{NOBODY}/state?select=nope", None, 422, "select: must be one of values"),
        ("POST", f"/{NOBODY}/state/checkpoint", {}, 422, "checkpoint: "),
        (
            "POST",
            f"/{NOBODY}/state/checkpoint",
            {"checkpoint": {"thread_id": "11111111-0000-4000-8000-000000000000"}},
            404,
            "not found",
        ),
        ("POST", f"/{NOBODY}/state", {"values": {}}, 404, "not found"),
        ("POST", f"/{NOBODY}/state", {"values": "str"}, 422, "values: "),
        ("GET", f"/{NOBODY}/history?limit=abc", None, 422, "limit: must be an integer from 0 to 1000"),
        ("GET", f"/{NOBODY}/history?limit=1001", None, 422, "limit: "),
        ("GET", f"/{NOBODY}/history?metadata=x", None, 422, "metadata: must be a JSON object"),
        ("POST", f"/{NOBODY}/history", {"limit": 0}, 422, "limit: must be from 1 to 1000"),
        ("POST", f"/{NOBODY}/history", {"limit": 5000}, 422, "limit: "),
        ("POST", f"/{NOBODY}/history", {"before": {}}, 422, "before: must be a checkpoint id"),
        ("POST", f"/{NOBODY}/history", {"before": 5}, 422, "before: "),
        ("POST", f"/{NOBODY}/history", {"select": ["x"]}, 422, "select: "),
    ],
)
async def test_refusals(api: Served, method: str, path: str, body: Any, status: int, says: str) -> None:
    response = await api.http.request(method, f"/threads{path}", json=body)
    assert (response.status_code, says in response.json()["detail"]) == (status, True), response.text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("DELETE", "", None),
        ("GET", "/state", None),
        ("GET", "/state/abc", None),
        ("GET", "/history", None),
        ("POST", "/history", {}),
    ],
)
async def test_unknown_threads_and_malformed_ids(api: Served, method: str, path: str, body: Any) -> None:
    unknown = await api.http.request(method, f"/threads/{NOBODY}{path}", json=body)
    assert (unknown.status_code, unknown.json()["detail"]) == (404, f"Thread with ID {NOBODY} not found")
    bad = await api.http.request(method, f"/threads/abc{path}", json=body)
    assert (bad.status_code, bad.json()["detail"]) == (422, "Invalid thread ID: must be a UUID")


# --- the state


async def test_a_thread_without_a_graph_has_an_empty_state_that_cannot_be_written(api: Served) -> None:
    path = f"/threads/{(await created(api))['thread_id']}"
    state = await ok(api, "GET", f"{path}/state")
    assert list(state) == STATE
    assert state == {**dict.fromkeys(STATE), "values": {}, "next": [], "tasks": [], "interrupts": []}
    assert await ok(api, "GET", f"{path}/history") == []
    response = await api.http.post(f"{path}/state", json={"values": {"n": [1]}})
    assert (response.status_code, "has no graph yet" in response.json()["detail"]) == (400, True)


@pytest.mark.parametrize("graph_id", ["gone", 5, ["chain"], {"a": 1}])
async def test_a_thread_of_a_graph_that_is_not_here_says_so(api: Served, graph_id: Any) -> None:
    thread = await created(api, metadata={"graph_id": graph_id})
    for path in ("state", "history"):
        response = await api.http.get(f"/threads/{thread['thread_id']}/{path}")
        assert response.status_code == 400
        assert "Registered graphs: chain, chat" in response.json()["detail"]


async def test_the_latest_state_and_the_state_at_a_checkpoint(api: Served) -> None:
    thread_id = await ran(api)
    path = f"/threads/{thread_id}"
    latest = await ok(api, "GET", f"{path}/state")
    assert list(latest) == STATE
    assert (latest["values"], latest["next"], latest["tasks"]) == ({"n": ["in", 0, 1, 2]}, [], [])
    assert latest["checkpoint"] == {
        "checkpoint_id": latest["checkpoint_id"],
        "thread_id": thread_id,
        "checkpoint_ns": "",
    }
    assert latest["metadata"]["step"] == 3
    history = await ok(api, "POST", f"{path}/history", json={"limit": 10})
    assert [state["next"] for state in history] == [[], ["n2"], ["n1"], ["n0"], ["__start__"]]
    assert history[0] == latest
    middle = history[2]
    assert middle["tasks"][0] == {
        "id": middle["tasks"][0]["id"],
        "name": "n1",
        "path": ["__pregel_pull", "n1"],
        "error": None,
        "interrupts": [],
        "checkpoint": None,
        "state": None,
        "result": {"n": [1]},
    }
    at = f"{path}/state/{middle['checkpoint_id']}"
    assert _same(await ok(api, "GET", at), middle)
    for subgraphs in (False, True):
        body = {"checkpoint": middle["checkpoint"], "subgraphs": subgraphs}
        assert _same(await ok(api, "POST", f"{path}/state/checkpoint", json=body), middle)
    for unknown in (NOBODY, "abc", "a%2Fb"):
        empty = await ok(api, "GET", f"{path}/state/{unknown}")
        assert (empty["values"], empty["next"], empty["created_at"]) == ({}, [], None)


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return {k: v for k, v in one.items() if k != "checkpoint"} == {k: v for k, v in other.items() if k != "checkpoint"}


async def test_select_picks_columns_of_a_state(api: Served) -> None:
    path = f"/threads/{await ran(api)}"
    for query in ("select=values&select=next", 'select=["values","next"]', "select=values,next"):
        assert await ok(api, "GET", f"{path}/state?{query}") == {"values": {"n": ["in", 0, 1, 2]}, "next": []}
    assert await ok(api, "GET", f"{path}/state?select=values.n,values.zzz") == {"values": {"n": ["in", 0, 1, 2]}}
    found = await ok(api, "POST", f"{path}/history", json={"limit": 2, "select": ["next"]})
    assert found == [{"next": []}, {"next": ["n2"]}]


async def test_history_by_limit_before_and_metadata(api: Served) -> None:
    path = f"/threads/{await ran(api)}/history"
    assert len(await ok(api, "GET", path)) == len(await ok(api, "POST", path, json={})) == 1
    assert await ok(api, "GET", f"{path}?limit=0") == []
    every = await ok(api, "GET", f"{path}?limit=1000")
    assert len(every) == 5
    bound = every[1]["checkpoint_id"]
    assert await ok(api, "GET", f"{path}?limit=2&before={bound}") == every[2:4]
    for before in (bound, every[1]["checkpoint"], {"configurable": {"checkpoint_id": bound}}):
        assert await ok(api, "POST", path, json={"limit": 2, "before": before}) == every[2:4]
    assert await ok(api, "POST", path, json={"limit": 10, "metadata": {"step": 1}}) == [every[2]]
    assert await ok(api, "GET", f'{path}?limit=10&metadata={{"step":1}}') == [every[2]]
    assert await ok(api, "POST", path, json={"limit": 10, "checkpoint": {"checkpoint_ns": ""}}) == every


async def test_the_states_of_sub_graphs(api: Served) -> None:
    thread_id = await ran(api, "hil_sub", {"log": ["in"]})
    path = f"/threads/{thread_id}/state"
    (task,) = (await ok(api, "GET", path))["tasks"]
    assert (task["name"], task["state"]) == ("sub", None)
    assert task["interrupts"][0]["value"] == {"question": "ok?"}
    assert task["checkpoint"]["checkpoint_ns"].startswith("sub:")
    (task,) = (await ok(api, "GET", f"{path}?subgraphs=1"))["tasks"]
    assert task["state"]["next"] == ["ask"]
    inner = await ok(api, "POST", f"{path}/checkpoint", json={"checkpoint": task["state"]["checkpoint"]})
    assert (inner["values"], inner["next"]) == (task["state"]["values"], ["ask"])


async def test_an_update_writes_a_state_and_the_thread_says_so(api: Served) -> None:
    thread_id = await ran(api)
    path = f"/threads/{thread_id}"
    written = await ok(api, "POST", f"{path}/state", json={"values": {"n": ["upd"]}, "as_node": "n0"})
    assert written["configurable"] == written["checkpoint"]
    assert written["checkpoint"] == {
        "thread_id": thread_id,
        "checkpoint_ns": "",
        "checkpoint_id": written["checkpoint_id"],
    }
    state = await ok(api, "GET", f"{path}/state")
    assert (state["values"], state["next"]) == ({"n": ["in", 0, 1, 2, "upd"]}, ["n1"])
    assert (state["checkpoint_id"], state["metadata"]["source"]) == (written["checkpoint_id"], "update")
    thread = await ok(api, "GET", path)
    assert (thread["status"], thread["values"], thread["error"], thread["interrupts"]) == (
        *("interrupted", {"n": ["in", 0, 1, 2, "upd"]}, None, {}),
    )
    await ok(api, "POST", f"{path}/state", json={"values": {"n": ["end"]}, "as_node": "n2"})
    assert (await ok(api, "GET", path))["status"] == "idle"


async def test_an_update_may_fork_from_a_checkpoint(api: Served) -> None:
    path = f"/threads/{await ran(api)}"
    fork = (await ok(api, "GET", f"{path}/history?limit=10"))[2]
    for place in ({"checkpoint_id": fork["checkpoint_id"]}, {"checkpoint": fork["checkpoint"]}):
        body = {"values": {"n": ["fork"]}, "as_node": "n1", **place}
        await ok(api, "POST", f"{path}/state", json=body)
        state = await ok(api, "GET", f"{path}/state")
        assert (state["values"], state["next"]) == ({"n": ["in", 0, "fork"]}, ["n2"])
        assert state["parent_checkpoint_id"] == fork["checkpoint_id"]
    both = {"checkpoint_id": NOBODY, "checkpoint": fork["checkpoint"], "values": {}}
    assert (await api.http.post(f"{path}/state", json=both)).status_code == 422


async def test_an_update_shows_the_interrupt_that_waits(api: Served) -> None:
    path = f"/threads/{await ran(api, 'hil', {'log': ['in']})}"
    await ok(api, "POST", f"{path}/state", json={"values": {"log": ["more"]}})
    thread = await ok(api, "GET", path)
    assert thread["status"] == "interrupted"
    assert thread["values"]["log"][-1] == "more"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"values": {"n": ["x"]}, "as_node": "bogus"}, "Node bogus does not exist"),
        ({"values": [{"n": ["l1"]}, {"n": ["l2"]}]}, "Expected dict"),
        ({"values": {"n": 5}, "as_node": "n0"}, ""),
        ({"values": {}, "checkpoint": {"checkpoint_ns": "nope:1"}}, "no subgraph 'nope'"),
    ],
)
async def test_an_update_that_the_graph_does_not_take_is_a_bad_request(
    api: Served, body: dict[str, Any], says: str
) -> None:
    response = await api.http.post(f"/threads/{await ran(api)}/state", json=body)
    assert (response.status_code, says in response.json()["detail"]) == (400, True), response.text


@pytest.mark.parametrize("body", [{}, {"values": None}])
async def test_an_update_without_values_is_accepted(api: Served, body: dict[str, Any]) -> None:
    await ok(api, "POST", f"/threads/{await ran(api)}/state", json=body)


async def test_a_busy_thread_refuses_updates_and_checkpoints_of_others_are_refused(api: Served) -> None:
    response = await api.http.post(f"/threads/{await busy(api)}/state", json={"values": {"n": [1]}})
    assert (response.status_code, "is busy" in response.json()["detail"]) == (409, True)
    one, two = await ran(api), await ran(api)
    theirs = (await ok(api, "GET", f"/threads/{two}/state"))["checkpoint"]
    for path, body in [("state", {}), ("state/checkpoint", {}), ("history", {})]:
        response = await api.http.post(f"/threads/{one}/{path}", json={**body, "checkpoint": theirs})
        assert (response.status_code, response.json().get("field")) == (422, "checkpoint.thread_id")
