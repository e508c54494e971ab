"""Streams through real proxies, as deploy/proxy configures them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from deploy.proxies import ALL, Address, BufferingNginx, Proxy
from support.gates import Gates
from support.server_process import Server
from support.services import free_port

GRAPHS = Path(__file__).parents[1] / "e2e" / "faults" / "langgraph.json"
_IDS = re.compile(rb"^id: (\S+)\r\n", re.MULTILINE)


@pytest.fixture(scope="module")
def gates(tmp_path_factory: pytest.TempPathFactory) -> Gates:
    return Gates(tmp_path_factory.mktemp("proxies") / "gates")


@pytest.fixture(scope="module")
def server(gates: Gates) -> Iterator[Server]:
    # Heartbeats are so rare that only events can produce bytes.
    with Server(
        GRAPHS, gates.directory.parent / "data", env=gates.env, heartbeat_seconds=60, drain_seconds=1
    ) as server:
        yield server
        gates.release_all()


def address(server: Server) -> Address:
    place = urlsplit(server.url)
    return (place.hostname or "", place.port or 0)


@pytest.fixture(params=ALL, ids=lambda kind: kind.program)
def proxy(request: pytest.FixtureRequest, server: Server) -> Iterator[Proxy]:
    """A proxy for one running and one stopped process."""
    with request.param([address(server), ("127.0.0.1", free_port())]) as proxy:
        yield proxy


@pytest.fixture
def http(proxy: Proxy) -> Iterator[httpx.Client]:
    with client(proxy) as http:
        yield http


def client(proxy: Proxy) -> httpx.Client:
    return httpx.Client(base_url=proxy.url, timeout=20, trust_env=False)


class Stream:
    """The received part of one open response."""

    def __init__(self, answer: httpx.Response) -> None:
        assert answer.status_code == 200, answer.read()
        self.answer = answer
        self.body = b""
        self._pieces = answer.iter_raw()

    def until(self, text: bytes) -> bytes:
        while text not in self.body:
            self.body += next(self._pieces)
        return self.body

    def rest(self) -> bytes:
        for piece in self._pieces:
            self.body += piece
        return self.body


@contextmanager
def begun(http: httpx.Client, key: str, way: str = "stream") -> Iterator[Stream]:
    body = {"assistant_id": "steps", "input": {"key": key}, "stream_mode": ["custom"], "if_not_exists": "create"}
    thread = http.post("/threads", json={}).json()["thread_id"]
    with http.stream("POST", f"/threads/{thread}/runs/{way}", json=body) as answer:
        yield Stream(answer)


def key_of(proxy: Proxy, name: str) -> str:
    return f"{proxy.program}-{name}"


def test_an_event_arrives_while_its_node_waits(proxy: Proxy, http: httpx.Client, gates: Gates):
    key = key_of(proxy, "first")
    gates.hold(key, "b")
    with begun(http, key) as stream:
        # The node waits at its gate, so no other output can flush these bytes out of a buffer.
        assert b"event: end" not in stream.until(b'"at":"b"')
        gates.release(key, "b")
        events = _IDS.findall(stream.rest())
    assert [int(id.rpartition(b"-")[2]) for id in events] == list(range(1, len(events) + 1))


def test_a_cut_stream_resumes_after_its_last_event(proxy: Proxy, http: httpx.Client, gates: Gates):
    key = key_of(proxy, "cut")
    gates.hold(key, "b")
    with begun(http, key) as stream:
        beginning = stream.until(b'"at":"b"')
        location = stream.answer.headers["location"]
        proxy.kill()
    proxy.start()
    gates.release(key, "b")
    seen = _IDS.findall(beginning)[-1].decode()
    rest = http.get(location, headers={"last-event-id": seen}).content
    whole = http.get(location, headers={"last-event-id": "0"}).content
    assert whole.endswith(rest)
    cut = beginning[: beginning.index(b"id: " + seen.encode()) + len(seen) + 8]
    assert cut + rest == whole


def test_a_stream_disables_buffering(server: Server, gates: Gates):
    with httpx.Client(base_url=server.url, trust_env=False) as http, begun(http, "direct") as stream:
        headers = stream.answer.headers
        stream.rest()
    assert headers["x-accel-buffering"] == "no"
    assert headers["cache-control"] == "no-store"


def test_a_buffering_nginx_obeys(server: Server, gates: Gates):
    gates.hold("obeys", "b")
    with (
        BufferingNginx([address(server), address(server)]) as proxy,
        client(proxy) as http,
        begun(http, "obeys") as stream,
    ):
        stream.until(b'"at":"b"')
        gates.release("obeys", "b")
        stream.rest()


def test_a_wait_is_answered_in_chunks(proxy: Proxy, http: httpx.Client):
    with begun(http, key_of(proxy, "wait"), way="wait") as answer:
        assert json.loads(answer.rest())["trail"] == ["a", "b", "c"]


def test_no_request_reaches_the_stopped_process(proxy: Proxy, http: httpx.Client):
    def created() -> Any:
        return http.post("/threads", json={}, headers={"connection": "close"})

    assert [answer.status_code for answer in (created() for _ in range(20))] == [200] * 20


def test_a_large_input_passes(proxy: Proxy, http: httpx.Client):
    answer = http.post("/threads", json={"metadata": {"text": "x" * 5_000_000}})
    assert answer.status_code == 200, answer.text[:500]
