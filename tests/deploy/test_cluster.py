"""The cluster of compose.yaml without containers: two API processes and two workers behind a proxy."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.proxies import Address, HAProxy
from support.databases import fresh_schema, redis_url
from support.gates import Gates
from support.server_process import until
from support.services import free_port

GRAPHS = Path(__file__).parents[1] / "e2e" / "faults" / "langgraph.json"
_IDS = re.compile(rb"^id: \S+-(\d+)\r\n", re.MULTILINE)


class Process:
    """A ``treadle …`` process that runs until the test ends or kills it."""

    def __init__(self, log: Path, arguments: list[str], port: int, environment: dict[str, str]) -> None:
        self.port = port
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TREADLE_", "LANG"))}
        command = [sys.executable, "-m", "treadle.cli", *arguments, f"--config={GRAPHS}", f"--port={port}"]
        with log.open("a") as errors:
            self._process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=errors, env={**kept, **environment}
            )

    @property
    def address(self) -> Address:
        return ("127.0.0.1", self.port)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def is_well(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/ok", trust_env=False).status_code == 200
        except httpx.TransportError:
            assert self._process.poll() is None
            return False


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    return Gates(tmp_path / "gates")


@pytest.fixture
def cluster(tmp_path: Path, gates: Gates) -> Iterator[list[Process]]:
    """Start two API processes, then two workers."""
    given = {"TREADLE_DATABASE_URL": fresh_schema(), "TREADLE_REDIS_URL": redis_url(), "TREADLE_MIGRATE": "false"}
    environment = {**given, **gates.env, "LANGSMITH_TRACING": "false", "TREADLE_HEARTBEAT_SECONDS": "60"}
    with ExitStack() as stack:

        def start(*arguments: str) -> Process:
            process = Process(tmp_path / "log", [*arguments], free_port(), environment)
            stack.callback(process.kill)
            return process

        processes = [*(start("serve", "--workers=0") for _ in range(2)), *(start("worker") for _ in range(2))]
        for process in processes:
            until(process.is_well, 90)
        yield processes
        gates.release_all()
    print((tmp_path / "log").read_text()[-4000:], file=sys.stderr)


def test_a_stream_resumes_through_the_proxy_when_its_process_dies(cluster: list[Process], gates: Gates):
    gates.hold("k", "b")
    body: Any = {"assistant_id": "steps", "input": {"key": "k"}, "stream_mode": ["custom"], "if_not_exists": "create"}
    with (
        HAProxy([process.address for process in cluster[:2]]) as proxy,
        httpx.Client(base_url=proxy.url, timeout=30, trust_env=False) as http,
    ):
        thread = http.post("/threads", json={}).json()["thread_id"]
        with http.stream("POST", f"/threads/{thread}/runs/stream", json=body) as answer:
            seen = _read_until_cut(answer, b'"at":"b"', lambda: _serving(cluster[:2]).kill())
        gates.release("k", "b")
        first = [int(number) for number in _IDS.findall(seen)]
        last_id = re.findall(rb"^id: (\S+)\r\n", seen, re.MULTILINE)[-1].decode()
        rest = http.get(answer.headers["location"], headers={"last-event-id": last_id}).content
        then = [int(number) for number in _IDS.findall(rest)]
    assert first + then == list(range(1, len(first + then) + 1))
    assert b'"at":"c"' in rest


def _read_until_cut(answer: httpx.Response, text: bytes, cut: Callable[[], None]) -> bytes:
    """Read up to ``text``, call ``cut``, and read the rest."""
    seen = b""
    pieces = answer.iter_raw()
    while text not in seen:
        seen += next(pieces)
    cut()
    with pytest.raises(httpx.TransportError):
        seen += b"".join(pieces)
    return seen


def _serving(processes: list[Process]) -> Process:
    """Return the process that has the open stream."""

    def streams(process: Process) -> int:
        figures = httpx.get(f"http://127.0.0.1:{process.port}/metrics?format=json", trust_env=False)
        return figures.json()["api"]["open_streams"]

    [found] = [process for process in processes if streams(process)]
    return found
