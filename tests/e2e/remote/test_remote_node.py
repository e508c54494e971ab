"""RemoteGraph as a node of a local graph: the parent sees the same as for a local subgraph."""

from __future__ import annotations

import asyncio
import operator
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.pregel.remote import RemoteException

from e2e.remote.driver import Connect
from support.graphs import golden

HELLO = {"messages": [{"role": "user", "content": "hello", "id": "hello"}]}


class Steps(TypedDict):
    n: Annotated[list[Any], operator.add]


class Asking(TypedDict, total=False):
    log: Annotated[list[str], operator.add]
    answer: Any


def around(node: Any, schema: Any = Steps, **compiled: Any) -> Any:
    """A local graph with one node, ``inner``."""
    graph = StateGraph(schema)
    graph.add_node("inner", node)
    graph.add_edge(START, "inner")
    graph.add_edge("inner", END)
    return graph.compile(**compiled)


def locally(node: Any, input: Any, schema: Any = Steps, **more: Any) -> list[Any]:
    async def stream() -> list[Any]:
        return [part async for part in around(node, schema).astream(input, **more)]

    return asyncio.run(stream())


def names(namespace: Any) -> tuple[str, ...]:
    return tuple(part.partition(":")[0] for part in namespace)


def test_its_result_is_the_nodes_update(connect: Connect) -> None:
    remote = connect("chain")
    found = remote.inside(around(remote.graph), "invoke", {"n": ["in"]})
    assert found == asyncio.run(around(golden.chain).ainvoke({"n": ["in"]}))


@pytest.mark.parametrize("mode", ["values", "updates"])
def test_its_steps_are_streamed_under_the_node(connect: Connect, mode: Any) -> None:
    remote = connect("nested")
    more = {"stream_mode": mode, "subgraphs": True}
    found = remote.inside(around(remote.graph), "stream", {"n": ["in"]}, **more)
    expected = locally(golden.nested, {"n": ["in"]}, **more)
    assert [(names(ns), data) for ns, data in found] == [(names(ns), data) for ns, data in expected]
    assert ("inner", "sub", "deep") in {names(ns) for ns, _ in found}


@pytest.mark.parametrize("graph_id", ["app", "app_nested", "plain"])
def test_its_messages_are_as_many_with_equal_content(connect: Connect, graph_id: str) -> None:
    local = {"app": golden.chat, "app_nested": golden.chat_sub, "plain": golden.chat_plain}[graph_id]
    remote = connect(graph_id)
    more = {"stream_mode": "messages", "subgraphs": True}
    found = remote.inside(around(remote.graph, MessagesState), "stream", HELLO, **more)
    expected = locally(local, HELLO, MessagesState, **more)
    assert [(names(ns), _content(message)) for ns, (message, _) in found] == [
        (names(ns), message.content) for ns, (message, _) in expected
    ]


def _content(message: Any) -> Any:
    return message.content if isinstance(message, BaseMessage) else message["content"]


def test_its_question_stops_the_parent(connect: Connect, thread: Any) -> None:
    remote = connect("hil")
    parent = around(remote.graph, Asking, checkpointer=InMemorySaver())
    values = remote.inside(parent, "invoke", {"log": []}, thread)
    assert [each.value for each in values["__interrupt__"]] == [{"question": "ok?"}]
    state = parent.get_state(thread)
    assert (state.next, state.tasks[0].interrupts[0].value) == (("inner",), {"question": "ok?"})


def test_its_failure_is_the_parents(connect: Connect) -> None:
    remote = connect("boom")
    with pytest.raises(RemoteException, match="boom message"):
        remote.inside(around(remote.graph), "invoke", {"n": []})


def test_it_keeps_its_own_thread_beside_the_parents(connect: Connect, thread: Any) -> None:
    remote = connect("chain")
    parent = around(remote.graph, checkpointer=InMemorySaver())
    remote.inside(parent, "invoke", {"n": ["a"]}, thread)
    assert remote.get_state(thread).values == {"n": ["a", 0, 1, 2]}


def test_messages_in_the_parents_state_are_understood(connect: Connect) -> None:
    remote = connect("app")
    parent = around(remote.graph, MessagesState)
    values = remote.inside(parent, "invoke", {"messages": [AIMessageChunk(content="hm", id="first")]})
    assert [message.content for message in values["messages"]] == ["hm", "alpha beta gamma"]


def test_it_hands_over_to_a_node_above_the_graph_that_holds_it(connect: Connect) -> None:
    """RemoteGraph raises the command in the node that it is, so its parent is that of the graph around it."""
    remote = connect("handing")
    team = StateGraph(MessagesState)
    team.add_node("member", around(remote.graph, MessagesState))
    team.add_node("other", lambda state: {"messages": [AIMessage("taken over", id="other")]})
    team.add_edge(START, "member")
    values = remote.inside(team.compile(), "invoke", HELLO)
    assert [message.content for message in values["messages"]] == ["hello", "handing over", "taken over"]


def test_without_a_parent_handing_over_is_a_failure(connect: Connect) -> None:
    parts = connect("handing").sync_client.runs.stream(None, "handing", input=HELLO, stream_mode="updates")
    assert [part.event for part in parts] == ["metadata", "command", "error"]
