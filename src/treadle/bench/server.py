"""A client for the measured server: the requests of the benchmark, and checks of their responses."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from treadle.bench.connection import Connection, Response

GRAPHS = ("chain", "counter", "custom", "chat", "conversation", "waiting")


class BadResponse(Exception):
    """The server sent an unexpected response, so the measurement would not be valid."""


@dataclass(frozen=True)
class Server:
    """The address of a server. ``pid`` is its process, if that is on this machine and known.

    ``creates`` is whether ``if_not_exists`` creates threads. If not, each run is measured with a separate request that
    creates its thread.
    """

    host: str
    port: int
    prefix: str = ""
    creates: bool = True
    pid: int | None = None

    @classmethod
    def at(cls, url: str, *, pid: int | None = None) -> Server:
        parts = urlsplit(url)
        return cls(parts.hostname or "127.0.0.1", parts.port or 80, parts.path.rstrip("/"), pid=pid)

    async def connect(self) -> Connection:
        return await Connection.open(self.host, self.port)

    async def request(self, path: str, body: Any = None, *, method: str = "") -> Any:
        """Send a request and return the decoded JSON. The method is POST if there is a body, else GET."""
        verb = method or ("GET" if body is None else "POST")
        content = b"" if body is None else json.dumps(body).encode()
        connection = await self.connect()  # not a shared one: servers close idle connections
        response = await connection.send(f"{verb} {self.prefix}{path}", content)
        await connection.aclose()
        if response.status not in (200, 202, 204):
            raise BadResponse(f"{verb} {path}: status {response.status}: {bytes(response.body[:500])!r}")
        try:
            return json.loads(response.body) if response.body.strip() else None
        except ValueError:
            raise BadResponse(f"{verb} {path}: not JSON: {bytes(response.body[:500])!r}") from None

    async def thread(self) -> str:
        """Create a thread and return its id."""
        return (await self.request("/threads", {}))["thread_id"]

    async def start(self, thread_id: str, graph: str, input: Any, **options: Any) -> str:
        """Create a background run and return its id."""
        body = {"assistant_id": graph, "input": input, **options}
        return (await self.request(f"/threads/{thread_id}/runs", body))["run_id"]

    async def stream(
        self, connection: Connection, graph: str, input: Any, mode: str, events: int, *, thread_id: str | None = None
    ) -> Response:
        """Stream a run to its end, on a new thread unless one is given.

        Raise BadResponse unless the stream holds ``events`` events of ``mode``.
        """
        body = {"assistant_id": graph, "input": input, "stream_mode": [mode]}
        mark = b"event: messages" if mode == "messages-tuple" else f"event: {mode}".encode()
        path = f"/threads/{thread_id or await self._new_thread(connection, body)}/runs/stream"
        return self.check_stream(await self._post(connection, path, body, mark), events)

    async def stateless_stream(
        self, connection: Connection, graph: str, input: Any, mode: str, events: int
    ) -> Response:
        body = {"assistant_id": graph, "input": input, "stream_mode": [mode]}
        return self.check_stream(await self._post(connection, "/runs/stream", body, f"event: {mode}".encode()), events)

    async def wait(self, connection: Connection, graph: str, input: Any, *, thread_id: str | None = None) -> Response:
        """Wait for the result of a run, on a new thread unless one is given."""
        body = {"assistant_id": graph, "input": input}
        path = f"/threads/{thread_id or await self._new_thread(connection, body)}/runs/wait"
        return await self._post(connection, path, body, b"")

    async def stateless_wait(self, connection: Connection, graph: str, input: Any) -> Response:
        return await self._post(connection, "/runs/wait", {"assistant_id": graph, "input": input}, b"")

    async def _new_thread(self, connection: Connection, body: dict[str, Any]) -> str:
        """Return the id of a thread that the request for the run will create, if the server can do that."""
        if not self.creates:
            return json.loads((await connection.post(f"{self.prefix}/threads", b"{}")).body)["thread_id"]
        body["if_not_exists"] = "create"
        return str(uuid.uuid4())

    async def _post(self, connection: Connection, path: str, body: dict[str, Any], mark: bytes) -> Response:
        return await connection.post(self.prefix + path, json.dumps(body).encode(), mark=mark)

    @staticmethod
    def check_stream(response: Response, events: int) -> Response:
        """Return the response if it is the stream of a complete run. Raise BadResponse if not."""
        tail = bytes(response.body[-2000:]) or response.last
        if response.status != 200 or response.marks != events or b"event: error" in tail:
            text = f"status {response.status}, {response.marks} events (wanted {events}): …{tail!r}"
            raise BadResponse(text)
        return response

    @staticmethod
    def check_result(response: Response, expected: Any) -> Response:
        """Return the response if it holds the expected final state. Raise BadResponse if not."""
        if response.status != 200 or json.loads(response.body) != expected:
            raise BadResponse(f"status {response.status}, not {expected}: {bytes(response.body[:500])!r}")
        return response
