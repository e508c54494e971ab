"""No body and no query, however odd, gets a 500 from any route."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import inspect

from support.serving import Served, served
from treadle.http.app import operations

NOBODY = "00000000-0000-4000-8000-000000000000"
KNOWN = "11111111-0000-4000-8000-000000000000"
TABLE = operations()

TEXT = st.text(max_size=8) | st.sampled_from(
    [NOBODY, KNOWN, "chain", "abc", "\0", "a/b", "..", "*", "__proto__", "values"]
)
NUMBERS = st.integers(-(2**65), 2**65) | st.floats() | st.sampled_from([0, -1, 1, 2**31, 2**63, 2**64])
LEAVES = st.none() | st.booleans() | NUMBERS | TEXT
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
QUERY_TEXT = TEXT | st.sampled_from(["1", "0", "-1", "true", "[", '["a"]', "{}", '{"a":"\\u0000"}', "9" * 30])


SOME_NUMBERS = st.integers(0, 6).flatmap(lambda dice: st.integers(1, 20) if dice else NUMBERS)


def shaped(info: inspect.Type) -> st.SearchStrategy[Any]:
    """Mostly what the type allows, so that requests get past the checks; sometimes anything."""
    right: st.SearchStrategy[Any] = VALUES
    match info:
        case inspect.StructType(fields=fields):
            known = {field.encode_name: st.deferred(lambda field=field: shaped(field.type)) for field in fields}
            needed = {field.encode_name for field in fields if field.required}
            right = st.fixed_dictionaries(
                {name: known[name] for name in needed},
                optional={name: known[name] for name in known if name not in needed},
            )
        case inspect.UnionType(types=types):
            right = st.one_of([shaped(each) for each in types])
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            right = st.lists(shaped(item), max_size=3)
        case inspect.DictType(value_type=value):
            right = st.dictionaries(TEXT, shaped(value), max_size=3)
        case inspect.LiteralType(values=values):
            right = st.sampled_from(values)
        case inspect.StrType():
            right = st.sampled_from([KNOWN, "chain", "hil", "n0", "n", NOBODY]) | TEXT
        case inspect.IntType() | inspect.FloatType():
            right = SOME_NUMBERS
        case inspect.BoolType():
            right = st.booleans()
        case _:
            pass
    return st.integers(0, 40).flatmap(lambda dice: right if dice else VALUES)


def path_values(name: str) -> st.SearchStrategy[str]:
    usual = "chain" if name == "assistant_id" else KNOWN
    return st.integers(0, 4).flatmap(lambda dice: st.just(usual) if dice else TEXT.filter(bool))


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, bytes | None]:
    operation = draw(st.sampled_from(TABLE))
    segments = [
        quote(draw(path_values(segment[1:-1])), safe="") if segment.startswith("{") else segment
        for segment in operation.path.split("/")
    ]
    known = [parameter.name for parameter in operation.parameters if parameter.place == "query"]
    pairs = draw(st.lists(st.tuples(st.sampled_from([*known, "x"]), QUERY_TEXT), max_size=2))
    body = None
    if operation.body is not None:
        like = shaped(inspect.type_info(operation.body)).map(lambda value: json.dumps(value).encode())
        body = draw(st.integers(0, 20).flatmap(lambda dice: like if dice else st.binary(max_size=20)))
    return operation.method, f"{'/'.join(segments)}?{urlencode(pairs)}", body


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[asyncio.Runner, Served]]:
    data: Path = tmp_path_factory.mktemp("fuzz")
    with asyncio.Runner() as runner:
        context = served(data, cancel_seconds=0.5, drain_seconds=0.1)
        api = runner.run(context.__aenter__())
        yield runner, api
        runner.run(context.__aexit__(None, None, None))


async def fill(api: Served) -> None:
    """The thread that requests may name is there, unless an earlier one has left it busy."""
    body = {"thread_id": KNOWN, "if_exists": "do_nothing", "metadata": {"graph_id": "chain"}}
    thread = (await api.http.post("/threads", json=body)).json()
    if thread["status"] == "idle" and thread["values"] is None:
        await api.http.post(f"/threads/{KNOWN}/state", json={"values": {"n": ["in"]}, "as_node": "n0"})


# Graphs that draw random numbers do so between examples, on their own thread.
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(request=requests())
def test_no_request_gets_a_500(server: tuple[asyncio.Runner, Served], request: tuple[str, str, bytes | None]) -> None:
    runner, api = server
    runner.run(fill(api))
    with structlog.testing.capture_logs() as logs:
        status, text = runner.run(answer(api, *request))
    assert status < 500, (text, [log.get("exc_info") for log in logs])
    if status >= 400:
        error = json.loads(text)
        assert isinstance(error["detail"], str)
        assert isinstance(error["code"], str)


async def answer(api: Served, method: str, path: str, body: bytes | None) -> tuple[int, str]:
    """The status, and the text of what is not a stream or a wait."""
    async with asyncio.timeout(20), api.http.stream(method, path, content=body) as response:
        if response.status_code < 400:
            return response.status_code, ""
        return response.status_code, (await response.aread()).decode()
