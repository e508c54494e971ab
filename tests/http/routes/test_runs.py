"""The runs endpoints: what each request field does, what each error says, how lists are filtered."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support import shapes
from support.server import Running, running
from treadle.model import RunCreate

NOBODY = "5b1f0a52-7a9c-4f0e-9d43-0c6e6f0d9a11"
CHAIN = {"assistant_id": "chain", "input": {"n": []}}
CREATING = ("", "/stream", "/wait")


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", CREATING)
@pytest.mark.parametrize("stateless", [True, False])
@pytest.mark.parametrize(
    ("body", "status", "detail", "field"),
    [
        ({"assistant_id": NOBODY}, 404, "Thread or assistant not found.", None),
        ({"assistant_id": "nope"}, 422, "Invalid assistant: 'nope'. Must be either:", None),
        ({"assistant_id": None}, 422, "assistant_id", "assistant_id"),
        ({"assistant_id": 7}, 422, "assistant_id", "assistant_id"),
        ({"stream_mode": "nope"}, 422, "stream_mode", "stream_mode"),
        ({"stream_mode": ["values", "nope"]}, 422, "stream_mode", "stream_mode"),
        ({"stream_mode": ["tools"]}, 422, "stream_mode", "stream_mode"),
        ({"stream_mode": "lifecycle"}, 422, "stream_mode", "stream_mode"),
        ({"stream_subgraphs": "yes"}, 422, "stream_subgraphs", "stream_subgraphs"),
        ({"stream_resumable": 1}, 422, "stream_resumable", "stream_resumable"),
        ({"metadata": "x"}, 422, "metadata", "metadata"),
        ({"config": []}, 422, "config", "config"),
        ({"config": {"recursion_limit": "x"}}, 422, "config.recursion_limit", "config.recursion_limit"),
        ({"config": {"recursion_limit": 0}}, 422, "config.recursion_limit", "config.recursion_limit"),
        ({"config": {"tags": "x"}}, 422, "config.tags", "config.tags"),
        ({"config": {"tags": [1]}}, 422, "config.tags", "config.tags"),
        ({"config": {"configurable": 1}}, 422, "config.configurable", "config.configurable"),
        ({"context": "x"}, 422, "context", "context"),
        ({"context": {"a": 1}, "config": {"configurable": {"b": 1}}}, 400, "Cannot specify both configurable", None),
        ({"checkpoint_id": "x"}, 422, "Invalid checkpoint ID", "checkpoint_id"),
        ({"checkpoint": {"checkpoint_id": "x"}}, 422, "Invalid checkpoint ID", "checkpoint.checkpoint_id"),
        ({"checkpoint": "x"}, 422, "checkpoint", "checkpoint"),
        ({"interrupt_before": "n0"}, 422, "interrupt_before", "interrupt_before"),
        ({"interrupt_after": 5}, 422, "interrupt_after", "interrupt_after"),
        ({"multitask_strategy": "nope"}, 422, "multitask_strategy", "multitask_strategy"),
        ({"if_not_exists": "nope"}, 422, "if_not_exists", "if_not_exists"),
        ({"after_seconds": "x"}, 422, "after_seconds", "after_seconds"),
        ({"after_seconds": 1e300}, 422, "after_seconds", "after_seconds"),
        ({"durability": "nope"}, 422, "durability", "durability"),
        ({"on_disconnect": "nope"}, 422, "on_disconnect", "on_disconnect"),
        ({"on_completion": "nope"}, 422, "on_completion", "on_completion"),
        ({"feedback_keys": "x"}, 422, "feedback_keys", "feedback_keys"),
        ({"langsmith_tracer": "x"}, 422, "langsmith_tracer", "langsmith_tracer"),
        ({"strict_resume": "x"}, 422, "strict_resume", "strict_resume"),
        ({"command": {"nope": 1}}, 422, "command", "command.nope"),
        ({"command": {"goto": 5}}, 422, "command.goto", "command.goto"),
        ({"command": {"goto": {"input": 5}}}, 422, "command.goto", "command.goto.node"),
        ({"command": "x"}, 422, "command", "command"),
    ],
)
async def test_a_bad_field_is_refused_by_name(
    serving: Running, route: str, stateless: bool, body: Any, status: int, detail: str, field: str | None
) -> None:
    path = "/runs" if stateless else f"/threads/{await serving.thread()}/runs"
    answer = await serving.http.post(path + route, json={**CHAIN, **body})
    assert answer.status_code == status, answer.text
    said = answer.json()
    assert said["detail"].startswith(detail)
    if field is not None:
        assert said["field"].startswith(field)
    if detail.startswith("Invalid assistant"):
        assert "chain, chat" in said["detail"]


@pytest.mark.parametrize("route", CREATING)
@pytest.mark.parametrize(
    ("thread_id", "status", "detail"),
    [(NOBODY, 404, "Thread or assistant not found."), ("abc", 422, "Invalid thread ID: must be a UUID")],
)
async def test_a_run_needs_a_thread(serving: Running, route: str, thread_id: str, status: int, detail: str) -> None:
    answer = await serving.http.post(f"/threads/{thread_id}/runs{route}", json=CHAIN)
    assert (answer.status_code, answer.json()["detail"]) == (status, detail)


@pytest.mark.parametrize("path", ["/runs", "/runs/stream", "/runs/wait", "/runs/batch", "/runs/cancel"])
@pytest.mark.parametrize(
    ("content", "status", "detail"),
    [
        (b"", 422, "Invalid JSON in request body"),
        (b"{bad", 422, "Invalid JSON in request body"),
        (b"\xff\xfe", 422, "Invalid JSON in request body"),
        (b"5", 422, "request body"),
        (b"[[]]", 422, ""),
        (b"[" * 300 + b"]" * 300, 400, "Recursion limit reached"),
        (b'{"assistant_id":"chain","input":' + b"[" * 3000 + b"]" * 3000 + b"}", 400, "Recursion limit reached"),
    ],
)
async def test_a_body_that_is_no_request_is_refused(
    serving: Running, path: str, content: bytes, status: int, detail: str
) -> None:
    answer = await serving.http.post(path, content=content)
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"].startswith(detail)


@pytest.mark.parametrize(
    ("method", "path", "status", "detail"),
    [
        ("GET", f"/threads/{NOBODY}/runs", 404, f"Thread with ID {NOBODY} not found"),
        ("GET", "/threads/abc/runs", 422, "Invalid thread ID: must be a UUID"),
        ("GET", f"/threads/{NOBODY}/runs/{NOBODY}", 404, f"Thread with ID {NOBODY} not found"),
        ("GET", f"/threads/{NOBODY}/runs/abc", 422, "Invalid run ID: must be a UUID"),
        ("DELETE", f"/threads/{NOBODY}/runs/{NOBODY}", 404, "Run not found"),
        ("GET", f"/threads/{NOBODY}/runs/{NOBODY}/join", 404, "Run not found"),
        ("GET", f"/threads/{NOBODY}/runs/{NOBODY}/stream", 404, "Run not found"),
        ("GET", f"/runs/{NOBODY}/join", 404, "Run not found"),
        ("GET", f"/runs/{NOBODY}/stream", 404, "Run not found"),
        ("POST", f"/threads/{NOBODY}/runs/{NOBODY}/cancel", 404, "No runs found to cancel."),
        ("POST", f"/threads/{NOBODY}/runs/{NOBODY}/cancel?wait=maybe", 422, "wait: "),
        (
            "POST",
            f"/threads/{NOBODY}/runs/{NOBODY}/cancel?action=explode",
            422,
            "action: must be one of interrupt, rollback",
        ),
        ("GET", f"/threads/{NOBODY}/runs/{NOBODY}/stream?cancel_on_disconnect=x", 404, "Run not found"),
    ],
)
async def test_what_is_not_there_is_a_404(serving: Running, method: str, path: str, status: int, detail: str) -> None:
    answer = await serving.http.request(method, path)
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"].startswith(detail)


async def test_a_run_of_another_thread_is_not_there(serving: Running) -> None:
    run = (await serving.run("chain", {"n": []})).rpartition("/")[2]
    other = await serving.thread()
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/join"), ("GET", "/stream"), ("POST", "/cancel")):
        answer = await serving.http.request(method, f"/threads/{other}/runs/{run}{path}")
        assert answer.status_code == 404, (method, path)


async def test_a_body_over_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(10_000):
            yield b" " * 1_000

    async with running(tmp_path, max_body_bytes=20_000) as server:
        began = time.monotonic()
        for path in ("/runs", "/runs/stream", "/runs/wait", "/runs/batch", "/runs/cancel", "/threads"):
            announced = await server.http.post(path, content=b"x" * 20_001)
            streamed = await server.http.post(path, content=endless())
            assert announced.status_code == streamed.status_code == 413
            assert "20000" in announced.json()["detail"]
        assert time.monotonic() - began < 5
        assert (await server.http.post("/runs/wait", json=CHAIN)).status_code == 200


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
bodies = st.fixed_dictionaries(
    {"assistant_id": st.just("chain") | json_values},
    optional={
        name: json_values for name in RunCreate.__struct_fields__ if name not in ("assistant_id", "after_seconds")
    },
)


# Runs go on in the background, and LangGraph draws ids: the strategies have no part in that.
@pytest.mark.filterwarnings("ignore:Do not use the .random. module")
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=bodies | json_values, stateless=st.booleans(), route=st.sampled_from([*CREATING, "/batch", "/cancel"]))
async def test_no_body_however_odd_gets_a_500(serving: Running, body: Any, stateless: bool, route: str) -> None:
    path = "/runs" if stateless or route in ("/batch", "/cancel") else f"/threads/{await serving.thread()}/runs"
    content = json.dumps([body] if route == "/batch" else body)
    answer = await serving.http.post(path + route, content=content.encode("utf-8", "surrogatepass"))
    assert answer.status_code in (200, 204, 400, 404, 422), answer.text
    if answer.status_code >= 400:
        assert answer.json()["detail"]


# --- what the fields do -----------------------------------------------------------------------------------------------


async def test_on_a_busy_thread_reject_is_a_conflict_on_every_route(server: Running) -> None:
    thread_id = await server.thread()
    path = await server.run("sleeper", {"delay": 30}, thread_id=thread_id)
    for route in CREATING:
        body = {**CHAIN, "multitask_strategy": "reject"}
        answer = await server.http.post(f"/threads/{thread_id}/runs{route}", json=body)
        assert answer.status_code == 409
        assert answer.json()["detail"] == (
            "Thread is already running a task. Wait for it to finish or choose a different multitask strategy."
        )
    assert (await server.http.post(f"{path}/cancel", params={"wait": 1})).status_code == 200
    await server.post(f"/threads/{thread_id}/runs/wait", {**CHAIN, "multitask_strategy": "reject"})


@pytest.mark.parametrize("route", CREATING)
@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
async def test_a_run_may_supersede_on_every_route(server: Running, strategy: str, route: str) -> None:
    thread_id = await server.thread()
    old = await server.run("sleeper", {"delay": 30, "steps": ["old"]}, thread_id=thread_id)
    async with server.reading(old) as reader:
        await reader.holds(2)
        queued = await server.run("sleeper", {"delay": 30}, thread_id=thread_id)
        body = {"assistant_id": "sleeper", "input": {"delay": 0}, "multitask_strategy": strategy}
        answer = await server.http.post(f"/threads/{thread_id}/runs{route}", json=body)
        assert answer.status_code == 200, answer.text
        await reader.rest()
    new = answer.headers["content-location"]
    assert await server.ended(new) == "success"
    statuses = [(await server.http.get(path)).json().get("status") for path in (old, queued)]
    assert statuses == (["interrupted"] * 2 if strategy == "interrupt" else [None, None])
    values = (await server.get(f"/threads/{thread_id}/state"))["values"]
    assert values["steps"] == (["old", "a", "b"] if strategy == "interrupt" else ["a", "b"])


async def test_enqueued_runs_go_one_after_the_other(server: Running) -> None:
    thread_id = await server.thread()
    paths = [
        await server.run("chain", {"n": [mark]}, thread_id=thread_id, multitask_strategy="enqueue")
        for mark in ("a", "b", "c")
    ]
    assert [await server.ended(path) for path in paths] == ["success"] * 3
    values = (await server.get(f"/threads/{thread_id}/state"))["values"]
    assert values["n"] == ["a", 0, 1, 2, "b", 0, 1, 2, "c", 0, 1, 2]


@pytest.mark.parametrize(("field", "next"), [("interrupt_before", ["n1"]), ("interrupt_after", ["n2"])])
@pytest.mark.parametrize("nodes", [["n1"], "*"])
async def test_interrupts_before_and_after(serving: Running, field: str, next: list[str], nodes: Any) -> None:
    thread_id = await serving.thread()
    await serving.post(f"/threads/{thread_id}/runs/wait", {**CHAIN, field: nodes})
    state = await serving.get(f"/threads/{thread_id}/state")
    if nodes == ["n1"]:
        assert state["next"] == next
    else:
        assert state["next"] == (["n0"] if field == "interrupt_before" else ["n1"])
    assert (await serving.get(f"/threads/{thread_id}"))["status"] == "interrupted"
    body = await serving.post(f"/threads/{thread_id}/runs/wait", {"assistant_id": "chain", "input": None})
    assert body == {"n": [0, 1, 2]}


async def test_a_run_goes_on_from_the_checkpoint_it_names(serving: Running) -> None:
    thread_id = await serving.thread()
    await serving.post(f"/threads/{thread_id}/runs/wait", CHAIN)
    history = await serving.get(f"/threads/{thread_id}/history", params={"limit": 10})
    earlier = next(state for state in history if state["next"] == ["n1"])["checkpoint"]["checkpoint_id"]
    for fork in (
        {"checkpoint_id": earlier},
        {"checkpoint": {"checkpoint_id": earlier, "checkpoint_ns": ""}},
        {"config": {"configurable": {"checkpoint_id": earlier}}},
    ):
        body = {"assistant_id": "chain", "input": {"n": ["forked"]}, **fork}
        assert (await serving.post(f"/threads/{thread_id}/runs/wait", body))["n"][:2] == [0, "forked"]
    assert len(await serving.get(f"/threads/{thread_id}/history", params={"limit": 50})) > len(history)


async def test_after_seconds_delays_a_run_and_no_other(serving: Running) -> None:
    thread_id = await serving.thread()
    began = time.monotonic()
    late = await serving.run("chain", {"n": ["late"]}, thread_id=thread_id, after_seconds=0.6)
    soon = await serving.run("chain", {"n": ["soon"]}, thread_id=thread_id, after_seconds=-1)
    assert await serving.ended(soon) == "success"
    assert (await serving.get(late))["status"] == "pending"
    assert (await serving.get(f"/threads/{thread_id}"))["status"] == "busy"
    assert await serving.ended(late) == "success"
    assert 0.5 < time.monotonic() - began < 5
    assert (await serving.get(f"/threads/{thread_id}/state"))["values"]["n"][0] == "soon"


@pytest.mark.parametrize(
    ("given", "checkpoints"),
    [({}, 5), ({"durability": "sync"}, 5), ({"durability": "exit"}, 1), ({"checkpoint_during": False}, 1)],
)
async def test_durability(serving: Running, given: Any, checkpoints: int) -> None:
    thread_id = await serving.thread()
    await serving.post(f"/threads/{thread_id}/runs/wait", {**CHAIN, **given})
    assert len(await serving.get(f"/threads/{thread_id}/history", params={"limit": 50})) == checkpoints


@pytest.mark.parametrize("route", CREATING)
async def test_if_not_exists_makes_the_thread(serving: Running, route: str) -> None:
    thread_id = str(uuid.uuid4())
    body = {**CHAIN, "if_not_exists": "create", "metadata": {"z": 1}}
    answer = await serving.http.post(f"/threads/{thread_id}/runs{route}", json=body)
    assert answer.status_code == 200, answer.text
    await serving.ended(answer.headers["content-location"])
    thread = await serving.get(f"/threads/{thread_id}")
    assert (thread["metadata"]["z"], thread["values"]) == (1, {"n": [0, 1, 2]})


@pytest.mark.parametrize("route", CREATING)
@pytest.mark.parametrize("graph", ["chain", "boom"])
@pytest.mark.parametrize("keep", [True, False])
async def test_a_temporary_thread_goes_unless_it_is_kept(serving: Running, route: str, graph: str, keep: bool) -> None:
    body = {"assistant_id": graph, "input": {"n": []}, "on_completion": "keep" if keep else "delete"}
    answer = await serving.http.post(f"/runs{route}", json=body)
    run_id = answer.headers["content-location"].rpartition("/")[2]
    await serving.get(f"/runs/{run_id}/join")
    if route != "/stream":
        thread_id = answer.json()["thread_id"] if route == "" else answer.headers["content-location"].split("/")[2]
        status = 200 if keep else 404
        assert (await serving.http.get(f"/threads/{thread_id}")).status_code == status
        assert (await serving.http.get(f"/threads/{thread_id}/runs/{run_id}")).status_code == status
    if route == "":
        assert answer.json()["kwargs"]["temporary"] is not keep


async def test_commands(serving: Running) -> None:
    thread_id = await serving.thread()
    wait = f"/threads/{thread_id}/runs/wait"
    await serving.post(wait, {"assistant_id": "goto", "input": {"n": []}})
    run = {"assistant_id": "goto"}
    assert (await serving.post(wait, {**run, "command": {"goto": "y"}}))["n"] == ["x", "y"]
    assert (await serving.post(wait, {**run, "command": {"update": {"n": ["u"]}}}))["n"] == ["x", "y", "u"]
    pairs = {"update": [["n", ["p"]]]}
    assert (await serving.post(wait, {**run, "command": pairs}))["n"] == ["x", "y", "u", "p"]
    mixed = {"goto": [{"node": "y", "input": {"n": []}}, "x"]}
    assert (await serving.post(wait, {**run, "command": mixed, "input": {"n": ["ignored"]}}))["n"][4:] == ["x", "y"]


async def test_an_interrupt_is_answered_and_strict_resume_wants_one(serving: Running) -> None:
    thread_id = await serving.thread()
    wait = f"/threads/{thread_id}/runs/wait"
    asked = await serving.post(wait, {"assistant_id": "hil", "input": {"log": []}})
    (interrupt,) = asked["__interrupt__"]
    thread = await serving.get(f"/threads/{thread_id}")
    assert thread["status"] == "interrupted"
    assert list(thread["interrupts"].values()) == [[{"id": interrupt["id"], "value": {"question": "ok?"}}]]
    wrong = {"assistant_id": "hil", "command": {"resume": {"0" * 32: "yes"}}, "strict_resume": True}
    assert (await serving.post(wait, wrong))["__error__"]["error"] == "UnknownInterruptError"
    right = {"assistant_id": "hil", "command": {"resume": {interrupt["id"]: "yes"}}, "strict_resume": True}
    answered = await serving.post(wait, right)
    assert answered == {"log": ["before", "ask", "after"], "answer": "yes"}


async def test_a_recursion_limit_ends_a_run(serving: Running) -> None:
    body = {"assistant_id": "loop", "input": {"n": []}, "config": {"recursion_limit": 4}}
    said = await serving.post("/runs/wait", body)
    assert said["__error__"]["error"] == "GraphRecursionError"


async def test_a_webhook_that_must_not_be_reached_is_refused(serving: Running) -> None:
    answer = await serving.http.post("/runs", json={**CHAIN, "webhook": "https://127.0.0.1/hook"})
    assert (answer.status_code, answer.json()["field"]) == (422, "webhook")


async def test_what_was_asked_is_kept_on_the_run(serving: Running) -> None:
    asked = {
        "assistant_id": "chain",
        "input": {"n": ["in"]},
        "config": {"tags": ["t"], "recursion_limit": 9, "metadata": {"c": 1}},
        "context": {"k": "v"},
        "metadata": {"m": 1},
        "stream_mode": ["values", "values", "debug"],
        "stream_subgraphs": True,
        "stream_resumable": True,
        "interrupt_before": ["n9"],
        "interrupt_after": ["n8"],
        "feedback_keys": ["f"],
        "multitask_strategy": "interrupt",
        "durability": "sync",
    }
    thread_id = await serving.thread()
    run = await serving.post(f"/threads/{thread_id}/runs", asked)
    kept = run["kwargs"]
    assert run["multitask_strategy"] == "interrupt"
    assert run["metadata"]["m"] == 1
    assert (kept["stream_mode"], kept["subgraphs"], kept["resumable"]) == (["values", "debug"], True, True)
    assert (kept["interrupt_before"], kept["interrupt_after"]) == (["n9"], ["n8"])
    assert (kept["feedback_keys"], kept["durability"], kept["temporary"]) == (["f"], "sync", False)
    assert (kept["config"]["tags"], kept["config"]["recursion_limit"]) == (["t"], 9)
    assert (kept["config"]["metadata"]["c"], kept["context"]) == (1, {"k": "v"})
    assert kept["config"]["configurable"]["k"] == "v"


def rows_of(server: Running, table: str) -> int:
    return shapes.rows(server.runtime.settings.data, f"SELECT count(*) FROM {table}")[0][0]


# --- many at once, lists, cancels -------------------------------------------------------------------------------------


async def test_a_batch_is_made_whole_or_not_at_all(serving: Running) -> None:
    items = [{**CHAIN, "metadata": {"i": i}} for i in range(5)]
    runs = await serving.post("/runs/batch", items)
    assert [run["metadata"]["i"] for run in runs] == list(range(5))
    assert len({run["thread_id"] for run in runs}) == 5
    for run in runs:
        assert await serving.get(f"/runs/{run['run_id']}/join") == {"n": [0, 1, 2]}
    before = await asyncio.to_thread(rows_of, serving, "runs")
    for bad in ([*items, {"assistant_id": "nope"}], [*items, {"input": {}}], [], {}, [5]):
        assert (await serving.http.post("/runs/batch", json=bad)).status_code == 422
    assert await asyncio.to_thread(rows_of, serving, "runs") == before


async def test_the_fields_of_a_batch_may_be_spelt_as_javascript_does(serving: Running) -> None:
    item = {**CHAIN, "assistantId": "nope", "streamMode": ["updates"], "interruptBefore": ["n1"]}
    (run,) = await serving.post("/runs/batch", [{**item, "onCompletion": "keep"}])
    assert (run["kwargs"]["stream_mode"], run["kwargs"]["interrupt_before"]) == (["updates"], ["n1"])
    assert await serving.get(f"/threads/{run['thread_id']}/runs/{run['run_id']}/join") == {"n": [0]}
    answer = await serving.http.post("/runs/batch", json=[{**CHAIN, "multitaskStrategy": "bogus"}])
    assert (answer.status_code, answer.json()["field"]) == (422, "[0].multitask_strategy")


@pytest.mark.parametrize(
    "spelt",
    [
        [("select", "run_id"), ("select", "status")],
        [("select", '["run_id","status"]')],
        [("select", "run_id,status")],
        [("select", "run_id, status")],
    ],
)
async def test_columns_are_picked_however_the_list_is_spelt(serving: Running, spelt: Any) -> None:
    path = await serving.run("chain", {"n": []})
    await serving.ended(path)
    runs = await serving.get(path.rpartition("/")[0], params=spelt)
    assert runs == [{"run_id": path.rpartition("/")[2], "status": "success"}]


async def test_runs_are_listed_newest_first_and_filtered(serving: Running) -> None:
    thread_id = await serving.thread()
    runs: list[Any] = []
    for i in range(5):
        graph = "boom" if i == 3 else "chain"
        path = await serving.run(
            graph, {"n": []}, thread_id=thread_id, metadata={"i": i, "deep": {"even": i % 2 == 0, "x": 1}}
        )
        await serving.ended(path)
        runs.append(await serving.get(path))

    async def listed(**query: Any) -> list[int]:
        return [run["metadata"]["i"] for run in await serving.get(f"/threads/{thread_id}/runs", params=query)]

    assert await listed() == [4, 3, 2, 1, 0]
    assert await listed(limit=2) == [4, 3]
    assert await listed(limit=2, offset=3) == [1, 0]
    assert await listed(limit=0) == []
    assert await listed(status="error") == [3]
    assert await listed(status="pending") == []
    assert await listed(metadata=json.dumps({"deep": {"even": True}})) == [4, 2, 0]
    assert await listed(metadata=json.dumps({"deep": {"even": True}, "i": 2})) == [2]
    assert await listed(metadata=json.dumps({"nope": 1})) == []
    assert await listed(created_after=runs[1]["created_at"]) == [4, 3, 2]
    assert await listed(created_before=runs[1]["created_at"]) == [0]
    assert await listed(created_after=runs[0]["created_at"], created_before=runs[3]["created_at"]) == [2, 1]
    day = datetime.now(UTC) - timedelta(days=1)
    assert await listed(created_after=day.isoformat(), status="success") == [4, 2, 1, 0]
    assert await listed(created_before=day.strftime("%Y-%m-%dT%H:%M:%SZ")) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "abc"),
        ("limit", "-1"),
        ("limit", "1e3"),
        ("offset", "-1"),
        ("status", "nope"),
        ("metadata", "{"),
        ("metadata", "[]"),
        ("created_after", "yesterday"),
        ("created_before", "2026-13-01T00:00:00Z"),
        ("select", "nope"),
        ("select", '["run_id"'),
    ],
)
async def test_a_filter_that_means_nothing_is_refused(serving: Running, name: str, value: str) -> None:
    answer = await serving.http.get(f"/threads/{await serving.thread()}/runs", params={name: value})
    assert answer.status_code == 422, answer.text
    assert answer.json()["field"] == name


async def test_cancelling(server: Running) -> None:
    thread_id = await server.thread()
    running_run = await server.run("sleeper", {"delay": 30, "steps": ["in"]}, thread_id=thread_id)
    queued = await server.run("sleeper", {"delay": 30}, thread_id=thread_id)
    async with server.reading(running_run) as reader:
        await reader.holds(2)
    answer = await server.http.post(f"{queued}/cancel")
    assert (answer.status_code, answer.content) == (202, b"")
    assert await server.ended(queued) == "interrupted"
    assert (await server.get(running_run))["status"] == "running"
    answer = await server.http.post(f"{running_run}/cancel", params={"wait": "true"})
    assert (answer.status_code, answer.json()) == (200, {})
    assert answer.headers["location"] == f"{running_run}/join"
    assert answer.headers["content-location"] == running_run
    assert (await server.get(running_run))["status"] == "interrupted"
    assert await server.get(f"{running_run}/join") == {"delay": 30, "steps": ["in"]}
    thread = await server.get(f"/threads/{thread_id}")
    assert thread["status"] == "interrupted"
    assert thread["error"]["error"] == "UserInterrupt"
    assert (await server.get(f"/threads/{thread_id}/state"))["next"] == ["a"]
    answer = await server.http.post(f"{running_run}/cancel")
    assert (answer.status_code, answer.json()["detail"][:27]) == (404, "No matching runs to cancel.")


async def test_a_cancelled_run_says_that_its_input_was_taken_up_by_another(server: Running) -> None:
    path = await server.run("sleeper", {"delay": 30})
    async with server.reading(path) as reader:
        await reader.holds(2)
    for query in ({"reason": "bored"}, {"reason": "taken", "action": "rollback"}):
        answer = await server.http.post(f"{path}/cancel", params=query)
        assert (answer.status_code, answer.json()["field"]) == (422, "reason")
    assert (await server.http.post(f"{path}/cancel", params={"reason": "taken", "wait": "1"})).status_code == 200
    thread = await server.get(path.partition("/runs/")[0])
    assert thread["error"]["message"].startswith("taken:")


async def test_a_tracer_names_the_session_of_a_run_and_calls_nobody(server: Running) -> None:
    path = await server.run("chain", {"n": []}, langsmith_tracer={"project_name": "mine", "example_id": None})
    assert await server.ended(path) == "success"
    assert (await server.get(path))["langsmith_session_name"] == "mine"
    answer = await server.http.post("/runs", json={**CHAIN, "langsmith_tracer": {"project_name": 5}})
    assert (answer.status_code, answer.json()["field"]) == (422, "langsmith_tracer.project_name")


async def test_cancelling_many(server: Running) -> None:
    thread_id = await server.thread()
    paths = [await server.run("sleeper", {"delay": 30}, thread_id=thread_id) for _ in range(3)]
    ids = [path.rpartition("/")[2] for path in paths]
    answer = await server.http.post("/runs/cancel", json={"thread_id": thread_id, "run_ids": [ids[1], NOBODY]})
    assert answer.status_code == 204, answer.text
    assert await server.ended(paths[1]) == "interrupted"
    other = await server.run("sleeper", {"delay": 30})
    answer = await server.http.post("/runs/cancel", params={"action": "rollback"}, json={"status": "all"})
    assert answer.status_code == 204
    for path in (paths[0], paths[2], other):
        assert (await server.http.get(f"{path}/join")).status_code in (200, 404)
        assert (await server.http.get(path)).status_code == 404
    assert (await server.http.post("/runs/cancel", json={"status": "all"})).status_code == 404
    for bad in (
        {},
        {"thread_id": thread_id},
        {"run_ids": ids},
        {"status": "all", "thread_id": thread_id},
        {"status": "x"},
    ):
        assert (await server.http.post("/runs/cancel", json=bad)).status_code == 422, bad
    bad = {"thread_id": thread_id, "run_ids": ["x"]}
    assert (await server.http.post("/runs/cancel", json=bad)).status_code == 422


@pytest.mark.parametrize("active", [True, False])
async def test_a_deleted_run_is_gone(server: Running, active: bool) -> None:
    path = await server.run("sleeper", {"delay": 30 if active else 0})
    if not active:
        await server.ended(path)
    assert (await server.http.delete(path)).status_code == 204
    for route in ("", "/join", "/stream"):
        assert (await server.http.get(path + route)).status_code == 404
    assert (await server.http.delete(path)).status_code == 404
    thread = await server.get(path.partition("/runs")[0])
    assert thread["status"] == "idle"


async def test_an_idempotency_key_makes_one_run(serving: Running) -> None:
    thread_id = await serving.thread()
    key = {"Idempotency-Key": str(uuid.uuid4())}
    path = f"/threads/{thread_id}/runs"
    first = await serving.post(path, CHAIN, headers=key)
    again = await serving.post(path, CHAIN, headers=key)
    assert first["run_id"] == again["run_id"]
    other = await serving.http.post(path, json={**CHAIN, "metadata": {"x": 1}}, headers=key)
    assert other.status_code == 409
    assert (await serving.http.post(f"{path}/wait", json=CHAIN, headers=key)).status_code == 409
    await serving.ended(f"{path}/{first['run_id']}")
    assert len(await serving.get(path)) == 1
    streamed = {"Idempotency-Key": str(uuid.uuid4())}
    bodies = [(await serving.http.post("/runs/stream", json=CHAIN, headers=streamed)).content for _ in range(2)]
    assert bodies[0] == bodies[1]
    long = await serving.http.post(path, json=CHAIN, headers={"Idempotency-Key": "x" * 256})
    assert (long.status_code, long.json()["field"]) == (422, "Idempotency-Key")


# --- headers ----------------------------------------------------------------------------------------------------------


async def test_headers_of_streams_and_results(serving: Running) -> None:
    thread_id = await serving.thread()
    runs = f"/threads/{thread_id}/runs"
    created = await serving.http.post(runs, json=CHAIN)
    path = created.headers["content-location"]
    assert path == f"{runs}/{created.json()['run_id']}"
    assert "location" not in created.headers
    for stream in (
        await serving.http.post(f"{runs}/stream", json=CHAIN),
        await serving.http.get(f"{path}/stream", headers={"last-event-id": "-1"}),
    ):
        assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.headers["cache-control"] == "no-store"
        assert stream.headers["x-accel-buffering"] == "no"
        assert stream.headers["location"] == stream.headers["content-location"] + "/stream"
    for result in (await serving.http.post(f"{runs}/wait", json=CHAIN), await serving.http.get(f"{path}/join")):
        assert result.headers["content-type"] == "application/json"
        assert result.headers["location"] == result.headers["content-location"] + "/join"
    stateless = await serving.http.post("/runs/wait", json=CHAIN)
    assert stateless.headers["content-location"].startswith("/threads/")


async def test_a_browser_of_any_origin_sees_what_it_needs(serving: Running) -> None:
    stream = await serving.http.post("/runs/stream", json=CHAIN, headers={"origin": "https://app.example"})
    assert stream.headers["access-control-allow-origin"] == "*"
    exposed = {name.strip() for name in stream.headers["access-control-expose-headers"].split(",")}
    assert exposed >= {"content-location", "location", "x-pagination-total", "x-pagination-next"}
    preflight = await serving.http.options(
        "/runs/stream",
        headers={
            "origin": "https://app.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type,last-event-id",
            "access-control-request-private-network": "true",
        },
    )
    assert preflight.status_code == 200
    assert "last-event-id" in preflight.headers["access-control-allow-headers"]
    assert preflight.headers["access-control-allow-private-network"] == "true"


# --- one server for what leaves nothing behind ------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def serving(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with running(tmp_path_factory.mktemp("data")) as server:
        yield server
