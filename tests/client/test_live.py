"""Our client against our server, with a network that breaks and a server that is killed between them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from client.live import CuttingProxy, LiveServer, live_server
from client.scripted import Driver
from treadle import AsyncClient, Client, ConflictError, NotFoundError, Retry, RunFailed, UnprocessableError

MODES = ["values", "updates", "messages", "custom", "debug"]
PATIENT = Retry(tries=200, first_seconds=0.01, max_seconds=0.05)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("live")) as server:
        yield server


def seqs(events: list[Any]) -> list[int]:
    return [int(event.id.split("-")[1]) for event in events]


def analysed(client: Any) -> Any:
    return client.runs.stream(None, "analyst", input={"data": [1, 2]}, stream_mode=MODES, stream_subgraphs=True)


@pytest.mark.parametrize("seed", range(8))
def test_cuts_anywhere_lose_and_repeat_nothing(server: LiveServer, driver: Driver, seed: int) -> None:
    with CuttingProxy(server.url, seed=seed, most_bytes=9000) as proxy:
        events = driver.collect(proxy.url, analysed, retry=PATIENT, sleep=None)
    assert seqs(events) == list(range(1, len(events) + 1))
    assert [event.status for event in events if event.event == "end"] == ["success"]
    assert proxy.cuts > 0


@pytest.mark.parametrize("seed", range(4))
def test_cuts_make_no_second_run_and_lose_no_answer(server: LiveServer, driver: Driver, seed: int) -> None:
    with Client(server.url) as direct, CuttingProxy(server.url, seed=seed, most_bytes=900) as proxy:
        thread_id = direct.threads.create().thread_id

        def wait(client: Any) -> Any:
            return client.runs.wait(thread_id, "analyst", input={"data": [2, 4]})

        assert driver.run(proxy.url, wait, retry=PATIENT, sleep=None)["mean"] == 3
        assert len(direct.runs.list(thread_id)) == 1


def test_a_run_is_joined_after_each_of_its_events(server: LiveServer, driver: Driver) -> None:
    with Client(server.url) as direct:
        events = list(analysed(direct))
        run_id = events[0].data["run_id"]
    for place, event in enumerate(events):
        later = driver.collect(
            server.url, lambda client, id=event.id: client.runs.join_stream(None, run_id, last_event_id=id)
        )
        assert [(e.event, e.id, e.data) for e in later] == [(e.event, e.id, e.data) for e in events[place + 1 :]]


def test_a_stream_goes_on_over_the_kill_and_restart_of_its_server(tmp_path: Path, driver: Driver) -> None:
    def read(client: Any, going: threading.Event) -> Any:
        events: list[Any] = []
        stream = client.runs.stream(None, "slow", input={"steps": 20, "seconds": 0.1}, stream_mode=["values"])

        def take(event: Any) -> None:
            events.append(event)
            if len(events) == 4:
                going.set()

        if driver.kind == "sync":
            for event in stream:
                take(event)
            return events

        async def go() -> list[Any]:
            async for event in stream:
                take(event)
            return events

        return go()

    going = threading.Event()
    with live_server(tmp_path / "killed") as server:

        def kill_and_start() -> None:
            assert going.wait(20)
            server.kill()
            server.start()

        killer = threading.Thread(target=kill_and_start, daemon=True)
        killer.start()
        retry = Retry(tries=300, first_seconds=0.05, max_seconds=0.1)
        # The real sleep: it is the restart that is waited for.
        if driver.kind == "sync":
            with Client(server.url, retry=retry) as client:
                events = read(client, going)
        else:

            async def main() -> list[Any]:
                async with asyncio.timeout(60), AsyncClient(server.url, retry=retry) as client:
                    return await read(client, going)

            events = asyncio.run(main())
        killer.join(60)
    assert seqs(events) == list(range(1, len(events) + 1))
    assert [event.data["attempt"] for event in events if event.event == "metadata"] == [1, 2]
    assert [event.data for event in events if event.event == "values"][-1]["count"] == 20
    assert events[-1].status == "success"


def test_errors_come_as_their_classes(server: LiveServer, driver: Driver) -> None:
    missing = "0192f0c1-0000-7000-8000-000000000001"
    for call in (
        lambda client: client.runs.get(missing, missing),
        lambda client: client.runs.join(missing, missing),
        lambda client: client.runs.delete(missing, missing),
        lambda client: client.runs.cancel(missing, missing),
        lambda client: client.runs.create(missing, "analyst"),
        lambda client: client.threads.get(missing),
        lambda client: client.assistants.get(missing),
    ):
        with pytest.raises(NotFoundError):
            driver.run(server.url, call)
    with pytest.raises(NotFoundError):
        driver.collect(server.url, lambda client: client.runs.join_stream(missing, missing))
    with pytest.raises(UnprocessableError, match="reporter"):
        driver.run(server.url, lambda client: client.runs.create(None, "nope"))
    with pytest.raises(RunFailed, match="ConnectionError: attempt 1") as raised:
        driver.run(server.url, lambda client: client.runs.wait(None, "flaky", input={"succeeds_at": 2}))
    assert raised.value.run_id


def test_runs_are_searched_counted_and_retried(server: LiveServer, driver: Driver) -> None:
    def call(make: Any) -> Any:
        return driver.run(server.url, make)

    tag = f"searched-{driver.kind}"
    thread = call(lambda c: c.threads.create())
    flaky = {"input": {"succeeds_at": 99}, "config": {"tags": [tag]}}
    with pytest.raises(RunFailed):
        call(lambda c: c.runs.wait(thread.thread_id, "flaky", **flaky))
    failed = call(lambda c: c.runs.search(tags=[tag], status="error")).items[0]
    assert (failed.error["error"], failed.graph_id, failed.tags) == ("ConnectionError", "flaky", [tag])
    again = call(lambda c: c.runs.retry(thread.thread_id, failed.run_id))
    assert again.metadata["retry_of"] == failed.run_id
    with pytest.raises(RunFailed):
        call(lambda c: c.runs.join(thread.thread_id, again.run_id))
    assert call(lambda c: c.runs.count(thread_id=thread.thread_id)) == 2
    first = call(lambda c: c.runs.search(thread_id=thread.thread_id, limit=1))
    second = call(lambda c: c.runs.search(thread_id=thread.thread_id, limit=1, after=first.next))
    assert [first.items[0].run_id, second.items[0].run_id] == [again.run_id, failed.run_id]
    assert second.next is None
    with pytest.raises(ConflictError, match="came after it"):
        call(lambda c: c.runs.retry(thread.thread_id, failed.run_id))
    state = call(lambda c: c.server())
    assert (state.workers[0].alive, state.runs["error"] >= 2) == (True, True)


def test_threads_and_assistants_are_managed(server: LiveServer, driver: Driver) -> None:
    def call(make: Any) -> Any:
        return driver.run(server.url, make)

    thread = call(lambda c: c.threads.create(metadata={"who": driver.kind}, graph_id="analyst"))
    assert call(lambda c: c.threads.get(thread.thread_id)) == thread
    assert call(lambda c: c.threads.search(metadata={"who": driver.kind}))[0].thread_id == thread.thread_id
    assert call(lambda c: c.threads.count(metadata={"who": driver.kind})) == 1
    assert call(lambda c: c.threads.update(thread.thread_id, metadata={"x": 1})).metadata["x"] == 1
    call(lambda c: c.runs.wait(thread.thread_id, "analyst", input={"data": [1, 3]}))
    state = call(lambda c: c.threads.get_state(thread.thread_id))
    assert (state.values["mean"], state.next) == (2, [])
    assert call(lambda c: c.threads.get_state(thread.thread_id, checkpoint_id=state.checkpoint_id)) == state
    assert call(lambda c: c.threads.get_state(thread.thread_id, state.checkpoint)).values == state.values
    call(lambda c: c.threads.update_state(thread.thread_id, {"progress": 7}, as_node="report"))
    history = call(lambda c: c.threads.get_history(thread.thread_id, limit=2))
    assert [found.values["progress"] for found in history] == [7, 100]
    copied = call(lambda c: c.threads.copy(thread.thread_id))
    assert call(lambda c: c.threads.get_state(copied.thread_id)).values["progress"] == 7
    call(lambda c: c.threads.delete(copied.thread_id))
    call(lambda c: c.threads.delete(thread.thread_id))

    made = call(lambda c: c.assistants.create("reporter", name="mine", metadata={"who": driver.kind}))
    assert call(lambda c: c.assistants.get(made.assistant_id)) == made
    assert call(lambda c: c.assistants.search(metadata={"who": driver.kind})) == [made]
    assert call(lambda c: c.assistants.count(graph_id="reporter")) >= 2
    assert call(lambda c: c.assistants.update(made.assistant_id, name="ours")).version == 2
    assert call(lambda c: c.assistants.get_graph("analyst"))["nodes"]
    assert call(lambda c: c.assistants.get_schemas("analyst"))["graph_id"] == "analyst"
    call(lambda c: c.assistants.delete(made.assistant_id))
