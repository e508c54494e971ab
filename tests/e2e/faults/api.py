"""What the fault tests ask of a server over plain HTTP, and what they check of its log and its tables."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx

from support import shapes
from support.server_process import Server, until
from treadle.sse import Decoder, Frame, parse_event_id

TERMINAL = ("success", "error", "timeout", "interrupted")
EVERYTHING = {"last-event-id": "-1", "treadle-events": "1"}
"""Headers that ask for the whole log, the terminal event included."""


class Api:
    """One HTTP client of one server; every request has a bounded time."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.http = httpx.Client(timeout=30.0, trust_env=False)

    def close(self) -> None:
        self.http.close()

    def url(self, path: str) -> str:
        return f"{self.server.url}{path}"

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.http.request(method, self.url(path), **options)

    def get(self, path: str, **options: Any) -> Any:
        return self.request("GET", path, **options).raise_for_status().json()

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        response = self.request("POST", path, json=body, **options).raise_for_status()
        return response.json() if response.content else None

    # threads

    def new_thread(self) -> str:
        return self.post("/threads", {})["thread_id"]

    def thread(self, thread_id: str) -> Any:
        return self.get(f"/threads/{thread_id}")

    def values(self, thread_id: str) -> Any:
        return self.get(f"/threads/{thread_id}/state")["values"]

    def rested(self, thread_id: str, seconds: float = 20.0) -> Any:
        """The thread, once no run is active on it."""
        return until(lambda: t if (t := self.thread(thread_id))["status"] != "busy" else None, seconds)

    # runs

    def create(self, thread_id: str | None, graph: str, key: str = "", **fields: Any) -> Any:
        body = {"assistant_id": graph, "input": {"key": key, "said": [f"hello {key}"]}, **fields}
        return self.post(f"{_base(thread_id)}/runs", body)

    def run(self, thread_id: str, run_id: str) -> Any:
        return self.get(f"/threads/{thread_id}/runs/{run_id}")

    def status(self, thread_id: str, run_id: str) -> str:
        return self.run(thread_id, run_id)["status"]

    def ended(self, thread_id: str, run_id: str, seconds: float = 20.0) -> str:
        """The terminal status, once the run has one."""
        return until(lambda: s if (s := self.status(thread_id, run_id)) in TERMINAL else None, seconds)

    def runs(self, thread_id: str) -> list[Any]:
        """Oldest first."""
        return self.get(f"/threads/{thread_id}/runs", params={"limit": 1000})[::-1]

    def join(self, thread_id: str | None, run_id: str) -> Any:
        return self.get(f"{_base(thread_id)}/runs/{run_id}/join")

    def cancel(self, thread_id: str, run_id: str, *, action: str = "interrupt", wait: bool = False) -> httpx.Response:
        params = {"action": action, "wait": int(wait)}
        return self.request("POST", f"/threads/{thread_id}/runs/{run_id}/cancel", params=params)

    # streams

    @contextmanager
    def open(self, method: str, path: str, **options: Any) -> Iterator[Iterator[Frame]]:
        with self.http.stream(method, self.url(path), **options) as response:
            response.raise_for_status()
            yield _frames(response)

    @contextmanager
    def stream(self, thread_id: str | None, graph: str, key: str = "", **fields: Any) -> Iterator[Iterator[Frame]]:
        body = {"assistant_id": graph, "input": {"key": key, "said": [f"hello {key}"]}, **fields}
        with self.open("POST", f"{_base(thread_id)}/runs/stream", json=body, headers={"treadle-events": "1"}) as frames:
            yield frames

    def log(self, thread_id: str | None, run_id: str) -> list[Frame]:
        """The run's whole log, to its end."""
        with self.open("GET", f"{_base(thread_id)}/runs/{run_id}/stream", headers=EVERYTHING) as frames:
            return list(frames)

    # tables

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return rows(self.server, sql, *parameters)


class Listener:
    """Reads a run's stream on a thread until it ends or breaks; ``frames`` is what came so far."""

    def __init__(self, url: str, *, after: str = "-1") -> None:
        self.frames: list[Frame] = []
        self.beats: list[float] = []
        self.finished: bool | None = None
        self._url = url
        self._after = after
        self._opened = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    @property
    def last_id(self) -> str:
        return next((frame.id for frame in reversed(self.frames) if frame.id), self._after)

    def start(self) -> Listener:
        self._thread.start()
        assert self._opened.wait(20), "the stream was not opened"
        return self

    def join(self, seconds: float = 20.0) -> Listener:
        self._thread.join(seconds)
        assert not self._thread.is_alive(), "the stream is still open"
        return self

    def _read(self) -> None:
        decoder = Decoder()
        headers = {**EVERYTHING, "last-event-id": self._after}
        try:
            with httpx.stream("GET", self._url, headers=headers, timeout=30, trust_env=False) as response:
                self._opened.set()
                for chunk in response.iter_raw():
                    beats = decoder.comments
                    self.frames.extend(decoder.feed(chunk))
                    self.beats.extend([time.monotonic()] * (decoder.comments - beats))
            self.finished = True
        except httpx.TransportError:
            self.finished = False
        finally:
            self._opened.set()


def rows(server: Server, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Reads the server's storage directly, whether it runs or not."""
    return shapes.rows(server.data, sql, parameters)


def check_log(frames: Sequence[Frame], *, status: str | None = None) -> None:
    """What holds of the log of every ended run: seqs dense from 1, one terminal event, at the end."""
    seqs = [parse_event_id(frame.id or "") for frame in frames]
    assert [seq and seq[1] for seq in seqs] == list(range(1, len(frames) + 1)), [frame.id for frame in frames]
    ends = [frame for frame in frames if frame.event == "end"]
    assert ends == [frames[-1]], [frame.event for frame in frames]
    if status is not None:
        assert json.loads(ends[0].data)["status"] == status


def attempts(frames: Sequence[Frame]) -> list[int]:
    """The attempt numbers that the metadata events announce."""
    return [json.loads(frame.data)["attempt"] for frame in frames if frame.event == "metadata"]


def without_rows_of(server: Server, run_id: str) -> None:
    """Asserts that no table holds anything of the run."""
    for table in ("runs", "run_requests", "event_chunks", "checkpoints", "checkpoint_writes", "checkpoint_blobs"):
        found = rows(server, f"SELECT count(*) FROM {table} WHERE run_id = ?", run_id)
        assert found == [(0,)], f"{table} still holds rows of the run"


def _frames(response: httpx.Response) -> Iterator[Frame]:
    decoder = Decoder()
    for chunk in response.iter_raw():
        yield from decoder.feed(chunk)
    yield from decoder.flush()


def _base(thread_id: str | None) -> str:
    return "" if thread_id is None else f"/threads/{thread_id}"
