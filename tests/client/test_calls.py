"""What is sent, and how answers are read: the half of the client that does no I/O."""

from __future__ import annotations

import inspect
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import unquote

import httpx
import langgraph_sdk.client as official
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage

import treadle
from client.scripted import LOCATION, RUN, THREAD, Driver, Server, answer
from treadle import AsyncClient, ConfigError, RunFailed, UnprocessableError
from treadle.client import calls
from treadle.client.options import BatchItem, CallOptions, RunFields, RunOptions

BASE = httpx.URL("http://127.0.0.1:8123")
RUN_JSON = {
    "run_id": RUN,
    "thread_id": THREAD,
    "assistant_id": "0192f0c1-0000-7000-8000-0000000000bb",
    "created_at": "2026-11-22T10:00:00.000001+00:00",
    "updated_at": "2026-11-22T10:00:01+00:00",
    "status": "pending",
    "metadata": {},
    "kwargs": {"config": {"tags": ["t"]}},
    "multitask_strategy": "enqueue",
}

FOUND = {
    "graph_id": "agent",
    "available_at": "2026-11-22T10:00:00+00:00",
    "started_at": "2026-11-22T10:00:00+00:00",
    "finished_at": None,
    "duration_seconds": 1.5,
    "attempt": 1,
    "crashes": 0,
    "worker_id": None,
    "blocked_by": None,
    "cancelling": None,
    "priority": 0,
    "concurrency_key": None,
    "temporary": False,
    "trimmed": False,
    "stopped_at_interrupt": False,
    "tags": [],
    "error": None,
}


# --- paths -----------------------------------------------------------------------------------------------------------


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_an_id_is_one_path_segment_whatever_is_in_it(text: str) -> None:
    encoded = calls.segment(text)
    assert unquote(encoded) == text
    assert not set(encoded) & set("/.?#")
    sent = httpx.Request("GET", f"{BASE}/threads/{encoded}/runs").url.raw_path
    assert sent == f"/threads/{encoded}/runs".encode()


@pytest.mark.parametrize("url", ["127.0.0.1:8123", "ftp://host", "http://", "", "http://[::1"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="url"):
        AsyncClient(url)


# --- bodies ----------------------------------------------------------------------------------------------------------


def body(**options: Any) -> dict[str, Any]:
    made = calls.run_call("", "t", "agent", options)  # type: ignore[arg-type]
    return json.loads(made.content or b"")


def test_what_is_none_is_left_out_and_kwargs_come_last() -> None:
    assert body(input=None, config=None, webhook="http://w") == {"assistant_id": "agent", "webhook": "http://w"}
    assert body(input={"a": 1}, kwargs={"input": None, "x": 1}) == {"assistant_id": "agent", "input": None, "x": 1}
    assert body(command={"resume": "yes", "goto": None})["command"] == {"resume": "yes"}
    assert body(input={"a": None, "b": 0}, stream_subgraphs=False) == {
        "assistant_id": "agent",
        "input": {"a": None, "b": 0},
        "stream_subgraphs": False,
    }


def test_messages_and_models_may_be_sent() -> None:
    sent = body(input={"messages": [HumanMessage("hi")], "at": datetime(2026, 1, 1, tzinfo=UTC)})["input"]
    assert (sent["messages"][0]["type"], sent["messages"][0]["content"]) == ("human", "hi")
    assert sent["at"] == "2026-01-01T00:00:00Z"


def test_what_is_no_json_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(TypeError, match="a object cannot be sent as JSON"):
        body(input={"x": object()})


def test_the_deprecated_field_warns_and_is_still_sent() -> None:
    with pytest.warns(DeprecationWarning, match="durability"):
        assert body(checkpoint_during=False)["checkpoint_during"] is False


def test_an_option_nobody_knows_is_refused_with_the_nearest_name(driver: Driver) -> None:
    def call(client: Any) -> Any:
        return client.runs.create("t", "a", streem_mode="values")

    with pytest.raises(TypeError, match=r"unknown option 'streem_mode', did you mean 'stream_mode'\?"):
        driver.run("http://127.0.0.1:9", call)


OFFICIAL = official.RunsClient
NOT_OURS = {"version"}  # v2 parts: our events are typed in the first place


@pytest.mark.parametrize(
    "method",
    [
        "stream",
        "create",
        "wait",
        "create_batch",
        "list",
        "get",
        "cancel",
        "cancel_many",
        "join",
        "join_stream",
        "delete",
    ],
)
@pytest.mark.parametrize("client", [treadle.AsyncClient, treadle.Client])
def test_every_parameter_of_the_official_run_calls_is_taken(client: type, method: str) -> None:
    signature = inspect.signature(getattr(client().runs, method))  # type: ignore[attr-defined]
    named = set(signature.parameters)
    options = RunOptions if method in ("stream", "create", "wait") else CallOptions
    theirs = set(inspect.signature(getattr(OFFICIAL, method)).parameters) - {"self"}
    assert theirs - NOT_OURS <= named | set(options.__annotations__)


def test_a_batch_item_takes_what_a_run_takes() -> None:
    assert set(RunFields.__annotations__) < set(BatchItem.__annotations__)


# --- what goes over the wire -----------------------------------------------------------------------------------------


def sent(driver: Driver, make: Any, reply: Any, **options: Any) -> Any:
    """The request that a call makes."""
    with Server(answer(reply)) as server:
        driver.run(server.url, make, **options)
        return server.requests[0]


def test_a_run_is_created(driver: Driver) -> None:
    made: list[Any] = []
    with Server(answer(RUN_JSON)) as server:
        run = driver.run(
            server.url,
            lambda client: client.runs.create(
                "a/b", "agent", input={"x": 1}, on_run_created=made.append, headers={"X": "1"}
            ),
            api_key="k",
        )
        request = server.requests[0]
    assert (request.method, request.target) == ("POST", "/threads/a%2Fb/runs")
    assert json.loads(request.body) == {"assistant_id": "agent", "input": {"x": 1}}
    assert request.headers["x-api-key"] == "k"
    assert request.headers["x"] == "1"
    assert len(request.headers["idempotency-key"]) == 36
    assert run == treadle.Run(**{**RUN_JSON, "created_at": run.created_at, "updated_at": run.updated_at})
    assert run.created_at == datetime(2026, 11, 22, 10, 0, 0, 1, tzinfo=UTC)
    assert run.config == {"tags": ["t"]}
    assert made == [treadle.RunCreated(RUN, THREAD)]


def test_each_call_has_a_key_of_its_own_and_the_callers_is_kept(driver: Driver) -> None:
    first, second, third = (
        sent(driver, lambda client, h=headers: client.runs.create(None, "a", headers=h), RUN_JSON)
        for headers in (None, None, {"Idempotency-Key": "mine"})
    )
    assert first.headers["idempotency-key"] != second.headers["idempotency-key"]
    assert third.headers["idempotency-key"] == "mine"
    assert first.target == "/runs"


def test_a_batch_is_one_call(driver: Driver) -> None:
    items: list[BatchItem] = [{"assistant_id": "a", "input": 1}, {"assistant_id": "b", "config": {"tags": ["x"]}}]
    request = sent(driver, lambda client: client.runs.create_batch(items), [RUN_JSON, RUN_JSON])
    assert request.target == "/runs/batch"
    assert json.loads(request.body) == [
        {"assistant_id": "a", "input": 1},
        {"assistant_id": "b", "config": {"tags": ["x"]}},
    ]


def test_runs_are_listed_by_time_status_and_metadata(driver: Driver) -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))

    def call(client: Any) -> Any:
        return client.runs.list(
            "t", limit=5, status="success", metadata={"a": 1}, created_after=noon, created_before="2027"
        )

    query = httpx.URL(sent(driver, call, [RUN_JSON]).target).params
    assert dict(query) == {
        "limit": "5",
        "offset": "0",
        "status": "success",
        "metadata": '{"a":1}',
        "created_after": "2026-01-01T12:00:00+02:00",
        "created_before": "2027",
    }


def test_selected_columns_come_as_dicts(driver: Driver) -> None:
    with Server(answer([{"run_id": RUN}])) as server:
        rows = driver.run(server.url, lambda client: client.runs.list("t", select=["run_id", "status"]))
        assert httpx.URL(server.requests[0].target).params.get_list("select") == ["run_id", "status"]
    assert rows == [{"run_id": RUN}]


def test_a_time_without_a_zone_is_refused(driver: Driver) -> None:
    with pytest.raises(ValueError, match="created_after must have a time zone"):
        driver.run("http://127.0.0.1:9", lambda client: client.runs.list("t", created_after=datetime(2026, 1, 1)))


def test_runs_of_all_threads_are_searched_page_by_page(driver: Driver) -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    found = RUN_JSON | FOUND

    def call(client: Any) -> Any:
        return client.runs.search(
            status=["error", "timeout"], tags=["x"], created_after=noon, limit=5, after="there", headers={"X-A": "1"}
        )

    with Server(answer([found], x_pagination_next="here")) as server:
        page = driver.run(server.url, call)
        (request,) = server.requests
    assert json.loads(request.body) == {
        "status": ["error", "timeout"],
        "tags": ["x"],
        "created_after": "2026-01-01T12:00:00+00:00",
        "limit": 5,
        "after": "there",
    }
    assert request.headers["x-a"] == "1"
    assert (page.next, page.items[0].run_id, page.items[0].attempt, page.items[0].finished_at) == ("here", RUN, 1, None)


def test_the_last_page_says_so_and_columns_come_as_dicts(driver: Driver) -> None:
    with Server(answer([{"run_id": RUN}])) as server:
        page = driver.run(server.url, lambda client: client.runs.search(select=["run_id"]))
    assert (page.items, page.next) == ([{"run_id": RUN}], None)


def test_a_filter_nobody_knows_is_refused_with_the_nearest_name(driver: Driver) -> None:
    with pytest.raises(TypeError, match="did you mean 'status'"):
        driver.run("http://127.0.0.1:9", lambda client: client.runs.count(statu="error"))


def test_a_retry_has_a_key_so_that_it_can_be_repeated(driver: Driver) -> None:
    request = sent(driver, lambda client: client.runs.retry("t", "r"), RUN_JSON)
    assert (request.method, request.target) == ("POST", "/threads/t/runs/r/retry")
    assert request.headers["idempotency-key"]


@pytest.mark.parametrize(
    ("call", "method", "target", "content"),
    [
        (lambda c: c.runs.get("t", "r"), "GET", "/threads/t/runs/r", RUN_JSON),
        (lambda c: c.runs.delete("t", "r"), "DELETE", "/threads/t/runs/r", {}),
        (lambda c: c.runs.cancel("t", "r"), "POST", "/threads/t/runs/r/cancel?wait=0&action=interrupt", {}),
        (
            lambda c: c.runs.cancel("t", "..", wait=True, action="rollback"),
            "POST",
            "/threads/t/runs/%2E%2E/cancel?wait=1&action=rollback",
            {},
        ),
        (lambda c: c.runs.cancel_many(status="all"), "POST", "/runs/cancel?action=interrupt", {}),
        (lambda c: c.runs.join("t", "r"), "GET", "/threads/t/runs/r/join", {}),
        (lambda c: c.runs.join(None, "r"), "GET", "/runs/r/join", {}),
        (lambda c: c.runs.count(status="error"), "POST", "/runs/count", 3),
        (lambda c: c.runs.get("t", "r", params={"x": 1}), "GET", "/threads/t/runs/r?x=1", RUN_JSON),
        (lambda c: c.threads.delete("t"), "DELETE", "/threads/t", {}),
        (lambda c: c.threads.count(status="idle"), "POST", "/threads/count", 3),
        (lambda c: c.assistants.count(), "POST", "/assistants/count", 3),
        (lambda c: c.assistants.get_graph("agent", xray=2), "GET", "/assistants/agent/graph?xray=2", {}),
        (lambda c: c.assistants.get_schemas("agent"), "GET", "/assistants/agent/schemas", {}),
        (lambda c: c.assistants.delete("a", delete_threads=True), "DELETE", "/assistants/a?delete_threads=true", {}),
    ],
)
def test_calls_have_their_method_and_path(driver: Driver, call: Any, method: str, target: str, content: Any) -> None:
    request = sent(driver, call, content)
    assert (request.method, request.target) == (method, target)


def test_a_new_thread_gets_its_id_here_so_that_the_call_can_be_repeated(driver: Driver) -> None:
    now = "2026-11-22T10:00:00+00:00"
    thread = {"thread_id": "x", "created_at": now, "updated_at": now, "state_updated_at": now}
    thread |= {"metadata": {}, "status": "idle", "config": {}, "values": None}
    ours = json.loads(sent(driver, lambda c: c.threads.create(metadata={"a": 1}, graph_id="g"), thread).body)
    assert (ours["if_exists"], ours["metadata"]) == ("do_nothing", {"a": 1, "graph_id": "g"})
    assert len(ours["thread_id"]) == 36
    theirs = json.loads(sent(driver, lambda c: c.threads.create(thread_id="x"), thread).body)
    assert theirs == {"thread_id": "x"}


# --- where to resume -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "location", "target"),
    [
        ("http://h:1", "/runs/r/stream", "http://h:1/runs/r/stream"),
        ("http://h:1", "http://h:1/runs/r", "http://h:1/runs/r"),
        ("http://h", "http://h:80/runs/r", "http://h/runs/r"),
        ("http://h:1/api", "/runs/r", "http://h:1/api/runs/r"),
        ("http://h:1/api", "/api/runs/r", "http://h:1/api/runs/r"),
        ("http://h:1", "http://h:2/runs/r", None),
        ("http://h:1", "https://h:1/runs/r", None),
        ("http://h:1", "//evil/runs/r", None),
        ("http://h:1", "http://evil/runs/r", None),
        ("http://h:1", "http://h:1@evil/runs/r", None),
        ("http://h:1", "http://[", None),
    ],
)
def test_a_location_is_followed_only_on_the_same_server(base: str, location: str, target: str | None) -> None:
    assert calls.on_server(calls.address(base), location) == target


@pytest.mark.parametrize(
    ("header", "run"),
    [
        (LOCATION, treadle.RunCreated(RUN, THREAD)),
        (f"/runs/{RUN}", treadle.RunCreated(RUN)),
        ("/threads/a%2Fb/runs/r", treadle.RunCreated("r", "a/b")),
        (f"/api{LOCATION}", treadle.RunCreated(RUN, THREAD)),
        ("/threads/x", None),
        ("", None),
    ],
)
def test_content_location_names_the_run(header: str, run: Any) -> None:
    assert calls.created(httpx.Response(200, headers={"content-location": header})) == run


def test_without_a_location_the_run_itself_says_where_to_go_on() -> None:
    first = calls.run_call("stream", "t", "a", {"headers": {"authorization": "b"}}, headers=calls.EVENTS_HEADER)
    response = httpx.Response(200, headers={"content-location": LOCATION})
    resume = calls.resumed(first, response, BASE, "stream")
    assert resume is not None
    assert (resume.method, resume.path, resume.content) == ("GET", f"{BASE}{LOCATION}/stream", None)
    assert resume.headers["treadle-events"] == "1"
    assert resume.headers["authorization"] == "b"
    assert not {"idempotency-key", "content-type"} & set(resume.headers)


# --- errors ----------------------------------------------------------------------------------------------------------

MADE = calls.Call(method="GET", path="/x")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b'{"error":"e","detail":"d","message":"m"}', "m"),
        (b'{"error":"e","detail":"d"}', "d"),
        (b'{"error":"e"}', "e"),
        (b'{"detail":[{"loc":["a"]}]}', '[{"loc":["a"]}]'),
        (b"<html>Bad", "<html>Bad"),
        (b"", "HTTP 418"),
        (b"[1]", "[1]"),
    ],
)
def test_an_errors_text_is_the_message_the_detail_or_the_error(content: bytes, text: str) -> None:
    assert calls.api_error(418, content, MADE).detail == text


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 429, 500, 503, 418, 599])
def test_each_status_has_its_class(status: int) -> None:
    error = calls.api_error(status, b'{"detail":"d","field":"input","status":1,"request":2}', MADE)
    assert (error.status, error.request, error.data) == (status, "GET /x", {"field": "input"})
    assert isinstance(error, treadle.errors.error_for_status(status))


def test_an_answer_that_is_an_error_is_raised_with_its_data(driver: Driver) -> None:
    reply = {"detail": "config.tags: must be a list", "code": "unprocessable", "field": "config.tags"}
    with (
        Server(answer(reply, "422 Unprocessable Entity")) as server,
        pytest.raises(UnprocessableError, match="must be a list") as raised,
    ):
        driver.run(server.url, lambda client: client.runs.cancel("t", "r"))
    assert raised.value.data == {"field": "config.tags"}
    assert (raised.value.run_id, raised.value.request) == ("r", "POST /threads/t/runs/r/cancel")


def test_an_answer_of_another_shape_is_a_decode_error(driver: Driver) -> None:
    with Server(answer({"hello": 1})) as server, pytest.raises(treadle.DecodeError, match="missing required field"):
        driver.run(server.url, lambda client: client.runs.get("t", "r"))


def test_an_error_envelope_is_the_runs_failure_or_the_answer_to_the_call() -> None:
    run = treadle.RunCreated("r", "t")
    failure = calls.envelope_error({"__error__": {"error": "ValueError", "message": "boom"}}, run, MADE)
    assert isinstance(failure, RunFailed)
    assert (failure.error, failure.message, failure.run_id, failure.thread_id) == ("ValueError", "boom", "r", "t")
    refusal = calls.envelope_error(
        {"__error__": {"error": "HTTPException", "message": "404: Run not found"}}, run, MADE
    )
    assert isinstance(refusal, treadle.NotFoundError)
    assert (refusal.detail, refusal.run_id) == ("Run not found", "r")
    assert calls.envelope_error({"__error__": "a state key"}, run, MADE) is None
    assert calls.envelope_error([1], run, MADE) is None
