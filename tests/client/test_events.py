"""Frames become typed events."""

from __future__ import annotations

import dataclasses
import json
import typing
from datetime import UTC, datetime
from typing import Any, TypedDict, get_args

import msgspec
import pydantic
import pytest

import treadle
from treadle import (
    CustomEvent,
    DecodeError,
    EndEvent,
    ErrorEvent,
    GapEvent,
    MessagesEvent,
    MessagesMetadataEvent,
    MessagesTupleEvent,
    MetadataEvent,
    UnknownEvent,
    UpdatesEvent,
    ValuesEvent,
)
from treadle.client.events import CLASSES, EventDecoder
from treadle.sse import Frame


def frame(event: str, data: Any, id: str | None = "1700000000123-7") -> Frame:
    return Frame(event, json.dumps(data).encode(), id)


def decode(event: str, data: Any, **types: Any) -> Any:
    return EventDecoder(**types).decode(frame(event, data))


@pytest.mark.parametrize("name", CLASSES)
def test_every_event_name_has_its_class(name: str) -> None:
    data: Any = [{"content": "a"}, {}] if name.startswith("messages") else {"x": 1}
    event = decode(f"{name}|sub:1|deep:2", data)
    assert type(event) is CLASSES[name]
    assert (event.event, event.id, event.namespace) == (name, "1700000000123-7", ("sub:1", "deep:2"))
    assert event.timestamp == datetime(2023, 11, 14, 22, 13, 20, 123000, tzinfo=UTC)


def test_stream_event_is_the_union_of_all_classes() -> None:
    members = {typing.get_origin(member) or member for member in get_args(treadle.StreamEvent)}
    assert members == {*CLASSES.values(), UnknownEvent}


def test_an_event_without_an_id_has_no_timestamp() -> None:
    event = EventDecoder().decode(frame("gap", {"error": "gap", "message": "gone", "first_seq": 12}, id=None))
    assert isinstance(event, GapEvent)
    assert (event.id, event.timestamp, event.data["first_seq"]) == (None, None, 12)


def test_an_event_nobody_knows_is_still_delivered() -> None:
    assert decode("feedback", {"k": "url"}) == UnknownEvent({"k": "url"}, "feedback", "1700000000123-7")


def test_the_tags_of_the_run_are_on_every_event_after_the_metadata() -> None:
    decoder = EventDecoder()
    first = decoder.decode(frame("metadata", {"run_id": "r", "attempt": 1, "tags": ["a", "b"]}))
    second = decoder.decode(frame("metadata", {"run_id": "r", "attempt": 2}))
    assert isinstance(first, MetadataEvent)
    assert isinstance(second, MetadataEvent)
    assert first.tags == second.tags == decoder.decode(frame("custom", 1)).tags == ("a", "b")
    assert second.data == {"run_id": "r", "attempt": 2, "tags": ["a", "b"]}


def test_events_are_made_for_match() -> None:
    seen: list[Any] = []
    for event in (
        decode("values", {"progress": 3}),
        decode("custom", ["x"]),
        decode("error", {"error": "ValueError", "message": "boom"}),
        decode("end", {"run_id": "r", "status": "error"}),
        decode("messages", [{"content": "a"}, {"langgraph_node": "n"}]),
    ):
        match event:
            case ValuesEvent({"progress": progress}):
                seen.append(progress)
            case CustomEvent(data=[item]):
                seen.append(item)
            case ErrorEvent(error="ValueError", message=message):
                seen.append(message)
            case EndEvent(status="error", run_id=run_id):
                seen.append(run_id)
            case MessagesTupleEvent((chunk, metadata)):
                seen.append((chunk["content"], metadata["langgraph_node"]))
    assert seen == [3, "x", "boom", "r", ("a", "n")]


def test_messages_come_in_three_forms() -> None:
    partial, complete = decode("messages/partial", [{"id": "m"}]), decode("messages/complete", [{"id": "m"}])
    assert isinstance(partial, MessagesEvent)
    assert (partial.complete, complete.complete) == (False, True)
    assert isinstance(decode("messages/metadata", {"m": {"metadata": {}}}), MessagesMetadataEvent)


def test_interrupts_stand_apart_and_stay_in_untyped_data() -> None:
    waiting = [{"value": "ok?", "id": "i"}]
    values, updates = (
        decode("values", {"a": 1, "__interrupt__": waiting}),
        decode("updates", {"__interrupt__": waiting}),
    )
    assert values.interrupts == updates.interrupts == waiting
    assert values.data["__interrupt__"] == updates.data["__interrupt__"] == waiting
    assert decode("values", {"a": 1}).interrupts == []


def test_events_cannot_be_changed() -> None:
    event = decode("custom", 1)
    with pytest.raises(AttributeError):
        event.data = 2


class Step(TypedDict):
    progress: int
    log: list[str]


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Metric(msgspec.Struct):
    name: str
    at: datetime


class Warned(pydantic.BaseModel):
    text: str
    level: int = 1


class Failed(pydantic.BaseModel):
    code: int


@pytest.mark.parametrize(
    ("kind", "sent", "got"),
    [
        (Step, {"progress": 1, "log": ["a"]}, {"progress": 1, "log": ["a"]}),
        (Point, {"x": 1}, Point(1, 0)),
        (Metric, {"name": "n", "at": "2026-01-02T03:04:05Z"}, Metric("n", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))),
        (Warned, {"text": "t"}, Warned(text="t")),
        (list[Warned], [{"text": "t"}], [Warned(text="t")]),
        (dict[int, Point], {"1": {"x": 2}}, {1: Point(2)}),
        (Warned | Failed, {"code": 3}, Failed(code=3)),
        (int | None, None, None),
    ],
)
def test_data_is_decoded_into_the_types_asked_for(kind: Any, sent: Any, got: Any) -> None:
    assert decode("custom", sent, custom_type=kind).data == got
    assert decode("updates", {"node": sent}, update_type=kind).data == {"node": got}
    if isinstance(sent, dict):
        assert decode("values", sent, state_type=kind).data == got


@pytest.mark.parametrize("kind", [Step, Point, Metric, Warned, Warned | Failed, int])
def test_data_that_does_not_fit_is_an_error_that_names_the_event(kind: Any) -> None:
    with pytest.raises(DecodeError, match=r"event custom 1700000000123-7: the data does not fit .+"):
        decode("custom", "no", custom_type=kind)


def test_a_type_nothing_can_decode_into_says_so() -> None:
    class Opaque: ...

    with pytest.raises(
        DecodeError, match="Opaque is not a TypedDict, a dataclass, a msgspec Struct or a pydantic model"
    ):
        decode("custom", {}, custom_type=Opaque)
    with pytest.raises(TypeError):
        EventDecoder(custom_type=Opaque | Point | Step)


def test_a_type_whose_annotations_cannot_be_resolved_says_so() -> None:
    class Unknown(TypedDict):
        x: Nowhere  # noqa: F821  # type: ignore[name-defined]

    for types in ({"state_type": Unknown}, {"custom_type": Unknown}):
        with pytest.raises(TypeError, match=r"Nowhere.+top of a module"):
            EventDecoder(**types)


def test_a_state_may_lack_keys_no_node_has_written_yet_but_not_have_wrong_ones() -> None:
    assert decode("values", {"progress": 1}, state_type=Step).data == {"progress": 1}
    with pytest.raises(DecodeError, match=r"\$\.progress"):
        decode("values", {"progress": "much"}, state_type=Step)
    with pytest.raises(DecodeError, match="log"):
        decode("custom", {"progress": 1}, custom_type=Step)


def test_a_typed_state_has_its_interrupts_beside_it() -> None:
    class Strict(msgspec.Struct, forbid_unknown_fields=True):
        a: int

    event = decode("values", {"a": 1, "__interrupt__": [{"id": "i"}]}, state_type=Strict)
    assert (event.data, event.interrupts) == (Strict(1), [{"id": "i"}])


def test_updates_that_are_no_nodes_updates_are_left_as_they_are() -> None:
    sent = {"node": {"x": 1}, "quiet": None, "__interrupt__": [], "__metadata__": {"cached": True}}
    event = decode("updates", sent, update_type=Point)
    assert isinstance(event, UpdatesEvent)
    assert event.data == sent | {"node": Point(1)}


def test_a_graphs_own_message_state_can_be_asked_for() -> None:
    from langgraph.graph import MessagesState

    event = decode("values", {"messages": [{"type": "human", "content": "hi"}]}, state_type=MessagesState)
    assert [message.content for message in event.data["messages"]] == ["hi"]


def test_data_that_is_not_json_is_an_error() -> None:
    with pytest.raises(DecodeError, match="event values"):
        EventDecoder().decode(Frame("values", b"{", "1-1"))
