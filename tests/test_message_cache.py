"""What was made of a message is used again while the message stays as it is, and never longer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from treadle.backends.checkpoints.messages import MessageSerializer
from treadle.graph.encode import Encoder
from treadle.message_cache import MessageCache


class Making:
    """Counts what is made; what is made is a picture of the whole message."""

    def __init__(self) -> None:
        self.made: list[Any] = []
        self.kept = MessageCache(self._make)

    def _make(self, message: Any) -> str:
        self.made.append(message)
        return repr(message.model_dump())


def conversation(length: int = 20) -> list[BaseMessage]:
    return [
        AIMessage(
            [{"type": "text", "text": f"{n}"}] if n % 4 else f"{n}",
            id=str(n),
            additional_kwargs={"deep": {"k": [n]}} if n % 3 else {},
            response_metadata={"tokens": 1, "done": True, "cost": 0.5},
            tool_calls=[{"name": "t", "args": {"a": {"b": [1]}}, "id": "c"}],
        )
        if n % 2
        else HumanMessage(f"{n}", id=str(n))
        for n in range(length)
    ]


def test_of_unchanged_messages_nothing_is_made_again() -> None:
    making, messages = Making(), conversation()
    first = making.kept.all(messages)
    assert making.kept.all(messages) == first == [repr(message.model_dump()) for message in messages]
    assert making.kept.all(messages[:7]) == first[:7]
    for _ in range(5):
        messages.append(SystemMessage("new"))
        assert making.kept.all(messages)[:20] == first
    assert len(making.made) == 25


def test_what_comes_before_a_change_is_kept() -> None:
    making, messages = Making(), conversation()
    making.kept.all(messages)
    del messages[12]
    making.kept.all(messages)
    messages[18] = HumanMessage("other", id=messages[18].id)
    making.kept.all(messages)
    assert len(making.made) == 20 + 7 + 1


def test_conversations_are_kept_side_by_side() -> None:
    making, one, other = Making(), conversation(), conversation()
    for _ in range(3):
        making.kept.all(one)
        making.kept.all(other)
    assert len(making.made) == 40


CHANGES: dict[str, Callable[[Any], None]] = {
    "content": lambda message: setattr(message, "content", "other"),
    "content in place": lambda message: message.content.append("more"),
    "block": lambda message: message.content[0].update(text="other"),
    "id": lambda message: setattr(message, "id", "other"),
    "name": lambda message: setattr(message, "name", "ada"),
    "an empty dict that is filled": lambda message: message.additional_kwargs.update(new=1),
    "a deep list": lambda message: message.additional_kwargs["deep"]["k"].append(2),
    "arguments of a call": lambda message: message.tool_calls[0]["args"]["a"]["b"].clear(),
    "a call": lambda message: message.tool_calls.append({"name": "u", "args": {}, "id": "d"}),
    "1 that becomes true": lambda message: message.response_metadata.update(tokens=True),
    "true that becomes 1": lambda message: message.response_metadata.update(done=1),
    "1 that becomes 1.0": lambda message: message.response_metadata.update(tokens=1.0),
    "a number that becomes none": lambda message: message.response_metadata.update(cost=float("nan")),
    "a key that goes": lambda message: message.response_metadata.pop("tokens"),
    "a field that is replaced by a like one": lambda message: setattr(message, "response_metadata", {"tokens": 2}),
    "a field that is replaced by one that only seems alike": lambda message: setattr(
        message, "response_metadata", {"tokens": True, "done": 1, "cost": 0.5}
    ),
    "an attribute of its own": lambda message: setattr(message, "more", {"a": 1}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_message_that_was_changed_in_place_is_made_anew(change: Callable[[Any], None]) -> None:
    for position in (1, 5, 19):
        making, messages = Making(), conversation()
        making.kept.all(messages)
        change(messages[position])
        assert making.kept.all(messages) == [repr(message.model_dump()) for message in messages]
        assert len(making.made) == 40 - position


def test_a_message_that_is_changed_while_it_is_made_is_made_anew() -> None:
    """As a node on another thread may do it."""
    messages = conversation()

    def make(message: Any) -> str:
        made = repr(message.model_dump())
        if not changed and message is messages[5]:
            changed.append(True)
            message.additional_kwargs["deep"]["k"].append("meanwhile")
        return made

    changed: list[bool] = []
    kept = MessageCache(make)
    assert "meanwhile" not in kept.all(messages)[5]
    assert "meanwhile" in kept.all(messages)[5]


def test_a_making_that_fails_leaves_what_was_made() -> None:
    messages, failing = conversation(), [True]

    def make(message: Any) -> str:
        if failing and message is messages[12]:
            raise ValueError("no")
        return repr(message.model_dump())

    kept = MessageCache(make)
    with pytest.raises(ValueError, match="no"):
        kept.all(messages)
    failing.clear()
    assert kept.all(messages) == kept.all(messages) == [repr(message.model_dump()) for message in messages]


def test_another_message_with_the_same_id_is_another() -> None:
    making, messages = Making(), conversation()
    making.kept.all(messages)
    messages[4] = HumanMessage("other", id=messages[4].id)
    assert making.kept.all(messages)[4] == repr(messages[4].model_dump())


def test_an_address_that_is_used_again_is_another_message() -> None:
    making = Making()
    for n in range(1_000):
        assert f"'{n}'" in making.kept.all([HumanMessage(str(n))])[0]


class Own(HumanMessage):
    """Of the user's own class."""


@pytest.mark.parametrize(
    "message",
    [
        Own("may say anything of itself"),
        ToolMessage("x", tool_call_id="c", artifact=np.zeros(2)),
        HumanMessage("x", additional_kwargs={"odd": object()}),
        HumanMessage("x", additional_kwargs={"odd": {1: "a key that is no text"}}),
        HumanMessage("x", additional_kwargs={"odd": float("nan")}),
    ],
    ids=["own class", "array", "object", "number as key", "nan"],
)
def test_what_may_change_unseen_is_made_each_time_and_no_other(message: BaseMessage) -> None:
    making, messages = Making(), conversation()
    messages[9] = message
    for _ in range(3):
        making.kept.all(messages)
    messages.append(HumanMessage("new"))
    making.kept.all(messages)
    assert len(making.made) == 20 + 3 + 1
    assert sum(made is message for made in making.made) == 4


@pytest.mark.parametrize("length", [0, 1, 8, 15, 16, 300, 70_000])
def test_a_conversation_is_packed_to_the_byte_as_langgraph_packs_it(length: int) -> None:
    serde = JsonPlusSerializer()
    messages = conversation(min(length, 300)) * (length // 300 or 1) if length > 300 else conversation(length)
    packed = MessageSerializer(serde).dumps(messages)
    assert packed == (serde.dumps_typed(messages) if len(messages) >= 8 else None)
    if packed is not None and length <= 300:
        assert serde.loads_typed(packed) == messages


def test_what_is_no_conversation_is_left_to_others() -> None:
    conversations = MessageSerializer(JsonPlusSerializer())
    for value in (None, {}, "x", [1] * 20, tuple(conversation()), [*conversation(), 1]):
        assert conversations.dumps(value) is None

    class Sealed(JsonPlusSerializer): ...

    assert MessageSerializer(Sealed()).dumps(conversation()) is None


changes = st.sampled_from([*CHANGES.values(), lambda message: None])


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(st.tuples(st.sampled_from(["append", "remove", "replace", "change"]), st.integers(0, 30), changes))
)
def test_whatever_becomes_of_a_conversation_it_is_shown_and_saved_as_it_is(
    steps: list[tuple[str, int, Callable[[Any], None]]],
) -> None:
    serde, messages = JsonPlusSerializer(), conversation(10)
    encoder, conversations = Encoder(), MessageSerializer(serde)
    for step, number, change in steps:
        position = number % max(1, len(messages))
        if step == "append":
            messages.append(conversation(number + 1)[-1])
        elif messages and step == "remove":
            del messages[position]
        elif messages and step == "replace":
            messages[position] = messages[position].model_copy(deep=True)
        elif messages and isinstance(messages[position], AIMessage) and isinstance(messages[position].content, list):
            with suppress(KeyError, IndexError, AttributeError):
                change(messages[position])
        assert encoder.encode_state({"messages": messages}) == Encoder().encode({"messages": messages})
        assert conversations.dumps(messages) in (None, serde.dumps_typed(messages))
