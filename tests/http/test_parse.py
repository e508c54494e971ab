"""Bodies and queries: what is understood, and what is refused with the name of the field and what is allowed."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams
from starlette.requests import Request

from treadle.errors import APIError, BadRequestError, TooLargeError, UnprocessableError
from treadle.http import parse
from treadle.model import STREAM_MODES, AssistantSearch, RunCreate, ThreadCreate, ThreadSearch

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def refused(data: bytes, type: Any = RunCreate) -> dict[str, Any]:
    with pytest.raises(APIError) as caught:
        parse.decode(data, type)
    return {"status": caught.value.status, **caught.value.body()}


def run_body(**fields: Any) -> bytes:
    return json.dumps({"assistant_id": "chain", **fields}).encode()


# --- bodies


def test_a_body_becomes_a_model_object_and_unknown_fields_are_ignored() -> None:
    found = parse.decode(run_body(input={"n": [1]}, assistantId="chain", config={"tags": ["a"], "bogus": 1}), RunCreate)
    assert (found.assistant_id, found.input) == ("chain", {"n": [1]})
    assert found.config is not None
    assert found.config.tags == ["a"]


def test_an_explicit_null_means_the_default() -> None:
    names = [field.name for field in msgspec.structs.fields(RunCreate) if field.name != "assistant_id"]
    assert parse.decode(run_body(**dict.fromkeys(names)), RunCreate) == RunCreate(assistant_id="chain")


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"config": {"recursion_limit": "x"}}, "config.recursion_limit", "expected `int | null`, got `str`"),
        ({"config": {"tags": "x"}}, "config.tags", "array"),
        ({"config": {"tags": [1]}}, "config.tags[0]", "expected `str`"),
        ({"metadata": "x"}, "metadata", "object"),
        ({"stream_mode": "nope"}, "stream_mode", "allowed: checkpoints, custom, debug"),
        ({"stream_mode": ["values", "nope"]}, "stream_mode[1]", "'nope'"),
        ({"stream_mode": 5}, "stream_mode", "got `int`"),
        ({"multitask_strategy": "x"}, "multitask_strategy", "allowed: enqueue, interrupt, reject, rollback"),
        ({"on_disconnect": "x"}, "on_disconnect", "allowed: cancel, continue"),
        ({"interrupt_before": "node"}, "interrupt_before", "allowed: *"),
        ({"stream_subgraphs": "x"}, "stream_subgraphs", "bool"),
        ({"after_seconds": True}, "after_seconds", "`bool`"),
        ({"command": {"bogus": 1}}, "command.bogus", "allowed: goto, resume, update"),
        ({"command": {"goto": [{"node": 1}]}}, "command.goto[0].node", "expected `str`"),
        ({"command": {"update": [["a"]]}}, "command.update[0]", "length 2"),
        ({"checkpoint": "x"}, "checkpoint", "object"),
        ({"feedback_keys": "x"}, "feedback_keys", "array"),
        ({"langsmith_tracer": "x"}, "langsmith_tracer", "object"),
    ],
)
def test_a_bad_field_is_named_with_what_is_allowed(fields: dict[str, Any], field: str, says: str) -> None:
    answer = refused(run_body(**fields))
    assert (answer["status"], answer["field"]) == (422, field)
    assert answer["detail"].startswith(f"{field}: ")
    assert says in answer["detail"]


def test_a_missing_field_is_named() -> None:
    assert refused(b"{}")["field"] == "assistant_id"
    assert refused(b'[{"assistant_id":"a"},{}]', list[RunCreate])["field"] == "[1].assistant_id"


def test_a_mixed_goto_is_understood() -> None:
    found = parse.decode(run_body(command={"goto": ["a", {"node": "b", "input": 1}]}), RunCreate)
    assert found.command is not None
    assert isinstance(found.command.goto, list)
    assert [target if isinstance(target, str) else target.node for target in found.command.goto] == ["a", "b"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"{",
        b"nope",
        b"\xff",
        b'"\xff"',
        b"{}{}",
        b"NaN",
        b'{"assistant_id":"a","input":NaN}',
        b'{"assistant_id":"a","input":Infinity}',
        b'{"assistant_id":"a","input":"\\ud800"}',
        b'{"assistant_id":"a","input":"\\udc00"}',
        b'{"assistant_id":"a","input":1e999}',
        b'{"assistant_id":"a","input":%b}' % (b"9" * 30),
        b'{"assistant_id":"a","input":-%b}' % (b"9" * 5000),
        b'{"assistant_id":"a","in\x00put":1}',
    ],
)
def test_what_is_not_json_is_unprocessable(data: bytes) -> None:
    answer = refused(data)
    assert answer["status"] == 422
    assert answer["detail"].startswith("Invalid JSON in request body")


def test_a_body_of_another_kind_is_unprocessable() -> None:
    assert refused(b"[1]")["detail"] == "request body: expected `object`, got `array`"
    assert refused(b"null")["status"] == 422


@pytest.mark.parametrize("depth", [300, 1_000, 100_000])
@pytest.mark.parametrize("pair", [b"[]", b'{"a":}'])
def test_json_nested_too_deeply_is_a_bad_request(depth: int, pair: bytes) -> None:
    data = b'{"assistant_id":"a","input":%b1%b}' % (pair[:-1] * depth, pair[-1:] * depth)
    with pytest.raises(BadRequestError, match="Recursion limit reached"):
        parse.decode(data, RunCreate)


def test_json_of_two_hundred_levels_is_fine() -> None:
    parse.decode(b'{"assistant_id":"a","input":%b1%b}' % (b"[" * 200, b"]" * 200), RunCreate)


def test_duplicate_keys_and_nul_are_read() -> None:
    found = parse.decode(b'{"assistant_id":"a","assistant_id":"b","input":"\\u0000"}', RunCreate)
    assert (found.assistant_id, found.input) == ("b", "\0")


@given(
    type=st.sampled_from([RunCreate, list[RunCreate], ThreadCreate, ThreadSearch, AssistantSearch]),
    value=JSON_VALUES
    | st.dictionaries(st.sampled_from([*RunCreate.__struct_fields__, *ThreadSearch.__struct_fields__]), JSON_VALUES),
)
def test_any_json_is_read_or_refused_and_what_was_read_can_be_written(type: Any, value: Any) -> None:
    try:
        found = parse.decode(json.dumps(value).encode(), type)
    except (UnprocessableError, BadRequestError) as error:
        orjson.dumps(error.body())
    else:
        orjson.dumps(msgspec.to_builtins(found))


@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        parse.decode(data, RunCreate)
    except (UnprocessableError, BadRequestError) as error:
        orjson.dumps(error.body())


# --- reading


def request(chunks: list[bytes], *, length: str | None = None) -> tuple[Request, list[bytes]]:
    """A request whose body comes in chunks, and the list of those not yet taken."""
    left = list(chunks)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    headers = [] if length is None else [(b"content-length", length.encode())]
    return Request({"type": "http", "method": "POST", "headers": headers, "path": "/"}, receive), left  # type: ignore[arg-type]


def test_a_body_of_exactly_the_limit_is_read() -> None:
    body, _ = request([b"12", b"345"])
    assert asyncio.run(parse.read(body, limit=5)) == b"12345"


def test_a_body_over_the_limit_is_refused_before_its_end() -> None:
    body, left = request([b"123"] * 10)
    with pytest.raises(TooLargeError) as caught:
        asyncio.run(parse.read(body, limit=5))
    assert caught.value.data == {"limit": 5}
    assert len(left) == 8


@pytest.mark.parametrize("length", ["6", "1" * 40])
def test_an_announced_length_over_the_limit_is_refused_unread(length: str) -> None:
    body, left = request([b"123"], length=length)
    with pytest.raises(TooLargeError):
        asyncio.run(parse.read(body, limit=5))
    assert len(left) == 1


@pytest.mark.parametrize("length", ["-1", "x", "", "\u0663"])
def test_a_nonsense_length_is_ignored(length: str) -> None:
    body, _ = request([b"{}"])
    body.scope["headers"] = [(b"content-length", length.encode())]
    assert asyncio.run(parse.read(body, limit=5)) == b"{}"


# --- queries


def query(text: str) -> parse.Query:
    return parse.Query(QueryParams(text))


@pytest.mark.parametrize(
    "text",
    [
        "m=values&m=custom",
        'm=["values","custom"]',
        "m=%5B%22values%22%2C%22custom%22%5D",
        "m=values,custom",
        "m=values, custom",
    ],
)
def test_a_list_is_understood_in_three_spellings(text: str) -> None:
    assert query(text).items("m") == ["values", "custom"]
    assert query(text).choices("m", STREAM_MODES) == ["values", "custom"]


def test_absent_and_empty_lists() -> None:
    assert query("").items("m") is None
    assert query("m=").items("m") == []
    assert query("m=[]").items("m") == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("m=nope", "m: must be one of values, updates"),
        ("m=values,nope", "is 'nope'"),
        ('m=["values"', "m: must be a JSON array of strings"),
        ("m=[1]", "m: must be a JSON array of strings"),
    ],
)
def test_a_list_that_is_not_allowed_is_refused(text: str, says: str) -> None:
    with pytest.raises(UnprocessableError) as caught:
        query(text).choices("m", STREAM_MODES)
    assert says in caught.value.detail
    assert caught.value.data == {"field": "m"}


@pytest.mark.parametrize(("text", "number"), [("", 10), ("limit=0", 0), ("limit=007", 7), ("limit=1000", 1000)])
def test_integers(text: str, number: int) -> None:
    assert query(text).integer("limit", 10, most=1000) == number


@pytest.mark.parametrize("text", ["abc", "", "1.0", "-1", "1001", "1" * 5000, "\u0663", "0x1", "1_0", " 1", "+1"])
def test_bad_integers_are_refused(text: str) -> None:
    with pytest.raises(UnprocessableError, match="limit: must be an integer from 0 to 1000"):
        parse.Query(QueryParams([("limit", text)])).integer("limit", 10, most=1000)


@pytest.mark.parametrize(
    ("text", "flag"),
    [("", False), ("w=1", True), ("w=true", True), ("w=True", True), ("w=0", False), ("w=false", False)],
)
def test_flags(text: str, flag: bool) -> None:
    assert query(text).flag("w") is flag


@pytest.mark.parametrize("text", ["w=", "w=maybe", "w=2"])
def test_bad_flags_are_refused(text: str) -> None:
    with pytest.raises(UnprocessableError, match="w: must be true, false, 1 or 0"):
        query(text).flag("w")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-22T10:00:00+00:00", datetime(2026, 11, 22, 10, tzinfo=UTC)),
        ("2026-11-22T10:00:00.000001Z", datetime(2026, 11, 22, 10, 0, 0, 1, tzinfo=UTC)),
        ("2026-11-22T12:00:00 02:00", datetime(2026, 11, 22, 10, tzinfo=UTC)),
        ("2026-11-22T10:00:00", datetime(2026, 11, 22, 10, tzinfo=UTC)),
        ("2026-11-22", datetime(2026, 11, 22, tzinfo=UTC)),
    ],
)
def test_times(text: str, moment: datetime) -> None:
    assert parse.Query(QueryParams([("t", text)])).moment("t") == moment


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-13-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
)
def test_bad_times_are_refused(text: str) -> None:
    with pytest.raises(UnprocessableError, match="t: must be an ISO 8601 date and time"):
        parse.Query(QueryParams([("t", text)])).moment("t")


def test_json_objects() -> None:
    assert query('m={"a":[1]}').object("m") == {"a": [1]}
    assert query("").object("m") is None
    for text in ("m=", "m=[]", "m={", 'm="x"'):
        with pytest.raises(UnprocessableError, match="m: must be a JSON object"):
            query(text).object("m")


@pytest.mark.parametrize("text", ["abc", "", "%00", "0" * 31, "019af000-0000-7000-8000-00000000000g"])
def test_an_id_that_is_no_uuid_is_refused(text: str) -> None:
    with pytest.raises(UnprocessableError) as caught:
        parse.uuid_text(text, "thread")
    assert caught.value.body() == {
        "detail": "Invalid thread ID: must be a UUID",
        "code": "unprocessable",
        "field": "thread_id",
    }


def test_an_id_is_made_canonical() -> None:
    assert parse.uuid_text("019AF000000070008000000000000001", "run") == "019af000-0000-7000-8000-000000000001"
