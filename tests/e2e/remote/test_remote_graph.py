"""langgraph's RemoteGraph, unmodified, over real sockets: what it yields is what the local graph yields."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.messages import BaseMessage
from langgraph.pregel.remote import RemoteException
from langgraph_sdk.errors import NotFoundError, UnprocessableEntityError

from e2e.remote.driver import Connect
from support.graphs import golden

HELLO = {"messages": [{"role": "user", "content": "hello", "id": "hello"}]}
CASES: dict[str, tuple[Any, Any]] = {
    "app": (golden.chat, HELLO),
    "app_nested": (golden.chat_sub, HELLO),
    "plain": (golden.chat_plain, HELLO),
    "chain": (golden.chain, {"n": ["in"]}),
    "nested": (golden.nested, {"n": ["in"]}),
    "custom": (golden.custom, {"tokens": 5}),
}
"""The graphs of the server that need no thread: the same graph here, and an input."""

AI_MESSAGE = {
    "content": "alpha beta gamma",
    "additional_kwargs": {},
    "response_metadata": {},
    "type": "ai",
    "name": None,
    "id": "ai-fixed",
    "tool_calls": [],
    "invalid_tool_calls": [],
    "usage_metadata": None,
}


def on_the_wire(value: Any) -> Any:
    """A local value as it comes over the wire."""
    if isinstance(value, BaseMessage):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {key: on_the_wire(item) for key, item in value.items()}
    return [on_the_wire(item) for item in value] if isinstance(value, (list, tuple)) else value


def locally(graph_id: str, **more: Any) -> list[Any]:
    graph, input = CASES[graph_id]

    async def stream() -> list[Any]:
        return [part async for part in graph.astream(input, **more)]

    return asyncio.run(stream())


def remotely(connect: Connect, graph_id: str, **more: Any) -> list[Any]:
    return connect(graph_id).stream(CASES[graph_id][1], **more)


def names(namespace: Any) -> tuple[str, ...]:
    """A namespace without the ids of its tasks."""
    return tuple(part.partition(":")[0] for part in namespace)


# --- invoke -----------------------------------------------------------------------------------------------------------


def test_invoke_gives_the_final_state(connect: Connect) -> None:
    assert connect("chain").invoke({"n": ["in"]}) == {"n": ["in", 0, 1, 2]}


def test_invoke_gives_the_final_message_with_all_its_fields(connect: Connect) -> None:
    messages = connect("app").invoke(HELLO)["messages"]
    assert [message["type"] for message in messages] == ["human", "ai"]
    assert messages[-1] == AI_MESSAGE


def test_invoke_in_its_second_version_tells_value_and_interrupts_apart(connect: Connect, thread: Any) -> None:
    output = connect("hil").invoke({"log": []}, thread, version="v2")
    assert output.value == {"log": ["before"]}
    assert [each.value for each in output.interrupts] == [{"question": "ok?"}]


def test_an_assistant_is_a_graph_too(connect: Connect) -> None:
    client = connect("chain").sync_client
    (assistant,) = client.assistants.search(graph_id="chain")
    assert connect(assistant["assistant_id"]).invoke({"n": []}) == {"n": [0, 1, 2]}


# --- stream -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("graph_id", CASES)
@pytest.mark.parametrize("mode", ["values", "updates", "custom"])
def test_values_updates_and_custom_are_those_of_the_local_graph(connect: Connect, graph_id: str, mode: Any) -> None:
    assert remotely(connect, graph_id, stream_mode=mode) == on_the_wire(locally(graph_id, stream_mode=mode))


def test_updates_come_when_no_mode_is_asked_for(connect: Connect) -> None:
    assert remotely(connect, "chain") == [{"n0": {"n": [0]}}, {"n1": {"n": [1]}}, {"n2": {"n": [2]}}]


@pytest.mark.parametrize("mode", ["messages", "messages-tuple"])
@pytest.mark.parametrize("graph_id", ["app", "plain"])
def test_messages_are_those_of_the_local_graph(connect: Connect, graph_id: str, mode: Any) -> None:
    expected = [
        (message.content, about["langgraph_node"]) for message, about in locally(graph_id, stream_mode="messages")
    ]
    found = remotely(connect, graph_id, stream_mode=mode)
    assert all(isinstance(part, tuple) for part in found)
    assert [(message["content"], about["langgraph_node"]) for message, about in found] == expected


def test_messages_of_sub_graphs_are_as_many_with_equal_content(connect: Connect) -> None:
    expected = locally("app_nested", stream_mode="messages", subgraphs=True)
    found = remotely(connect, "app_nested", stream_mode="messages", subgraphs=True)
    assert len(found) == len(expected) > 3
    for (remote_ns, (remote_message, _)), (local_ns, (local_message, _)) in zip(found, expected, strict=True):
        assert remote_message["content"] == local_message.content
        assert names(remote_ns) == names(local_ns)


def test_debug_tasks_and_checkpoints_are_those_of_the_local_graph(connect: Connect, thread: Any) -> None:
    modes: list[Any] = ["debug", "tasks", "checkpoints"]
    parts = connect("chain").stream({"n": []}, thread, stream_mode=modes)
    of = {mode: [part.data for part in parts if part.event == mode] for mode in modes}
    assert [task["name"] for task in of["tasks"]] == ["n0", "n0", "n1", "n1", "n2", "n2"]
    assert [task["result"] for task in of["tasks"] if "result" in task] == [{"n": [i]} for i in range(3)]
    assert of["checkpoints"][-1]["values"] == {"n": [0, 1, 2]}
    assert [each["next"] for each in of["checkpoints"]][-3:] == [["n1"], ["n2"], []]
    assert {each["type"] for each in of["debug"]} == {"checkpoint", "task", "task_result"}


def test_several_modes_come_with_their_names(connect: Connect) -> None:
    modes: list[Any] = ["values", "updates", "custom"]
    found = [(part.event, part.data) for part in remotely(connect, "custom", stream_mode=modes)]
    assert found == [(mode, on_the_wire(data)) for mode, data in locally("custom", stream_mode=modes)]


@pytest.mark.parametrize("mode", ["values", "updates"])
def test_sub_graphs_come_with_their_namespaces(connect: Connect, mode: Any) -> None:
    found = remotely(connect, "nested", stream_mode=mode, subgraphs=True)
    expected = locally("nested", stream_mode=mode, subgraphs=True)
    assert [(names(ns), data) for ns, data in found] == [(names(ns), on_the_wire(data)) for ns, data in expected]
    assert ("sub", "deep") in {names(ns) for ns, _ in found}


def test_sub_graphs_and_several_modes(connect: Connect) -> None:
    found = remotely(connect, "nested", stream_mode=["values", "updates"], subgraphs=True)
    assert {(names(ns), mode) for ns, mode, _ in found} == {
        (ns, mode) for ns in ((), ("sub",), ("sub", "deep")) for mode in ("values", "updates")
    }


def test_sub_graphs_stay_silent_unless_asked_for(connect: Connect) -> None:
    assert [set(update) for update in remotely(connect, "nested", stream_mode="updates")] == [{"top"}, {"sub"}]


def test_the_second_version_yields_parts_with_type_and_namespace(connect: Connect) -> None:
    parts = remotely(connect, "nested", stream_mode="updates", subgraphs=True, version="v2")
    assert {(part["type"], names(part["ns"])) for part in parts} == {
        ("updates", ns) for ns in ((), ("sub",), ("sub", "deep"))
    }
    assert all(part["interrupts"] == () for part in parts)


# --- what goes along --------------------------------------------------------------------------------------------------


def test_a_config_reaches_the_graph_without_what_is_not_json(connect: Connect, thread: Any) -> None:
    config = {
        "tags": ["a", object()],
        "metadata": {"who": "me", "odd": object(), "deep": {"kept": 1, "odd": object()}},
        "recursion_limit": 9,
        "configurable": {
            **thread["configurable"],
            "colour": "red",
            "nothing": None,
            "checkpoint_ns": "elsewhere:1",
            "checkpoint_map": {"": "x"},
            "odd": object(),
            "list": ["x", object()],
        },
    }
    seen = connect("ctx").invoke({}, config)["seen"]
    assert (seen["tags"], seen["recursion_limit"]) == (["a"], 9)
    assert (seen["metadata"]["who"], seen["metadata"]["deep"]) == ("me", {"kept": 1})
    assert "odd" not in seen["metadata"]
    assert (seen["configurable"]["colour"], seen["configurable"]["list"]) == ("red", ["x"])
    assert not {"odd", "nothing"} & seen["configurable"].keys()
    assert seen["configurable"]["checkpoint_ns"].startswith("show:")
    assert seen["configurable"]["checkpoint_map"] != {"": "x"}
    assert seen["configurable"]["thread_id"] == thread["configurable"]["thread_id"]


def test_a_config_of_its_own_is_merged(connect: Connect) -> None:
    remote = connect("ctx", config={"tags": ["own"], "configurable": {"colour": "red", "size": 1}})
    seen = remote.invoke({}, {"configurable": {"size": 2}})["seen"]
    assert seen["tags"] == ["own"]
    assert (seen["configurable"]["colour"], seen["configurable"]["size"]) == ("red", 2)


def test_context_reaches_the_graph(connect: Connect) -> None:
    seen = connect("ctx").invoke({}, context={"model_name": "big"})["seen"]
    assert seen["context"] == {"model_name": "big", "temperature": 0.5}


def test_further_fields_of_a_run_are_handed_on(connect: Connect, thread: Any) -> None:
    remote = connect("chain")
    remote.invoke({"n": []}, thread, durability="exit", metadata={"mark": 1}, multitask_strategy="reject")
    assert len(remote.get_state_history(thread)) == 1
    (run,) = remote.sync_client.runs.list(thread["configurable"]["thread_id"])
    assert (run["metadata"]["mark"], run["multitask_strategy"]) == (1, "reject")


def test_a_thread_goes_on_and_another_starts_anew(connect: Connect, thread: Any) -> None:
    remote = connect("chain")
    remote.invoke({"n": ["a"]}, thread)
    assert remote.invoke({"n": ["b"]}, thread) == {"n": ["a", 0, 1, 2, "b", 0, 1, 2]}
    assert remote.invoke({"n": ["c"]}) == {"n": ["c", 0, 1, 2]}


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["values", "updates", "messages", "custom", "debug", "tasks", "checkpoints"])
def test_a_node_that_raises_is_an_exception_of_the_remote_graph(connect: Connect, mode: Any) -> None:
    with pytest.raises(RemoteException) as caught:
        connect("boom").stream({"n": []}, stream_mode=mode)
    assert caught.value.args == ({"error": "ValueError", "message": "boom message"},)


def test_invoke_raises_it_too(connect: Connect) -> None:
    with pytest.raises(RemoteException, match="boom message"):
        connect("boom").invoke({"n": []})


def test_an_unknown_graph(connect: Connect) -> None:
    with pytest.raises(UnprocessableEntityError, match="nowhere"):
        connect("nowhere").invoke({})


def test_an_unknown_thread_has_no_state(connect: Connect, thread: Any) -> None:
    with pytest.raises(NotFoundError):
        connect("chain").get_state(thread)


def test_a_thread_id_that_is_none(connect: Connect) -> None:
    with pytest.raises(UnprocessableEntityError, match="UUID"):
        connect("chain").invoke({"n": []}, {"configurable": {"thread_id": "abc"}})
