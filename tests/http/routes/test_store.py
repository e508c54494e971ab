"""The store over HTTP: the official SDK's calls, every field, every refusal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient

from support.keeping import Ahead, keeping
from support.server import Running

PROJECT = Path(__file__).parents[2] / "project" / "with_store"


@asynccontextmanager
async def serving(data: Path, clock: Ahead | None = None) -> AsyncIterator[Running]:
    async with keeping(data, project=PROJECT, clock=clock) as server:
        yield server


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    async with serving(tmp_path) as server:
        yield server


async def put(server: Running, key: str, value: Any, namespace: str = "docs", **more: Any) -> None:
    body = {"namespace": namespace.split("."), "key": key, "value": value, **more}
    assert (await server.http.put("/store/items", json=body)).status_code == 204


async def found(server: Running, **body: Any) -> list[str]:
    return [item["key"] for item in (await server.post("/store/items/search", body))["items"]]


async def test_the_official_sdk(server: Running) -> None:
    store = LangGraphClient(server.http).store
    await store.put_item(["users", "u1"], "a", {"n": 1, "text": "cat"}, index=["text"], ttl=5)
    await store.put_item(["users", "u2"], "b", {"n": 2}, index=False)
    item = await store.get_item(["users", "u1"], "a", refresh_ttl=True)
    assert (item["namespace"], item["key"], item["value"]) == (["users", "u1"], "a", {"n": 1, "text": "cat"})
    assert item["created_at"].endswith("+00:00")
    assert await store.get_item(["users", "u1"], "nothing") is None
    result = await store.search_items(["users"], filter={"n": {"$gte": 2}}, limit=5, refresh_ttl=False)
    assert [(each["key"], each["score"]) for each in result["items"]] == [("b", None)]
    assert await store.list_namespaces(prefix=["users"], max_depth=2) == {
        "namespaces": [["users", "u1"], ["users", "u2"]]
    }
    await store.delete_item(["users", "u1"], "a")
    assert await store.get_item(["users", "u1"], "a") is None


async def test_filters_limits_and_pages(server: Running) -> None:
    for n in range(5):
        await put(server, f"k{n}", {"n": n, "even": n % 2 == 0, "deep": {"n": n, "list": [n]}})
    expected = {
        "$eq": ["k2"],
        "$ne": ["k0", "k1", "k3", "k4"],
        "$gt": ["k3", "k4"],
        "$gte": ["k2", "k3", "k4"],
        "$lt": ["k0", "k1"],
        "$lte": ["k0", "k1", "k2"],
    }
    for operator, keys in expected.items():
        assert await found(server, filter={"n": {operator: 2}}) == keys, operator
    assert await found(server, filter={"n": {"$gt": 0, "$lt": 3}, "even": True}) == ["k2"]
    assert await found(server, filter={"deep": {"n": {"$gte": 4}}}) == ["k4"]
    assert await found(server, filter={"deep": {"list": [3]}}) == ["k3"]
    assert await found(server, namespace_prefix=["docs"], limit=2, offset=1) == ["k1", "k2"]
    assert await found(server, limit=0) == []
    assert await found(server, namespace_prefix=["other"]) == []


async def test_namespaces_by_prefix_suffix_depth_and_page(server: Running) -> None:
    for namespace in ("a.b.c", "a.b.d", "a.x", "z.c"):
        await put(server, "k", {}, namespace)

    async def names(**body: Any) -> list[str]:
        return [".".join(each) for each in (await server.post("/store/namespaces", body))["namespaces"]]

    assert await names() == ["a.b.c", "a.b.d", "a.x", "z.c"]
    assert await names(prefix=["a", "b"]) == ["a.b.c", "a.b.d"]
    assert await names(prefix=["*", "b"]) == ["a.b.c", "a.b.d"]
    assert await names(suffix=["c"]) == ["a.b.c", "z.c"]
    assert await names(max_depth=1) == ["a", "z"]
    assert await names(limit=1, offset=2) == ["a.x"]
    assert await names(limit=0) == []


async def test_semantic_search_puts_the_most_similar_first_and_scores_them(server: Running) -> None:
    await put(server, "cats", {"text": "cat cat cat dog"})
    await put(server, "dogs", {"text": "dog dog"})
    await put(server, "plain", {"text": "cat cat"}, index=False)
    await put(server, "title", {"title": "dog", "text": "tree"}, index=["title"])
    result = await server.post("/store/items/search", {"namespace_prefix": ["docs"], "query": "dog"})
    assert [item["key"] for item in result["items"]] == ["dogs", "title", "cats", "plain"]
    assert [item["score"] for item in result["items"]] == [
        pytest.approx(1.0),
        pytest.approx(1.0),
        pytest.approx(1 / 10**0.5, rel=1e-5),
        None,
    ]
    assert await found(server, query="cat", filter={"title": "dog"}) == ["title"]
    assert await found(server, query="cat", limit=1) == ["cats"]


async def test_embedding_code_never_runs_on_the_loop_that_serves(server: Running) -> None:
    import sys

    (embeds,) = [module.ran_on for name, module in sys.modules.items() if name == "meaning"]
    embeds.clear()
    await put(server, "a", {"text": "cat"})
    assert await found(server, query="cat") == ["a"]
    assert embeds
    assert "MainThread" not in embeds


async def test_graphs_and_the_api_share_one_store(server: Running) -> None:
    await put(server, "told", {"text": "cat"}, "memories.u")
    result = await server.post(
        "/runs/wait", {"assistant_id": "keeper", "input": {"keep": "dog dog", "ask": "dog", "huge": True}}
    )
    assert [key for key, _ in result["found"]] == ["own", "told"]
    item = await server.get("/store/items?namespace=memories.u&key=own")
    assert item["value"] == {"text": "dog dog", "huge": 2**80}


async def test_items_outlive_the_server(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        await put(server, "a", {"text": "cat"})
    async with serving(tmp_path) as server:
        assert await found(server, query="cat") == ["a"]


async def test_items_expire_unless_they_are_read_and_their_room_is_freed(tmp_path: Path) -> None:
    clock = Ahead()

    async def rows(server: Running) -> int:
        return (await server.runtime.backend.statistics.metrics()).rows["store_items"]

    async with serving(tmp_path, clock) as server:
        await put(server, "short", {"text": "cat"}, ttl=5)
        await put(server, "default", {"text": "cat"})
        clock.minutes(4)
        assert await found(server, refresh_ttl=False) == ["short", "default"]
        assert await server.get("/store/items?namespace=docs&key=short&refresh_ttl=true")
        clock.minutes(4)
        assert await found(server, refresh_ttl=False) == ["short", "default"]
        clock.minutes(2)
        assert await found(server, refresh_ttl=False) == ["default"]
        assert await server.get("/store/items?namespace=docs&key=short") is None
        clock.minutes(49)
        assert await server.get("/store/items?namespace=docs&key=default"), "reading puts the default ttl off"
        clock.minutes(59)
        assert await found(server, refresh_ttl=False) == ["default"]
        clock.minutes(2)
        assert await found(server, query="cat") == []
        async with asyncio.timeout(10):
            while await rows(server):
                clock.minutes(2)  # what is counted is used for a minute


# fmt: off
REFUSED: list[tuple[str, str, Any, int, str | None]] = [
    ("PUT", "/items", {"key": "k", "value": {}}, 422, "namespace"),
    ("PUT", "/items", {"namespace": [], "key": "k", "value": {}}, 400, "namespace"),
    ("PUT", "/items", {"namespace": ["langgraph"], "key": "k", "value": {}}, 400, "namespace"),
    ("PUT", "/items", {"namespace": ["a.b"], "key": "k", "value": {}}, 422, "namespace"),
    ("PUT", "/items", {"namespace": [""], "key": "k", "value": {}}, 422, "namespace"),
    ("PUT", "/items", {"namespace": ["a\0"], "key": "k", "value": {}}, 422, "namespace"),
    ("PUT", "/items", {"namespace": [1], "key": "k", "value": {}}, 422, "namespace[0]"),
    ("PUT", "/items", {"namespace": ["a"], "value": {}}, 422, "key"),
    ("PUT", "/items", {"namespace": ["a"], "key": 1, "value": {}}, 422, "key"),
    ("PUT", "/items", {"namespace": ["a"], "key": "k"}, 422, "value"),
    ("PUT", "/items", {"namespace": ["a"], "key": "k", "value": "text"}, 422, "value"),
    ("PUT", "/items", {"namespace": ["a"], "key": "k", "value": {}, "index": "text"}, 422, "index"),
    ("PUT", "/items", {"namespace": ["a"], "key": "k", "value": {}, "ttl": 0}, 422, "ttl"),
    ("PUT", "/items", {"namespace": ["a"], "key": "k", "value": {}, "ttl": 1e300}, 422, "ttl"),
    ("PUT", "/items", {"namespace": ["a"], "key": "k", "value": {}, "ttl": "5"}, 422, "ttl"),
    ("GET", "/items?namespace=a", None, 400, "key"),
    ("GET", "/items?key=k", None, 422, "namespace"),
    ("GET", "/items?namespace=a..b&key=k", None, 422, "namespace"),
    ("GET", "/items?namespace=a&key=k&refresh_ttl=maybe", None, 422, "refresh_ttl"),
    ("DELETE", "/items", {}, 422, "key"),
    ("DELETE", "/items", {"key": "k"}, 400, "namespace"),
    ("DELETE", "/items", None, 422, None),
    ("POST", "/items/search", {"namespace_prefix": "docs"}, 422, "namespace_prefix"),
    ("POST", "/items/search", {"namespace_prefix": ["a.b"]}, 422, "namespace_prefix"),
    ("POST", "/items/search", {"filter": [1]}, 422, "filter"),
    ("POST", "/items/search", {"filter": {"n": {"$in": [1]}}}, 422, "filter.n"),
    ("POST", "/items/search", {"filter": {"n": {"$gt": 1, "m": 2}}}, 422, "filter.n"),
    ("POST", "/items/search", {"filter": {"a": [{"n": {"$or": 1}}]}}, 422, "filter.a.0.n"),
    ("POST", "/items/search", {"limit": -1}, 422, "limit"),
    ("POST", "/items/search", {"limit": 1001}, 422, "limit"),
    ("POST", "/items/search", {"offset": -1}, 422, "offset"),
    ("POST", "/items/search", {"query": {"a": 1}}, 422, "query"),
    ("POST", "/namespaces", {"max_depth": 0}, 422, "max_depth"),
    ("POST", "/namespaces", {"prefix": ["a.b"]}, 422, "prefix"),
    ("POST", "/namespaces", {"suffix": [""]}, 422, "suffix"),
    ("POST", "/namespaces", {"limit": "all"}, 422, "limit"),
    ("POST", "/namespaces", None, 422, None),
]
# fmt: on


async def test_refusals_name_the_field(server: Running) -> None:
    for method, path, body, status, field in REFUSED:
        answer = await server.http.request(method, f"/store{path}", json=body)
        said = answer.json()
        assert (answer.status_code, said.get("field") or None) == (status, field), (method, path, body, said)
        assert {"detail", "code"} <= said.keys()
