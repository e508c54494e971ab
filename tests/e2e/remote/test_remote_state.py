"""Interrupts, commands, state, history and drawings through langgraph's RemoteGraph."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.types import Command

from e2e.remote.driver import Connect
from support.graphs import golden

QUESTION = {"question": "ok?"}

# --- interrupts -------------------------------------------------------------------------------------------------------


def test_a_graph_that_asks_goes_on_with_the_answer(connect: Connect, thread: Any) -> None:
    remote = connect("hil")
    stopped = remote.invoke({"log": []}, thread)
    assert stopped["log"] == ["before"]
    assert [each["value"] for each in stopped["__interrupt__"]] == [QUESTION]
    state = remote.get_state(thread)
    assert (state.next, [each.value for each in state.interrupts]) == (("ask",), [QUESTION])
    assert [(task.name, task.interrupts[0].value) for task in state.tasks] == [("ask", QUESTION)]
    assert remote.invoke(Command(resume="yes"), thread) == {"log": ["before", "ask", "after"], "answer": "yes"}
    assert remote.get_state(thread).next == ()


def test_two_questions_are_answered_by_their_ids(connect: Connect, thread: Any) -> None:
    remote = connect("hil2")
    remote.invoke({"log": []}, thread)
    answers = {each.id: each.value.upper() for each in remote.get_state(thread).interrupts}
    assert sorted(remote.invoke(Command(resume=answers), thread)["log"]) == [["a", "QA"], ["b", "QB"]]


def test_a_question_in_a_sub_graph(connect: Connect, thread: Any) -> None:
    remote = connect("hil_sub")
    remote.invoke({"log": []}, thread)
    (task,) = remote.get_state(thread, subgraphs=True).tasks
    assert (task.name, task.state.next, task.state.values["log"]) == ("sub", ("ask",), ["pre"])
    (task,) = remote.get_state(thread).tasks
    assert task.state["configurable"]["checkpoint_ns"].startswith("sub:")
    assert remote.invoke(Command(resume="yes"), thread)["answer"] == "yes"


@pytest.mark.parametrize("nodes", [["n1"], "*"])
def test_interrupt_before(connect: Connect, thread: Any, nodes: Any) -> None:
    remote = connect("chain")
    remote.invoke({"n": []}, thread, interrupt_before=nodes)
    assert remote.get_state(thread).next == (("n1",) if nodes == ["n1"] else ("n0",))
    assert remote.invoke(None, thread) == {"n": [0, 1, 2]}


def test_interrupt_after(connect: Connect, thread: Any) -> None:
    remote = connect("chain")
    parts = remote.stream({"n": []}, thread, interrupt_after=["n0"], stream_mode="updates")
    assert parts == [{"n0": {"n": [0]}}, {"__interrupt__": []}]
    assert remote.invoke(None, thread) == {"n": [0, 1, 2]}


def test_debug_and_messages_of_a_run_that_stops_before_a_node(connect: Connect, thread: Any) -> None:
    remote = connect("tools")
    hello = {"messages": [{"role": "user", "content": "hello"}]}
    modes: list[Any] = ["debug", "messages"]
    parts = remote.stream(hello, thread, interrupt_before=["tools"], stream_mode=modes)
    assert {part.event for part in parts} == {"debug", "messages"}
    assert remote.get_state(thread).next == ("tools",)
    last = remote.invoke(None, thread)["messages"][-1]
    assert (last["type"], last["content"]) == ("tool", "3")


# --- commands ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("goto", "found"), [("y", ["x", "y"]), (("y", "x"), ["x", "x", "y"])])
def test_goto(connect: Connect, thread: Any, goto: Any, found: list[str]) -> None:
    remote = connect("goto")
    remote.invoke({"n": []}, thread)
    assert remote.invoke(Command(goto=goto), thread) == {"n": found}


def test_an_update_and_an_answer_in_one(connect: Connect, thread: Any) -> None:
    remote = connect("hil")
    remote.invoke({"log": []}, thread)
    values = remote.invoke(Command(update={"log": ["by hand"]}, resume=0), thread)
    assert (values["log"], values["answer"]) == (["before", "by hand", "ask", "after"], 0)


# --- state ------------------------------------------------------------------------------------------------------------


def test_the_state_is_a_snapshot_like_the_local_one(connect: Connect, thread: Any) -> None:
    remote = connect("chain")
    remote.invoke({"n": []}, thread)
    state = remote.get_state(thread)
    assert (state.values, state.next, state.tasks, state.interrupts) == ({"n": [0, 1, 2]}, (), (), ())
    assert (state.metadata["source"], state.metadata["step"]) == ("loop", 3)
    assert state.config["configurable"]["thread_id"] == thread["configurable"]["thread_id"]
    assert state.config["configurable"]["checkpoint_ns"] == ""
    assert state.parent_config["configurable"]["checkpoint_id"] < state.config["configurable"]["checkpoint_id"]


def test_a_snapshot_of_history_can_be_looked_up_and_gone_on_from(connect: Connect, thread: Any) -> None:
    remote = connect("chain")
    remote.invoke({"n": []}, thread)
    history = remote.get_state_history(thread)
    assert [state.metadata["step"] for state in history] == [3, 2, 1, 0, -1]
    past = history[2]
    assert past.next == ("n1",)
    assert remote.get_state(past.config) == past
    remote.update_state(past.config, {"n": ["fork"]}, as_node="n1")
    assert remote.get_state(thread).values == {"n": [0, "fork"]}
    assert remote.invoke(None, thread) == {"n": [0, "fork", 2]}


def test_history_is_limited_filtered_and_read_before_a_snapshot(connect: Connect, thread: Any) -> None:
    remote = connect("chain")
    remote.invoke({"n": []}, thread)
    history = remote.get_state_history(thread)
    assert remote.get_state_history(thread, limit=2) == history[:2]
    assert remote.get_state_history(thread, filter={"source": "input"}) == history[-1:]


def test_an_update_gives_the_config_of_the_new_state(connect: Connect, thread: Any) -> None:
    remote = connect("chain")
    remote.invoke({"n": []}, thread)
    config = remote.update_state(thread, {"n": ["by hand"]}, as_node="n1")
    state = remote.get_state(thread)
    assert state.config["configurable"] == {**config["configurable"], "checkpoint_map": {}}
    assert (state.values["n"][-1], state.next) == ("by hand", ("n2",))


# --- drawings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("xray", [False, True, 1])
def test_the_drawing_is_that_of_the_local_graph(connect: Connect, xray: Any) -> None:
    remote = connect("nested").get_graph(xray=xray)
    local = golden.nested.get_graph(xray=xray)
    assert set(remote.nodes) == set(local.nodes)
    assert [(edge.source, edge.target) for edge in remote.edges] == [(edge.source, edge.target) for edge in local.edges]
    assert remote.draw_mermaid() == local.draw_mermaid()
