from __future__ import annotations

from typing import Any

import orjson
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, ToolMessage
from langgraph.types import Interrupt

from treadle.graph.encode import Encoder
from treadle.graph.translate import Translator, checkpoint_of

META = {"langgraph_node": "n"}


def translator(*modes: Any, subgraphs: bool = False) -> Translator:
    return Translator(modes, subgraphs, Encoder())


def shown(parts: list[tuple[str, str, bytes]]) -> list[tuple[str, str, Any]]:
    return [(mode, ns, orjson.loads(data)) for mode, ns, data in parts]


@pytest.mark.parametrize(
    ("modes", "asked"),
    [
        (["values"], ["values"]),
        (["values", "values", "updates"], ["values", "updates"]),
        (["messages"], ["messages"]),
        (["messages-tuple"], ["messages"]),
        (["messages", "messages-tuple"], ["messages"]),
        (["events"], []),
        (["metadata"], []),
        ([], []),
        (["debug", "tasks", "checkpoints", "custom"], ["tasks", "checkpoints", "custom", "debug"]),
    ],
)
def test_each_mode_asks_langgraph_for_what_it_needs(modes: Any, asked: list[str]) -> None:
    assert translator(*modes).langgraph_modes == asked


def test_a_mode_that_was_not_asked_for_gives_nothing() -> None:
    assert translator("updates").translate((), "values", {}) == []
    assert translator("messages").translate((), "events", {}) == []


@pytest.mark.parametrize("mode", ["values", "updates", "tasks", "checkpoints", "custom"])
def test_plain_modes_carry_data_and_namespace_as_they_are(mode: Any) -> None:
    parts = translator(mode, subgraphs=True).translate(("sub:1", "deep:2"), mode, {"a": (1,)})
    assert parts == [(mode, "sub:1|deep:2", b'{"a":[1]}')]


def test_interrupts_and_cached_results_keep_their_shapes() -> None:
    waiting = (Interrupt(value="q", id="i"),)
    both = translator("values", "updates")
    (update,) = shown(both.translate((), "updates", {"__interrupt__": waiting}))
    (state,) = shown(both.translate((), "values", {"n": 1, "__interrupt__": waiting}))
    interrupt = {"value": "q", "id": "i", "response_schema": None}
    assert update == ("updates", "", {"__interrupt__": [interrupt]})
    assert state == ("values", "", {"n": 1, "__interrupt__": [interrupt]})
    assert both.translate((), "updates", {"__interrupt__": ()}) == [("updates", "", b'{"__interrupt__":[]}')]
    cached = {"a": {"n": 1}, "__metadata__": {"cached": True}}
    assert shown(both.translate((), "updates", cached)) == [("updates", "", cached)]


def test_an_error_of_a_task_is_its_class_and_text() -> None:
    task = {"id": "1", "name": "n", "error": ValueError("bad"), "result": {}, "interrupts": []}
    assert shown(translator("tasks").translate((), "tasks", task))[0][2]["error"] == {
        "error": "ValueError",
        "message": "bad",
    }


def test_a_debug_checkpoint_names_its_checkpoints() -> None:
    sub = {"configurable": {"thread_id": "t", "checkpoint_ns": "sub:1"}}
    payload = {
        "config": {"configurable": {"thread_id": "t", "checkpoint_ns": "", "checkpoint_id": "c", "run_id": "r"}},
        "parent_config": None,
        "tasks": [{"id": "1", "state": sub}, {"id": "2", "state": None}],
    }
    data = {"type": "checkpoint", "payload": payload}
    ((_, _, got),) = shown(translator("debug").translate((), "debug", data))
    assert got["payload"] == {
        **payload,
        "tasks": [{"id": "1", "checkpoint": sub["configurable"]}, {"id": "2", "state": None}],
        "checkpoint": {"thread_id": "t", "checkpoint_ns": "", "checkpoint_id": "c"},
        "parent_checkpoint": None,
    }
    assert payload["tasks"][0]["state"] is sub  # type: ignore[index]
    other = {"type": "task", "payload": {"id": "1"}}
    assert shown(translator("debug").translate((), "debug", other)) == [("debug", "", other)]
    assert checkpoint_of(None) is None


def test_message_chunks_accumulate_and_are_announced_once() -> None:
    messages = translator("messages", subgraphs=True)
    calls: Any = [{"name": "t", "args": '{"a"', "id": "c", "index": 0}]
    more: Any = [{"name": None, "args": ": 1}", "id": None, "index": 0}]
    first = shown(
        messages.translate(("sub:1",), "messages", (AIMessageChunk("he", id="m", tool_call_chunks=calls), META))
    )
    assert first[0] == ("messages/metadata", "", {"m": {"metadata": META}})
    assert first[1][:2] == ("messages/partial", "")
    last = AIMessageChunk("y", id="m", tool_call_chunks=more, chunk_position="last")
    ((mode, ns, data),) = shown(messages.translate(("sub:1",), "messages", (last, META)))
    assert (mode, ns) == ("messages/partial", "")
    assert data[0]["content"] == "hey"
    assert data[0]["type"] == "ai"
    assert data[0]["tool_calls"] == [{"name": "t", "args": {"a": 1}, "id": "c", "type": "tool_call"}]
    assert "tool_call_chunks" not in data[0]


def test_messages_of_two_models_accumulate_apart() -> None:
    messages = translator("messages")
    for text in "ab":
        for name in ("x", "y"):
            parts = messages.translate((), "messages", (AIMessageChunk(text + name, id=name), META))
    assert orjson.loads(parts[-1][2])[0]["content"] == "ayby"


def test_a_whole_message_is_complete_unless_it_was_streamed() -> None:
    messages = translator("messages")
    whole = shown(messages.translate((), "messages", (ToolMessage("3", tool_call_id="c", id="t"), META)))
    assert [mode for mode, _, _ in whole] == ["messages/metadata", "messages/complete"]
    messages.translate((), "messages", (AIMessageChunk("x", id="m"), META))
    assert messages.translate((), "messages", (AIMessage("x", id="m"), META)) == []


def test_the_tuple_form_is_namespaced_and_wins_over_the_other() -> None:
    tuples = translator("messages", "messages-tuple", subgraphs=True)
    ((mode, ns, data),) = shown(tuples.translate(("agent:1",), "messages", (AIMessageChunk("x", id="m"), META)))
    assert (mode, ns) == ("messages", "agent:1")
    assert data[0]["type"] == "AIMessageChunk"
    assert data[1] == META


def test_events_never_carry_a_namespace() -> None:
    assert translator("events").translate(("sub:1",), "events", {"event": "e"}) == [("events", "", b'{"event":"e"}')]
