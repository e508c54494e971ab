"""The official Python SDK against assistants and threads, unmodified and in process."""

from __future__ import annotations

import langgraph_sdk
import pytest
from langgraph_sdk.client import LangGraphClient

from support.serving import Served


def sdk(api: Served) -> LangGraphClient:
    return LangGraphClient(api.http)


async def test_assistants(api: Served) -> None:
    assistants = sdk(api).assistants
    one = await assistants.create("ctx", name="N", metadata={"m": 1}, context={"model_name": "x"}, description="D")
    assert (await assistants.get(one["assistant_id"])) == one
    assert (await assistants.update(one["assistant_id"], name="M"))["version"] == 2
    found = await assistants.search(metadata={"m": 1}, graph_id="ctx", response_format="object")
    assert [item["assistant_id"] for item in found["assistants"]] == [one["assistant_id"]]
    assert found["next"] is None
    assert (await assistants.search(limit=1, response_format="object"))["next"] == "1"
    assert await assistants.count(graph_id="ctx") == 2
    assert len(await assistants.get_versions(one["assistant_id"])) == 2
    assert (await assistants.set_latest(one["assistant_id"], 1))["name"] == "N"
    for name in (one["assistant_id"], "ctx"):
        assert {node["id"] for node in (await assistants.get_graph(name, xray=True))["nodes"]} == {
            *("__start__", "show", "__end__")
        }
        assert (await assistants.get_schemas(name))["graph_id"] == "ctx"
    assert set(await assistants.get_subgraphs("nested", recurse=True)) == {"sub", "sub|deep"}
    assert set(await assistants.get_subgraphs("nested", namespace="sub|deep", recurse=True)) == {"sub|deep"}
    await assistants.delete(one["assistant_id"])
    with pytest.raises(langgraph_sdk.errors.NotFoundError):
        await assistants.get(one["assistant_id"])


async def test_threads(api: Served) -> None:
    client = sdk(api)
    threads = client.threads
    thread = await threads.create(metadata={"k": 1}, graph_id="chain")
    thread_id = thread["thread_id"]
    assert thread["metadata"] == {"k": 1, "graph_id": "chain"}
    await client.runs.wait(thread_id, "chain", input={"n": ["in"]})
    assert (await threads.get(thread_id, include=["ttl"]))["values"] == {"n": ["in", 0, 1, 2]}
    assert (await threads.update(thread_id, metadata={"m": 2}))["metadata"]["m"] == 2
    assert await threads.update(thread_id, metadata={"m": 3}, return_minimal=True) is None
    found = await threads.search(metadata={"m": 3}, values={"n": ["in", 0, 1, 2]}, extract={"x": "values.n[-1]"})
    assert [item["extracted"] for item in found] == [{"x": 2}]
    assert await threads.count(status="idle") == 1
    state = await threads.get_state(thread_id)
    history = await threads.get_history(thread_id)
    assert history[0] == state
    assert len(history) == 5
    assert await threads.get_history(thread_id, limit=2, before=history[1]["checkpoint"]) == history[2:4]
    assert (await threads.get_state(thread_id, checkpoint=history[2]["checkpoint"]))["next"] == ["n1"]
    assert (await threads.get_state(thread_id, checkpoint_id=history[2]["checkpoint_id"]))["next"] == ["n1"]
    assert await threads.get_state(thread_id, select=["values.n"]) == {"values": {"n": ["in", 0, 1, 2]}}
    written = await threads.update_state(thread_id, {"n": ["upd"]}, as_node="n2")
    assert (await threads.get_state(thread_id))["checkpoint"] == written["checkpoint"]
    copied = await threads.copy(thread_id)
    assert copied["thread_id"] != thread_id
    assert await threads.prune([copied["thread_id"]], strategy="delete") == {"pruned_count": 1}
    await threads.delete(thread_id)
    with pytest.raises(langgraph_sdk.errors.NotFoundError):
        await threads.get(thread_id)


async def test_errors_are_the_sdks_own_classes(api: Served) -> None:
    client = sdk(api)
    thread = await client.threads.create()
    with pytest.raises(langgraph_sdk.errors.ConflictError, match="already exists"):
        await client.threads.create(thread_id=thread["thread_id"])
    with pytest.raises(langgraph_sdk.errors.UnprocessableEntityError, match="must be a UUID"):
        await client.threads.get("abc")
    with pytest.raises(langgraph_sdk.errors.UnprocessableEntityError, match="must be a UUID"):
        await client.threads.get("../assistants")
    with pytest.raises(langgraph_sdk.errors.BadRequestError, match="has no graph yet"):
        await client.threads.update_state(thread["thread_id"], {"n": [1]})
