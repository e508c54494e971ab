"""SIGKILL of real servers around the end of a run: its webhook comes all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from support import shapes
from support.server_process import Server, until
from support.webhook_receiver import Received, Receiver, in_turn

PROJECT = Path(__file__).parents[1] / "support" / "graphs" / "langgraph.json"
_LEASES_RUN_OUT = "UPDATE webhook_deliveries SET leased_until = 1 WHERE leased_until IS NOT NULL"
SETTINGS: dict[str, Any] = {"webhook_backoff_seconds": 0.05, "drain_seconds": 0.5, "poll_seconds": 0.1}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    with ExitStack() as stack:

        def run(**settings: Any) -> Server:
            env = {"TREADLE_WEBHOOK_ALLOW_PRIVATE": "1"}
            return stack.enter_context(Server(PROJECT, tmp_path / "data", env=env, **{**SETTINGS, **settings}))

        yield run


def create(server: Server, webhook: str, graph: str = "chain", input: Any = None) -> str:
    body = {"assistant_id": graph, "input": input or {"n": []}, "webhook": webhook}
    thread_id = httpx.post(f"{server.url}/threads", json={}).json()["thread_id"]
    run_id = httpx.post(f"{server.url}/threads/{thread_id}/runs", json=body).json()["run_id"]
    return f"{server.url}/threads/{thread_id}/runs/{run_id}"


def kill(server: Server) -> None:
    """In a cluster until the leases of its tries have run out: others may live that have them."""
    server.kill()
    if not shapes.embedded():
        shapes.written(server.data, lambda conn: conn.execute(_LEASES_RUN_OUT))


def of(run: str) -> Callable[[Received], bool]:
    return lambda received: received.body["run_id"] == run[-36:]


def test_killed_between_the_end_of_the_run_and_the_delivery(start: Callable[..., Server]) -> None:
    """The receiver is down, so that nothing can have been delivered."""
    receiver = Receiver().start()
    receiver.stop()
    server = start()
    run = create(server, receiver.url())
    httpx.get(f"{run}/join", timeout=20)
    kill(server)
    with receiver:
        server.start()
        (received,) = receiver.wait(where=of(run))
        assert received.body["status"] == "success"


def test_killed_while_the_receiver_has_the_webhook(start: Callable[..., Server]) -> None:
    """It may have been taken or not: it comes again, under the same id; where no other server can live, without waiting
    for the lease of the try."""
    with Receiver(lambda _: None) as receiver:
        server = start()
        run = create(server, receiver.url())
        receiver.wait()
        kill(server)
        receiver.answer = lambda _: 200
        server.start()
        first, second = receiver.wait(2, where=of(run))
        assert (first.id, first.body["run_ended_at"]) == (second.id, second.body["run_ended_at"])


def test_killed_again_and_again_while_runs_end(start: Callable[..., Server]) -> None:
    """None is lost, and each has one id, however often it came."""
    with Receiver(in_turn(*[500] * 5)) as receiver:
        server = start()
        runs: list[str] = []
        for _ in range(3):
            runs += [create(server, receiver.url()) for _ in range(5)]
            kill(server)
            server.start()
        for run in runs:
            receiver.wait(where=of(run))
        ids = {(received.body["run_id"], received.id) for received in receiver.received}
        assert len(ids) == len(runs)


def test_a_run_whose_every_attempt_lost_its_process(start: Callable[..., Server]) -> None:
    with Receiver() as receiver:
        server = start(max_attempts=1)
        run = create(server, receiver.url(), "sleeper", {"delay": 30})
        until(lambda: httpx.get(run).json()["status"] == "running")
        server.restart()
        (received,) = receiver.wait(where=of(run))
        assert (received.body["status"], received.body["error"]["error"]) == ("error", "AttemptsExhausted")
