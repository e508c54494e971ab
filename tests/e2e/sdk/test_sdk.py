"""The official Python SDK, unmodified, in process and over a socket."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import langgraph_sdk
import pytest
from langgraph_sdk import errors, get_client, get_sync_client
from langgraph_sdk.client import LangGraphClient

from support.server import Running, listening, running

INPUTS: dict[str, Any] = {
    "chain": {"n": ["in"]},
    "chat": {"messages": [{"role": "user", "content": "hi"}]},
    "custom": {"tokens": 3},
    "nested": {"n": []},
}


@pytest.fixture(params=["in process", "socket"])
async def client(server: Running, request: pytest.FixtureRequest) -> AsyncIterator[LangGraphClient]:
    if request.param == "in process":
        yield LangGraphClient(server.http)
        return
    async with listening(server.runtime.app) as url, get_client(url=url, api_key=None) as client:
        yield client


async def collected(parts: Any) -> list[tuple[str, Any]]:
    return [(part.event, part.data) async for part in parts]


@pytest.mark.parametrize(
    ("graph", "mode", "names"),
    [
        ("chain", "values", ["values"] * 4),
        ("chain", "updates", ["updates"] * 3),
        ("chain", "debug", None),
        ("chain", "tasks", ["tasks"] * 6),
        ("chain", "checkpoints", ["checkpoints"] * 5),
        ("chain", "events", None),
        ("custom", "custom", ["custom"] * 3),
        ("chat", "messages-tuple", None),
        ("chat", "messages", None),
    ],
)
async def test_every_mode_streams(
    client: LangGraphClient, server: Running, graph: str, mode: Any, names: list[str] | None
) -> None:
    thread = await client.threads.create()
    parts = await collected(client.runs.stream(thread["thread_id"], graph, input=INPUTS[graph], stream_mode=mode))
    assert parts[0][0] == "metadata"
    seen = [name for name, _ in parts[1:]]
    if names is None:
        assert {name.partition("/")[0] for name in seen} == {mode.removesuffix("-tuple")}
    else:
        assert seen == names
    state = await client.threads.get_state(thread["thread_id"])
    assert state["values"]


async def test_sub_graphs_have_their_names_and_v2_parts_their_namespaces(
    client: LangGraphClient, server: Running
) -> None:
    asked: dict[str, Any] = {"input": {"n": []}, "stream_mode": ["updates", "values"], "stream_subgraphs": True}
    names = [name for name, _ in await collected(client.runs.stream(None, "nested", **asked))]
    depths = {name.count("|") for name in names}
    assert depths == {0, 1, 2}
    parts = [part async for part in client.runs.stream(None, "nested", version="v2", **asked)]
    spaces = {tuple(space.partition(":")[0] for space in part["ns"]) for part in parts}
    assert spaces == {(), ("sub",), ("sub", "deep")}


async def test_waiting_and_joining(client: LangGraphClient, server: Running) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    assert await client.runs.wait(thread_id, "chain", input={"n": ["in"]}) == {"n": ["in", 0, 1, 2]}
    assert await client.runs.wait(None, "chain", input={"n": []}) == {"n": [0, 1, 2]}
    run = await client.runs.create(thread_id, "custom", input={"tokens": 3}, stream_mode=["custom", "values"])
    joined = await client.runs.join(thread_id, run["run_id"])
    assert joined["done"] == 3
    assert (await client.runs.get(thread_id, run["run_id"]))["status"] == "success"
    every = [part async for part in client.runs.join_stream(thread_id, run["run_id"], last_event_id="-1")]
    assert [part.event for part in every] == ["metadata", "values", "custom", "custom", "custom", "values"]
    for at, part in enumerate(every, 1):
        rest = client.runs.join_stream(thread_id, run["run_id"], last_event_id=part.id)
        assert [each.id async for each in rest] == [each.id for each in every[at:]]
    only = client.runs.join_stream(thread_id, run["run_id"], last_event_id="0", stream_mode=["custom", "metadata"])
    assert [name for name, _ in await collected(only)] == ["metadata", "custom", "custom", "custom"]


async def test_a_failed_run_raises_where_it_is_waited_for_and_says_error_in_a_stream(
    client: LangGraphClient, server: Running
) -> None:
    with pytest.raises(Exception, match="ValueError: boom message"):
        await client.runs.wait(None, "boom", input={"n": []})
    said = await client.runs.wait(None, "boom", input={"n": []}, raise_error=False)
    assert said == {"__error__": {"error": "ValueError", "message": "boom message"}}
    parts = await collected(client.runs.stream(None, "boom", input={"n": []}))
    assert parts[-1] == ("error", {"error": "ValueError", "message": "boom message"})


async def test_runs_are_created_listed_cancelled_and_deleted(client: LangGraphClient, server: Running) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    created: list[Any] = []
    run = await client.runs.create(
        thread_id, "sleeper", input={"delay": 30}, metadata={"m": 1}, on_run_created=created.append
    )
    assert created == [{"run_id": run["run_id"], "thread_id": thread_id}]
    with pytest.raises(errors.ConflictError) as conflict:
        await client.runs.create(thread_id, "chain", input={"n": []}, multitask_strategy="reject")
    assert "already running" in str(conflict.value)
    await client.runs.cancel(thread_id, run["run_id"], wait=True)
    picked = await client.runs.list(thread_id, select=["run_id", "status"], limit=5, status="interrupted")
    assert picked == [{"run_id": run["run_id"], "status": "interrupted"}]
    with pytest.raises(errors.NotFoundError):
        await client.runs.cancel(thread_id, run["run_id"])
    await client.runs.delete(thread_id, run["run_id"])
    assert await client.runs.list(thread_id) == []
    for _ in range(2):
        await client.runs.create(thread_id, "sleeper", input={"delay": 30})
    await client.runs.cancel_many(status="all", action="rollback")
    for run in await client.runs.list(thread_id):
        with suppress(httpx.HTTPStatusError):  # it is gone already
            await client.runs.join(thread_id, run["run_id"])
    assert await client.runs.list(thread_id) == []
    assert (await client.threads.get(thread_id))["status"] == "interrupted"


async def test_a_batch_over_two_assistants(client: LangGraphClient, server: Running) -> None:
    runs = await client.runs.create_batch(
        [
            {"assistant_id": graph, "input": input, "metadata": {"i": i}}
            for i, (graph, input) in enumerate(INPUTS.items())
        ]
    )
    assert [run["metadata"]["i"] for run in runs] == list(range(len(INPUTS)))
    for run in runs:
        assert "__error__" not in await client.runs.join(run["thread_id"], run["run_id"])


async def test_threads_from_creation_to_deletion(client: LangGraphClient, server: Running) -> None:
    thread_id = (await client.threads.create(metadata={"who": "x"}))["thread_id"]
    await client.runs.wait(thread_id, "chain", input={"n": ["in"]})
    assert (await client.threads.search(metadata={"who": "x"}))[0]["thread_id"] == thread_id
    await client.threads.update_state(thread_id, {"n": ["mine"]}, as_node="n0")
    state = await client.threads.get_state(thread_id)
    assert (state["values"]["n"][-1], state["next"]) == ("mine", ["n1"])
    history = await client.threads.get_history(thread_id, limit=20)
    assert len(history) == 6
    at = await client.threads.get_state(thread_id, checkpoint_id=history[-1]["checkpoint"]["checkpoint_id"])
    assert at["checkpoint"] == history[-1]["checkpoint"]
    copied = await client.threads.copy(thread_id)
    assert (await client.threads.get_state(copied["thread_id"]))["values"] == state["values"]
    await client.runs.wait(copied["thread_id"], "chain", input=None)
    assert (await client.threads.get_state(thread_id))["next"] == ["n1"]
    await client.threads.delete(thread_id)
    with pytest.raises(errors.NotFoundError):
        await client.threads.get(thread_id)


async def test_assistants_configure_runs(client: LangGraphClient, server: Running) -> None:
    (system,) = await client.assistants.search(graph_id="ctx", metadata={"created_by": "system"})
    assert system["name"] == "ctx"
    mine = await client.assistants.create("ctx", context={"model_name": "mine"}, metadata={"k": 1}, name="M")
    seen = (await client.runs.wait(None, mine["assistant_id"], input={"seen": {}}))["seen"]
    assert seen["context"]["model_name"] == "mine"
    await client.assistants.update(mine["assistant_id"], context={"model_name": "other"})
    seen = (await client.runs.wait(None, mine["assistant_id"], input={"seen": {}}))["seen"]
    assert seen["context"]["model_name"] == "other"
    graph = await client.assistants.get_graph("nested", xray=True)
    assert any(node["id"].endswith("leaf") for node in graph["nodes"])
    schemas = await client.assistants.get_schemas(mine["assistant_id"])
    assert "model_name" in schemas["context_schema"]["properties"]
    await client.assistants.delete(mine["assistant_id"])
    with pytest.raises(errors.NotFoundError):
        await client.runs.create(None, mine["assistant_id"], input={})


async def test_an_interrupt_is_seen_and_answered(client: LangGraphClient, server: Running) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    parts = await collected(client.runs.stream(thread_id, "hil_sub", input={"log": []}, stream_mode="updates"))
    ((_, data),) = [part for part in parts if "__interrupt__" in (part[1] or {})]
    assert data["__interrupt__"][0]["value"] == {"question": "ok?"}
    thread = await client.threads.get(thread_id)
    assert thread["status"] == "interrupted"
    assert [each[0]["value"] for each in thread["interrupts"].values()] == [{"question": "ok?"}]
    state = await client.threads.get_state(thread_id, subgraphs=True)
    assert state["tasks"][0]["state"]["next"] == ["ask"]
    answered = await client.runs.wait(thread_id, "hil_sub", command={"resume": "yes"})
    assert answered["answer"] == "yes"
    assert (await client.threads.get(thread_id))["status"] == "idle"


async def test_errors_have_their_types(client: LangGraphClient, server: Running) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    nobody = "00000000-0000-4000-8000-000000000000"
    with pytest.raises(errors.UnprocessableEntityError) as unknown:
        await client.runs.create(thread_id, "nope")
    assert "chain, chat" in str(unknown.value)
    with pytest.raises(errors.UnprocessableEntityError) as bad:
        await client.runs.create(thread_id, "chain", stream_mode="nope")  # type: ignore[arg-type]
    assert bad.value.code == "unprocessable"
    with pytest.raises(errors.NotFoundError):
        await client.runs.get(thread_id, nobody)
    with pytest.raises(httpx.HTTPStatusError, match="404 Not Found"):
        await client.runs.join(thread_id, nobody)
    with pytest.raises(errors.NotFoundError):
        await collected(client.runs.join_stream(thread_id, nobody))
    with pytest.raises(errors.BadRequestError):
        await client.runs.create(None, "ctx", context={"a": 1}, config={"configurable": {"b": 1}})
    with pytest.raises(errors.ConflictError):
        await client.threads.create(thread_id=thread_id)


async def test_leaving_with_on_disconnect_cancel_stops_the_run(client: LangGraphClient, server: Running) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    stream = client.runs.stream(thread_id, "sleeper", input={"delay": 30}, on_disconnect="cancel")
    async for part in stream:
        if part.event == "values":
            break
    await stream.aclose()  # type: ignore[attr-defined]
    (run,) = await client.runs.list(thread_id)
    began = time.monotonic()
    await client.runs.join(thread_id, run["run_id"])
    assert time.monotonic() - began < 3
    assert (await client.runs.get(thread_id, run["run_id"]))["status"] == "interrupted"


APART = {"connection": "close"}
"""One connection an exchange, so that the proxy sees one head on each."""


class Cutter:
    """A TCP proxy that cuts the first ``times`` answers of a ``kind`` (in their head) after ``after`` bytes of body."""

    def __init__(self, url: str, *, times: int, after: int, kind: bytes = b"text/event-stream") -> None:
        self.kind = kind
        self.target = httpx.URL(url)
        self.times = times
        self.after = after
        self.cuts = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up, down = await asyncio.open_connection(self.target.host, self.target.port)
        pumps = [asyncio.create_task(self._pump(reader, down)), asyncio.create_task(self._answer(up, writer))]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        for each in (down, writer):
            each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Passes the answer on; a stream that has had enough of it is cut, wherever that is in a frame."""
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        left = self.after
        while piece := await reader.read(97):
            writer.write(piece)
            await writer.drain()
            left -= len(piece)
            if self.kind in head and left < 0 and self.cuts < self.times:
                self.cuts += 1
                return


@pytest.mark.parametrize("stateless", [False, True])
async def test_a_cut_connection_is_resumed_without_loss_or_repeat(tmp_path: Path, stateless: bool) -> None:
    async with asyncio.timeout(60), running(tmp_path) as server, listening(server.runtime.app) as url:
        proxy = Cutter(url, times=3, after=2_000)
        async with proxy.listening() as through, get_client(url=through, api_key=None, headers=APART) as client:
            thread_id = None if stateless else (await client.threads.create())["thread_id"]
            stream = client.runs.stream(thread_id, "custom", input={"tokens": 400}, stream_mode=["custom", "values"])
            parts = [part async for part in stream]
        assert proxy.cuts == 3
        assert [part.data["i"] for part in parts if part.event == "custom"] == list(range(400))
        assert [part.event for part in parts if part.event != "custom"] == ["metadata", "values", "values"]


@pytest.mark.filterwarnings("ignore:Request failed, attempting reconnect")
async def test_a_wait_that_is_cut_is_joined_where_the_server_says(tmp_path: Path) -> None:
    async with (
        asyncio.timeout(60),
        running(tmp_path, heartbeat_seconds=0.05) as server,
        listening(server.runtime.app) as url,
    ):
        proxy = Cutter(url, times=1, after=3, kind=b"location: /threads/")
        async with proxy.listening() as through, get_client(url=through, api_key=None, headers=APART) as client:
            thread_id = (await client.threads.create())["thread_id"]
            done = await client.runs.wait(thread_id, "sleeper", input={"delay": 0.6})
        assert (proxy.cuts, done["steps"]) == (1, ["a", "b"])
        assert len(await server.get(f"/threads/{thread_id}/runs")) == 1


async def test_the_sync_client(tmp_path: Path) -> None:
    def use(url: str) -> None:
        with get_sync_client(url=url, api_key=None) as client:
            thread_id = client.threads.create()["thread_id"]
            asked: dict[str, Any] = {"input": {"tokens": 3}, "stream_mode": ["custom", "values"]}
            parts = list(client.runs.stream(thread_id, "custom", **asked))
            assert [part.event for part in parts] == ["metadata", "values", "custom", "custom", "custom", "values"]
            (run,) = client.runs.list(thread_id, select=["run_id", "status"])
            assert run["status"] == "success"
            rest = list(client.runs.join_stream(thread_id, run["run_id"], last_event_id=parts[2].id))
            assert [part.id for part in rest] == [part.id for part in parts[3:]]
            assert client.runs.join(thread_id, run["run_id"])["done"] == 3
            assert client.runs.wait(thread_id, "custom", input={"tokens": 1})["done"] == 1
            with pytest.raises(errors.NotFoundError):
                client.runs.get(thread_id, "00000000-0000-4000-8000-000000000000")
            slow = client.runs.create(thread_id, "sleeper", input={"delay": 30})
            with pytest.raises(errors.ConflictError):
                client.runs.create(thread_id, "chain", input={"n": []}, multitask_strategy="reject")
            client.runs.cancel(thread_id, slow["run_id"], wait=True, action="rollback")
            with pytest.raises(errors.NotFoundError):
                client.runs.get(thread_id, slow["run_id"])
            assert len(client.runs.create_batch([{"assistant_id": "chain", "input": {"n": []}}] * 3)) == 3

    async with asyncio.timeout(60), running(tmp_path) as server, listening(server.runtime.app) as url:
        await asyncio.to_thread(use, url)


async def test_the_newest_fields_of_the_sdk_are_understood(tmp_path: Path) -> None:
    """Whatever the SDK can send: it is built once with everything, so that a field we forbid is seen here."""

    assert langgraph_sdk.__version__
    async with running(tmp_path) as server:
        client = LangGraphClient(server.http)
        thread_id = (await client.threads.create())["thread_id"]
        run = await client.runs.create(
            thread_id,
            "chain",
            input={"n": []},
            metadata={"a": 1},
            config={"tags": ["t"], "recursion_limit": 10},
            context={"k": "v"},
            interrupt_before=["n9"],
            interrupt_after=["n9"],
            multitask_strategy="enqueue",
            if_not_exists="create",
            after_seconds=0,
            stream_mode=["values", "updates"],
            stream_subgraphs=True,
            stream_resumable=True,
            durability="async",
        )
        assert await client.runs.join(thread_id, run["run_id"]) == {"n": [0, 1, 2]}
        assert json.dumps(run)
