"""A wake-up is a hint, a row is the truth: what another process writes into the file, unheard, is found anyway."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import uuid4

import pytest

from e2e.faults.api import Api, check_log, without_rows_of
from support import shapes
from support.gates import Gates
from treadle.backends.live.hub import Hub
from treadle.backends.tables.transaction import SqlRecords
from treadle.model import CancelAction
from treadle.ports.records import NewRun, Transaction

Start = Callable[..., Api]

_numbers = iter(range(1_000_000))


@pytest.fixture
def key() -> str:
    return f"hint{next(_numbers)}"


@contextmanager
def records(api: Api) -> Iterator[SqlRecords]:
    """Another process that writes to the file: its hub is not the server's, so the server gets no hints."""
    with shapes.engine_on(api.server.data) as engine:
        yield SqlRecords(engine, Hub())


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
def test_a_cancel_without_a_hint(start: Start, gates: Gates, action: CancelAction) -> None:
    """The lease keeper finds the mark when it renews."""
    api = start(lease_seconds=1.5)
    gates.hold("k", "b")
    thread_id = api.new_thread()
    run_id = api.create(thread_id, "steps", "k")["run_id"]
    gates.reached("k", "b")
    marked = time.monotonic()
    with records(api) as other:
        asyncio.run(other.transact(lambda tx: tx.mark_cancel(run_id, action, "by another process")))
    thread = api.rested(thread_id)
    assert time.monotonic() - marked < 3
    if action == "interrupt":
        assert api.status(thread_id, run_id) == "interrupted"
        assert thread["error"] == {"error": "UserInterrupt", "message": "by another process"}
        check_log(api.log(thread_id, run_id), status="interrupted")
    else:
        without_rows_of(api.server, run_id)


def test_a_run_nobody_was_told_of(start: Start, gates: Gates) -> None:
    """The next poll finds it."""
    api = start(poll_seconds=0.3)
    thread_id, run_id = api.new_thread(), str(uuid4())
    first = api.create(thread_id, "steps", "first")["run_id"]
    api.join(thread_id, first)

    def insert(tx: Transaction) -> None:
        first_run = tx.run(first)
        assert first_run is not None
        config = first_run.config | {"configurable": {"thread_id": thread_id, "run_id": run_id}}
        given = {"key": "k", "said": ["hello k"]}
        tx.insert_run(
            NewRun(
                run_id=run_id,
                thread_id=thread_id,
                assistant_id=first_run.assistant_id,
                graph_id="steps",
                metadata={},
                kwargs=first_run.kwargs | {"input": given, "config": config},
                multitask_strategy="enqueue",
                available_at=tx.now,
                temporary=False,
            )
        )

    with records(api) as other:
        asyncio.run(other.transact(insert))
    assert api.ended(thread_id, run_id, 5) == "success"
    assert api.values(thread_id)["said"] == ["hello first", "hello k"]


def test_cancels_at_any_instant_of_short_runs(api: Api, key: str) -> None:
    """Before the claim, in the middle, at the end, after it: each is taken or refused, and nothing stays busy."""
    chance = random.Random(11)
    plans = [(number, chance.choice(["interrupt", "rollback"]), chance.uniform(0, 0.03)) for number in range(60)]

    def race(plan: tuple[int, str, float]) -> tuple[str, str, str, int]:
        number, action, pause = plan
        thread_id = api.new_thread()
        run_id = api.create(thread_id, chance.choice(["steps", "nested"]), f"{key}-{number}")["run_id"]
        time.sleep(pause)  # the instant of the cancel, not a synchronisation
        answer = api.cancel(thread_id, run_id, action=action, wait=number % 3 == 0)
        return thread_id, run_id, action, answer.status_code

    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(race, plans))
    codes = {code for *_, code in outcomes}
    assert codes <= {200, 202, 404}
    for thread_id, run_id, action, code in outcomes:
        thread = api.rested(thread_id, 5)
        if code == 404:
            assert api.status(thread_id, run_id) == "success"
        elif action == "rollback":
            without_rows_of(api.server, run_id)
            assert thread["status"] == "idle"
        else:
            assert api.status(thread_id, run_id) == "interrupted"
            check_log(api.log(thread_id, run_id), status="interrupted")
