"""The assistants API, against what the official server was seen to answer (spec: assistants_crud)."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Any

import pytest

from support.serving import Served, served

COLUMNS = [
    "assistant_id",
    "graph_id",
    "config",
    "context",
    "metadata",
    "name",
    "created_at",
    "updated_at",
    "version",
    "description",
]
SYSTEM = uuid.UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")
NOBODY = "00000000-0000-4000-8000-000000000000"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")


async def created(api: Served, **fields: Any) -> dict[str, Any]:
    response = await api.http.post("/assistants", json={"graph_id": "ctx", **fields})
    assert response.status_code == 200, response.text
    return response.json()


async def test_every_graph_has_an_assistant(api: Served) -> None:
    found = (await api.http.post("/assistants/search", json={"limit": 100})).json()
    assert {item["graph_id"] for item in found} == set(api.graphs)
    chain = next(item for item in found if item["graph_id"] == "chain")
    assert chain["assistant_id"] == str(uuid.uuid5(SYSTEM, "chain"))
    assert (chain["name"], chain["metadata"], chain["version"]) == ("chain", {"created_by": "system"}, 1)


async def test_starting_again_keeps_what_was_changed(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        assert (await api.http.patch("/assistants/chain", json={"name": "mine"})).json()["version"] == 2
    async with served(tmp_path) as api:
        assert (await api.http.get("/assistants/chain")).json()["name"] == "mine"


async def test_create_get_and_defaults(api: Served) -> None:
    one = await created(api, name="N1", description="D1", metadata={"m": 1}, context={"model_name": "x"})
    assert list(one) == COLUMNS
    assert one["config"] == {"configurable": {"model_name": "x"}}
    assert one["context"] == {"model_name": "x"}
    assert TIME.fullmatch(one["created_at"])
    assert one["created_at"] == one["updated_at"]
    assert (await api.http.get(f"/assistants/{one['assistant_id']}")).json() == one
    assert (await api.http.get(f"/assistants/{one['assistant_id'].upper()}")).json() == one
    plain = await created(api, bogus=1)
    assert {key: plain[key] for key in COLUMNS[2:6]} == {
        "config": {},
        "context": {},
        "metadata": {},
        "name": "Untitled",
    }
    assert plain["description"] is None


async def test_an_existing_id_conflicts_unless_told_to_do_nothing(api: Served) -> None:
    one = await created(api, name="N1")
    same = {"graph_id": "ctx", "assistant_id": one["assistant_id"]}
    response = await api.http.post("/assistants", json=same)
    assert (response.status_code, response.json()["detail"]) == (
        409,
        f"Assistant {one['assistant_id']} already exists",
    )
    assert (await api.http.post("/assistants", json={**same, "if_exists": "do_nothing"})).json() == one


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("POST", "", {"graph_id": "nope"}, 404, "Graph 'nope' not found. Expected one of: ['boom', 'chain'"),
        ("POST", "", {}, 422, "graph_id: "),
        ("POST", "", {"graph_id": "ctx", "assistant_id": "abc"}, 422, "Invalid assistant ID: must be a UUID"),
        ("POST", "", {"graph_id": "ctx", "if_exists": "x"}, 422, "allowed: do_nothing, raise"),
        ("POST", "", {"graph_id": "ctx", "config": {"recursion_limit": "x"}}, 422, "config.recursion_limit: "),
        (
            "POST",
            "",
            {"graph_id": "ctx", "context": {"a": 1}, "config": {"configurable": {"b": 1}}},
            400,
            "Cannot specify both configurable and context",
        ),
        ("GET", "/nope", None, 422, "Invalid assistant: 'nope'. Must be either:\n- A valid assistant UUID, or\n- One"),
        ("GET", f"/{NOBODY}", None, 404, f"Assistant {NOBODY} not found"),
        ("PATCH", f"/{NOBODY}", {"name": "x"}, 404, "not found"),
        ("PATCH", "/nope", {"name": "x"}, 422, "registered graphs: chain, chat,"),
        ("PATCH", "/ctx", {"graph_id": "nope"}, 404, "Graph 'nope' not found"),
        ("PATCH", "/ctx", {"graph_id": "chain"}, 409, "default assistant of graph 'ctx'"),
        ("DELETE", f"/{NOBODY}", None, 404, "not found"),
        ("DELETE", "/nope", None, 422, "registered graphs"),
        ("DELETE", "/loop", None, 409, "default assistant of graph 'loop'"),
        ("DELETE", "/loop?delete_threads=maybe", None, 422, "delete_threads: must be true, false, 1 or 0"),
        ("POST", f"/{NOBODY}/versions", {}, 404, "not found"),
        ("POST", f"/{NOBODY}/latest", {"version": 1}, 404, "not found"),
        ("POST", "/ctx/latest", {"version": 99}, 404, "Version 99 not found for assistant "),
        ("POST", "/ctx/latest", {}, 422, "version: "),
        ("POST", "/search", {"select": ["nope"]}, 422, "select: must be one of assistant_id, graph_id"),
        ("POST", "/search", {"graph_id": "nope"}, 404, "Graph 'nope' not found"),
        ("POST", "/search", {"limit": 0}, 422, "limit: must be from 1 to 1000"),
        ("POST", "/search", {"limit": 1001}, 422, "limit: "),
        ("POST", "/search", {"offset": -1}, 422, "offset: must be from 0"),
        ("POST", "/search", {"offset": 2**63}, 422, "offset: "),
        ("POST", "/search", {"sort_by": "config"}, 422, "allowed: assistant_id, created_at, graph_id, name"),
        ("POST", "/search", {"sort_order": "up"}, 422, "allowed: asc, desc"),
        ("GET", "/chain/graph?xray=maybe", None, 422, "Invalid xray value 'maybe'"),
        ("GET", "/chain/graph?xray=-1", None, 422, "Invalid xray value '-1'"),
        ("GET", f"/{NOBODY}/graph", None, 404, "not found"),
        ("GET", "/nope/graph", None, 422, "registered graphs"),
        ("GET", f"/{NOBODY}/schemas", None, 404, "not found"),
        ("GET", f"/{NOBODY}/subgraphs", None, 404, "not found"),
        ("GET", "/nested/subgraphs?recurse=x", None, 422, "recurse: must be"),
    ],
)
async def test_refusals(api: Served, method: str, path: str, body: Any, status: int, says: str) -> None:
    response = await api.http.request(method, f"/assistants{path}", json=body)
    assert (response.status_code, says in response.json()["detail"]) == (status, True), response.text
    assert response.json()["code"]


async def test_a_patch_makes_a_version_merges_metadata_and_replaces_the_rest(api: Served) -> None:
    one = await created(api, name="N1", metadata={"m": 1}, context={"model_name": "x"}, config={"tags": ["t"]})
    path = f"/assistants/{one['assistant_id']}"
    patch = {"name": "N2", "metadata": {"m2": 2}, "context": {"temperature": 1.0}}
    two = (await api.http.patch(path, json=patch)).json()
    assert two["version"] == 2
    assert two["metadata"] == {"m": 1, "m2": 2}
    assert two["context"] == {"temperature": 1.0}
    assert two["config"] == {"tags": ["t"], "configurable": {"temperature": 1.0}}
    assert two["created_at"] == one["created_at"] < two["updated_at"]
    three = (await api.http.patch(path, json={"description": "D3"})).json()
    assert {**two, "version": 3, "description": "D3", "updated_at": three["updated_at"]} == three
    four = (await api.http.patch(path, json={"config": {"recursion_limit": 7}})).json()
    assert four["config"] == {"recursion_limit": 7, "configurable": {"temperature": 1.0}}
    five = (await api.http.patch(path, json={"config": {"configurable": {"model_name": "z"}}})).json()
    assert five["config"]["configurable"] == five["context"] == {"model_name": "z"}
    six = (await api.http.patch(path, json={"context": {}})).json()
    assert (six["config"], six["context"]) == ({}, {})


async def test_versions_and_setting_the_latest_bring_back_the_context_too(api: Served) -> None:
    one = await created(api, metadata={"m": 1}, context={"model_name": "x"})
    path = f"/assistants/{one['assistant_id']}"
    await api.http.patch(path, json={"metadata": {"m2": 2}, "context": {"temperature": 1.0}})
    await api.http.patch(path, json={"name": "N3"})
    rows = (await api.http.post(f"{path}/versions", json={})).json()
    assert [row["version"] for row in rows] == [3, 2, 1]
    assert set(rows[0]) == set(COLUMNS) - {"updated_at"}
    paged = (await api.http.post(f"{path}/versions", json={"limit": 1, "offset": 1})).json()
    assert [row["version"] for row in paged] == [2]
    matching = (await api.http.post(f"{path}/versions", json={"metadata": {"m2": 2}})).json()
    assert [row["version"] for row in matching] == [3, 2]
    back = (await api.http.post(f"{path}/latest", json={"version": 1})).json()
    assert {**one, "updated_at": back["updated_at"]} == back == (await api.http.get(path)).json()
    assert (await api.http.patch(path, json={"name": "N4"})).json()["version"] == 4


async def test_search_filters_sorts_selects_and_counts(api: Served) -> None:
    first, second = await created(api, name="N1", metadata={"m": {"a": 1, "b": 2}}), await created(api)

    async def search(**body: Any) -> Any:
        return (await api.http.post("/assistants/search", json=body)).json()

    ids = [item["assistant_id"] for item in await search(graph_id="ctx")]
    assert ids[:2] == [second["assistant_id"], first["assistant_id"]]
    assert len(ids) == 3
    assert await search(name="N1", select=["assistant_id", "name"]) == [
        {"assistant_id": first["assistant_id"], "name": "N1"}
    ]
    assert await search(metadata={"m": {"a": 1}}, select=["name"]) == [{"name": "N1"}]
    assert await search(metadata={"m": {"a": 2}}) == []
    page = await api.http.post(
        "/assistants/search",
        json={"limit": 3, "offset": 2, "sort_by": "name", "sort_order": "asc", "select": ["name"]},
    )
    assert [item["name"] for item in page.json()] == ["chat", "chat_plain", "chat_sub"]
    total = len(api.graphs) + 2
    assert (page.headers["x-pagination-total"], page.headers["x-pagination-next"]) == (str(total), "5")
    last = await api.http.post("/assistants/search", json={"limit": 1000})
    assert "x-pagination-next" not in last.headers
    for body, number in [({}, total), ({"graph_id": "ctx"}, 3), ({"name": "N1"}, 1)]:
        assert (await api.http.post("/assistants/count", json=body)).json() == number


async def test_delete_takes_its_threads_along_when_asked(api: Served) -> None:
    for asked, left in [("", 2), ("?delete_threads=true", 0)]:
        one = await created(api)
        mark = {"assistant_id": one["assistant_id"]}
        for _ in range(2):
            await api.http.post("/threads", json={"metadata": mark})
        response = await api.http.delete(f"/assistants/{one['assistant_id']}{asked}")
        assert (response.status_code, response.content) == (204, b"")
        assert (await api.http.get(f"/assistants/{one['assistant_id']}")).status_code == 404
        assert (await api.http.post("/threads/count", json={"metadata": mark})).json() == left


async def test_the_drawing_of_a_graph(api: Served) -> None:
    drawing = (await api.http.get("/assistants/chain/graph")).json()
    assert [node["id"] for node in drawing["nodes"]] == ["__start__", "n0", "n1", "n2", "__end__"]
    assert drawing["nodes"][1] == {"id": "n0", "type": "runnable", "data": {"name": "n0"}}
    assert {"source": "n0", "target": "n1"} in drawing["edges"]

    async def nodes(xray: str) -> set[str]:
        found = (await api.http.get(f"/assistants/nested/graph?xray={xray}")).json()
        return {node["id"] for node in found["nodes"]}

    assert await nodes("false") == await nodes("0") == {"__start__", "top", "sub", "__end__"}
    assert "sub:deep" in await nodes("1")
    assert "sub:deep:leaf" in await nodes("true")


async def test_the_schemas_of_a_graph_and_its_sub_graphs(api: Served) -> None:
    schemas = (await api.http.get("/assistants/ctx/schemas")).json()
    assert schemas["graph_id"] == "ctx"
    assert set(schemas) == {
        *("graph_id", "input_schema", "output_schema", "state_schema", "config_schema", "context_schema")
    }
    assert schemas["context_schema"]["properties"]["temperature"]["default"] == 0.5

    async def namespaces(path: str) -> list[str]:
        return list((await api.http.get(f"/assistants/{path}")).json())

    assert await namespaces("nested/subgraphs") == ["sub"]
    assert await namespaces("nested/subgraphs?recurse=true") == ["sub", "sub|deep"]
    assert await namespaces("nested/subgraphs/sub") == ["sub"]
    assert await namespaces("nested/subgraphs/sub%7Cdeep?recurse=1") == ["sub|deep"]
    assert await namespaces("nested/subgraphs/nope") == []
    assert await namespaces("chain/subgraphs") == []
