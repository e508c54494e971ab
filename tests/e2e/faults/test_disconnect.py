"""A client that goes away: the run stops with it, or goes on, as was asked."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from e2e.faults.api import Api, check_log
from support.gates import Gates
from support.server_process import until

_numbers = iter(range(1_000_000))
_LEFT = "client disconnected from the run stream (on_disconnect=cancel)"


@pytest.fixture
def key() -> str:
    return f"leave{next(_numbers)}"


class Client:
    """One raw connection, so that leaving is a closed socket and nothing else."""

    def __init__(self, api: Api, method: str, path: str, body: Any = None) -> None:
        place = urlsplit(api.server.url)
        self._socket = socket.create_connection((place.hostname or "", place.port or 0), timeout=20)
        content = b"" if body is None else orjson.dumps(body)
        head = f"{method} {path} HTTP/1.1\r\nhost: test\r\ncontent-length: {len(content)}\r\n\r\n"
        self._socket.sendall(head.encode() + content)

    def answered(self) -> bool:
        """Waits for the first byte."""
        return self._socket.recv(1) == b"H"

    def leave(self) -> None:
        self._socket.close()


@pytest.mark.parametrize("way", ["stream", "wait"])
@pytest.mark.parametrize("stateless", [False, True], ids=["on a thread", "stateless"])
def test_on_disconnect_cancel(api: Api, gate: Gates, key: str, way: str, stateless: bool) -> None:
    thread_id = None if stateless else api.new_thread()
    base = "" if thread_id is None else f"/threads/{thread_id}"
    gate.hold(key, "b")
    body = {"assistant_id": "steps", "input": {"key": key}, "on_disconnect": "cancel"}
    client = Client(api, "POST", f"{base}/runs/{way}", body)
    gate.reached(key, "b")
    [effect, *_] = gate.effects(key)
    client.leave()
    ended = until(lambda: api.rows("SELECT status FROM runs WHERE run_id = ?", effect.run_id)[0][0] == "interrupted")
    assert ended
    check_log(api.log(thread_id, effect.run_id), status="interrupted")
    if thread_id is not None:
        thread = api.thread(thread_id)
        assert thread["status"] == "interrupted"
        assert thread["error"]["message"] == _LEFT
    else:
        assert api.request("GET", f"/threads/{effect.thread_id}").status_code == 404


@pytest.mark.parametrize("way", ["stream", "wait"])
@pytest.mark.parametrize("ask", [{}, {"on_disconnect": "continue"}], ids=["default", "continue"])
def test_on_disconnect_continue(api: Api, gate: Gates, key: str, way: str, ask: Any) -> None:
    thread_id = api.new_thread()
    gate.hold(key, "b")
    body = {"assistant_id": "steps", "input": {"key": key, "said": []}, **ask}
    client = Client(api, "POST", f"/threads/{thread_id}/runs/{way}", body)
    gate.reached(key, "b")
    client.leave()
    api.join(None, api.create(None, "steps", f"{key}-other")["run_id"])
    gate.release(key, "b")
    [run] = api.runs(thread_id)
    assert api.ended(thread_id, run["run_id"]) == "success"


@pytest.mark.parametrize("way", ["stream", "join"])
@pytest.mark.parametrize("flag", ["1", "true", "0", "false", None])
def test_cancel_on_disconnect_of_a_joiner(api: Api, gate: Gates, key: str, way: str, flag: str | None) -> None:
    thread_id = api.new_thread()
    gate.hold(key, "b")
    run_id = api.create(thread_id, "steps", key)["run_id"]
    gate.reached(key, "b")
    query = "" if flag is None else f"?cancel_on_disconnect={flag}"
    client = Client(api, "GET", f"/threads/{thread_id}/runs/{run_id}/{way}{query}")
    assert client.answered()
    client.leave()
    if flag in ("1", "true"):
        assert api.ended(thread_id, run_id) == "interrupted"
        assert api.thread(thread_id)["error"]["message"] == _LEFT
    else:
        api.join(None, api.create(None, "steps", f"{key}-other")["run_id"])
        assert api.status(thread_id, run_id) == "running"
        gate.release(key, "b")
        assert api.ended(thread_id, run_id) == "success"


def test_a_client_that_leaves_a_finished_run_cancels_nothing(api: Api, key: str) -> None:
    thread_id = api.new_thread()
    body = {"assistant_id": "steps", "input": {"key": key}, "on_disconnect": "cancel"}
    api.post(f"/threads/{thread_id}/runs/wait", body)
    assert [run["status"] for run in api.runs(thread_id)] == ["success"]


def test_a_queued_run_is_cancelled_when_its_client_leaves(api: Api, gate: Gates, key: str) -> None:
    thread_id = api.new_thread()
    gate.hold(key, "b")
    running = api.create(thread_id, "steps", key)["run_id"]
    gate.reached(key, "b")
    body = {"assistant_id": "steps", "input": {"key": f"{key}-queued"}, "on_disconnect": "cancel"}
    client = Client(api, "POST", f"/threads/{thread_id}/runs/stream", body)
    until(lambda: len(api.runs(thread_id)) == 2)
    client.leave()
    until(lambda: [run["status"] for run in api.runs(thread_id)] == ["running", "interrupted"])
    gate.release(key, "b")
    assert api.ended(thread_id, running) == "success"
    assert gate.places(f"{key}-queued") == []
