from __future__ import annotations

import enum
import math
import uuid
from collections import OrderedDict, UserDict, deque, namedtuple
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import msgspec
import numpy as np
import orjson
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    HumanMessageChunk,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.types import Command, Interrupt, Send

from treadle.graph.encode import Encoder, describe_error, safe_repr


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Name(str, enum.Enum):  # noqa: UP042 the older way of writing it
    ADA = "ada"


class Point(msgspec.Struct):
    x: int
    label: str | None = None


class Model(pydantic.BaseModel):
    n: int
    secret: pydantic.SecretStr = pydantic.SecretStr("hidden")
    raw: bytes = b"\xff"


@dataclass
class Box:
    inner: Any
    tags: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Slim:
    a: int


Pair = namedtuple("Pair", ["left", "right"])


class Hostile:
    def __repr__(self) -> str:
        raise ValueError("no repr")


class HostileError(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


class HostileModel(pydantic.BaseModel):
    value: Any = None

    @pydantic.field_serializer("value")
    def fail(self, value: Any) -> Any:
        raise RuntimeError("no serializer")


def plain(value: Any) -> Any:
    return Encoder().plain(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": 1, "b": [None, True, 1.5, "é"]}, {"a": 1, "b": [None, True, 1.5, "é"]}),
        ((1, 2), [1, 2]),
        ({3}, [3]),
        (frozenset({"x"}), ["x"]),
        (deque([1, 2]), [1, 2]),
        (range(3), [0, 1, 2]),
        (OrderedDict(a=1), {"a": 1}),
        (UserDict(a=1), {"a": 1}),
        (b"\x00\xff", "AP8="),
        (bytearray(b"hi"), "aGk="),
        (Colour.RED, "red"),
        (Level.LOW, 1),
        (Name.ADA, "ada"),
        (datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), "2026-01-02T03:04:05.000006+00:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (timedelta(minutes=1.5), 90.0),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Decimal("1.10"), "1.10"),
        (PurePosixPath("/a/b"), "/a/b"),
        (ValueError("bad"), {"error": "ValueError", "message": "bad"}),
        (Point(1), {"x": 1, "label": None}),
        (Model(n=1), {"n": 1, "secret": "SecretStr('**********')", "raw": "/w=="}),
        (Box(Point(2), {"t"}), {"inner": {"x": 2, "label": None}, "tags": ["t"]}),
        (Slim(1), {"a": 1}),
        (Pair(1, Colour.RED), {"left": 1, "right": "red"}),
        (Send("node", {"a": 1}), {"node": "node", "arg": {"a": 1}}),
        (Interrupt(value="q", id="i"), {"value": "q", "id": "i", "response_schema": None}),
        (Command(goto="n"), {"graph": None, "update": None, "resume": None, "goto": "n"}),
        (
            Document("text", metadata={"k": 1}),
            {"id": None, "metadata": {"k": 1}, "page_content": "text", "type": "Document"},
        ),
        (np.float32(1.5), 1.5),
        (np.arange(3), [0, 1, 2]),
        (int, "builtins.int"),
        (math.nan, None),
        (math.inf, None),
        (2**70, 2**70),
        (-(2**63), -(2**63)),
        ("\ud800", "\\ud800"),
        ({2: "a", None: "b", 1.5: "c", True: "d"}, {"2": "a", "null": "b", "1.5": "c", "true": "d"}),
        (
            {(1, 2): "t", Colour.RED: "e", uuid.UUID(int=1): "u"},
            {"(1, 2)": "t", "red": "e", str(uuid.UUID(int=1)): "u"},
        ),
        ({"\ud800": 1}, {"\\ud800": 1}),
        (msgspec.Raw(b'{"a":1}'), {"a": 1}),
    ],
)
def test_a_value_becomes_json(value: Any, expected: Any) -> None:
    assert plain(value) == expected
    assert plain({"nested": [value]}) == {"nested": [expected]}


def test_what_nobody_can_encode_is_shown_as_its_repr() -> None:
    assert plain(object()).startswith("<object object at")
    assert plain(Hostile()).startswith("<test_encode.Hostile object at") or "Hostile object" in plain(Hostile())
    assert plain(HostileError())["error"] == "HostileError"
    assert plain(HostileModel(value=3)) == {"value": 3}
    assert plain(iter([1])).startswith("<list_iterator")
    assert len(safe_repr("x" * 10_000)) < 3_000


def test_deep_and_circular_values_are_cut_not_refused() -> None:
    deep: Any = []
    for _ in range(5_000):
        deep = [deep]
    circular: dict[str, Any] = {"messages": [HumanMessage("hi", id="1")]}
    circular["self"] = circular
    assert isinstance(plain(deep), list)
    assert plain(circular)["messages"][0]["content"] == "hi"


def test_numbers_too_long_for_decimal_digits_are_written_in_hex() -> None:
    assert plain(10**5_000) == hex(10**5_000)


def test_errors_are_described_by_class_and_text() -> None:
    assert describe_error(KeyError("k")) == {"error": "KeyError", "message": "'k'"}
    assert describe_error(HostileError())["error"] == "HostileError"


MESSAGES = [
    HumanMessage("hi", id="h", additional_kwargs={"a": 1}, extra_field=[1]),
    HumanMessage([{"type": "text", "text": "hi"}], name="ann"),
    AIMessage("", tool_calls=[{"name": "add", "args": {"a": 1}, "id": "c1"}], usage_metadata=None),
    AIMessage("x", usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}),
    AIMessageChunk("x", id="c", tool_call_chunks=[{"name": "t", "args": "{", "id": "1", "index": 0}]),
    HumanMessageChunk("x"),
    SystemMessage("s"),
    ToolMessage("3", tool_call_id="c1", artifact={"k": [1]}, status="error"),
    FunctionMessage("3", name="f"),
    ChatMessage("3", role="r"),
    RemoveMessage(id="gone"),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_messages_have_the_shape_that_pydantic_gives_them(message: Any) -> None:
    dumped = orjson.loads(orjson.dumps(message.model_dump()))
    assert orjson.loads(Encoder().encode(message)) == dumped
    assert list(orjson.loads(Encoder().encode(message))) == list(dumped)


def test_a_message_of_the_users_own_class_is_dumped_as_it_says() -> None:
    class Loud(HumanMessage):
        @pydantic.field_serializer("content")
        def shout(self, content: Any) -> Any:
            return str(content).upper()

    assert plain(Loud("hi"))["content"] == "HI"


def _set_content(message: AIMessage) -> None:
    message.content = "other"


def _set_id(message: AIMessage) -> None:
    message.id = "other"


def _add_kwarg(message: AIMessage) -> None:
    message.additional_kwargs["deep"]["k"].append(1)


def _change_tool_call(message: AIMessage) -> None:
    message.tool_calls[0]["args"]["a"] = 2


def _add_extra(message: AIMessage) -> None:
    message.model_extra["more"] = 2  # type: ignore[index]


@pytest.mark.parametrize("change", [_set_content, _set_id, _add_kwarg, _change_tool_call, _add_extra])
def test_a_message_changed_in_place_is_encoded_anew(change: Any) -> None:
    message = AIMessage(
        "hi",
        id="1",
        additional_kwargs={"deep": {"k": []}},
        tool_calls=[{"name": "t", "args": {"a": 1}, "id": "c"}],
        given=1,
    )
    encoder, others = Encoder(), [HumanMessage(str(n), id=str(n)) for n in range(10)]
    talk = [*others, message]
    states = (
        [message],
        {"messages": talk},
        {"values": {"messages": talk}},
        {"payload": {"values": {"messages": talk}}},
    )
    for state in states:
        encoder.encode_state(state)
    change(message)
    for state in states:
        assert encoder.encode_state(state) == Encoder().encode(state)
    now = orjson.loads(orjson.dumps(message.model_dump()))
    assert encoder.plain({"messages": talk})["messages"][-1] == now


def test_a_message_whose_own_code_fails_is_shown_all_the_same() -> None:
    class Failing(HumanMessage):
        def model_dump(self, **kwargs: Any) -> Any:
            raise RuntimeError("no dump")

    talk = [*(HumanMessage(str(n)) for n in range(9)), Failing("x")]
    shown = orjson.loads(Encoder().encode_state({"messages": talk}))
    assert shown["messages"] == [plain(message) for message in talk]


def test_a_message_that_cannot_be_compared_is_never_kept() -> None:
    message = ToolMessage("x", tool_call_id="c", artifact=np.zeros(2))
    encoder = Encoder()
    encoder.encode(message)
    message.artifact[0] = 1
    assert encoder.plain(message)["artifact"] == [1.0, 0.0]


def test_an_id_that_is_used_again_is_another_message() -> None:
    encoder = Encoder()
    for n in range(1_000):
        assert encoder.plain([AIMessage(str(n))])[0]["content"] == str(n)


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(exclude_categories=[])),
    st.binary(),
    st.datetimes(),
    st.timedeltas(),
    st.uuids(),
    st.decimals(),
    st.complex_numbers(),
    st.sampled_from([Colour.RED, Level.LOW, Name.ADA, HostileError(), object(), len, int, np.int8(3)]),
    st.builds(Hostile),
    st.builds(HumanMessage, st.text(), id=st.none() | st.text()),
    st.builds(HostileModel),
)
keys = st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.booleans(), st.tuples(st.integers()), st.binary())
states = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(keys, inner, max_size=4),
        st.builds(Box, inner),
        st.builds(Pair, inner, inner),
        st.builds(Send, st.text(), inner),
        st.builds(Interrupt, inner),
        st.builds(lambda value: AIMessage("x", additional_kwargs={"v": value}), inner),
    ),
    max_leaves=12,
)


@given(states)
@settings(max_examples=300, deadline=None)
def test_any_state_is_encoded_as_one_line_of_json(state: Any) -> None:
    encoder = Encoder()
    encoded = encoder.encode(state)
    orjson.loads(encoded)
    assert b"\n" not in encoded
    assert encoder.encode(state) == encoded
