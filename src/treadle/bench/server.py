"""The measured server, as the load generator knows it: by its address and the API that all of its kind speak."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from treadle.bench.connection import Answer, Connection

GRAPHS = ("chain", "counter", "custom", "chat", "conversation", "waiting")


class Unexpected(Exception):
    """The server answered something else than it should: what is measured would not be what the row says."""


@dataclass(frozen=True)
class Server:
    """``creates`` says whether ``if_not_exists`` makes a thread; else that takes a request of its own, part of the run.
    ``pid`` is that of its process, if it is on this machine and known."""

    host: str
    port: int
    prefix: str = ""
    creates: bool = True
    pid: int | None = None

    @classmethod
    def at(cls, url: str, *, pid: int | None = None) -> Server:
        where = urlsplit(url)
        return cls(where.hostname or "127.0.0.1", where.port or 80, where.path.rstrip("/"), pid=pid)

    async def connect(self) -> Connection:
        return await Connection.open(self.host, self.port)

    async def ask(self, path: str, body: Any = None, *, method: str = "") -> Any:
        """What the JSON of an answer says: to a POST if there is a body, else to a GET, or to ``method``."""
        verb = method or ("GET" if body is None else "POST")
        content = b"" if body is None else json.dumps(body).encode()
        connection = await self.connect()  # its own: a server hangs up on one that has been idle for long
        answer = await connection.begin(f"{verb} {self.prefix}{path}", content)
        await connection.aclose()
        if answer.status not in (200, 202, 204):
            raise Unexpected(f"{verb} {path}: status {answer.status}: {bytes(answer.body[:500])!r}")
        try:
            return json.loads(answer.body) if answer.body.strip() else None
        except ValueError:
            raise Unexpected(f"{verb} {path}: not JSON: {bytes(answer.body[:500])!r}") from None

    async def thread(self) -> str:
        """A new thread's id."""
        return (await self.ask("/threads", {}))["thread_id"]

    async def start(self, thread_id: str, graph: str, input: Any, **options: Any) -> str:
        """Creates a run that nobody waits for; its id."""
        body = {"assistant_id": graph, "input": input, **options}
        return (await self.ask(f"/threads/{thread_id}/runs", body))["run_id"]

    async def stream(
        self, connection: Connection, graph: str, input: Any, mode: str, events: int, *, thread_id: str | None = None
    ) -> Answer:
        """The stream of a run, read to its end, on a fresh thread unless one is given.

        Raises Unexpected unless it holds ``events`` events of ``mode``.
        """
        body = {"assistant_id": graph, "input": input, "stream_mode": [mode]}
        mark = b"event: messages" if mode == "messages-tuple" else f"event: {mode}".encode()
        path = f"/threads/{thread_id or await self._fresh(connection, body)}/runs/stream"
        return self.whole(await self._post(connection, path, body, mark), events)

    async def stateless_stream(self, connection: Connection, graph: str, input: Any, mode: str, events: int) -> Answer:
        body = {"assistant_id": graph, "input": input, "stream_mode": [mode]}
        return self.whole(await self._post(connection, "/runs/stream", body, f"event: {mode}".encode()), events)

    async def wait(self, connection: Connection, graph: str, input: Any, *, thread_id: str | None = None) -> Answer:
        """The answer that holds the result of a run, on a fresh thread unless one is given."""
        body = {"assistant_id": graph, "input": input}
        path = f"/threads/{thread_id or await self._fresh(connection, body)}/runs/wait"
        return await self._post(connection, path, body, b"")

    async def stateless_wait(self, connection: Connection, graph: str, input: Any) -> Answer:
        return await self._post(connection, "/runs/wait", {"assistant_id": graph, "input": input}, b"")

    async def _fresh(self, connection: Connection, body: dict[str, Any]) -> str:
        """The id of a thread that is made with the run in one request where the server can do that."""
        if not self.creates:
            return json.loads((await connection.post(f"{self.prefix}/threads", b"{}")).body)["thread_id"]
        body["if_not_exists"] = "create"
        return str(uuid.uuid4())

    async def _post(self, connection: Connection, path: str, body: dict[str, Any], mark: bytes) -> Answer:
        return await connection.post(self.prefix + path, json.dumps(body).encode(), mark=mark)

    @staticmethod
    def whole(answer: Answer, events: int) -> Answer:
        """The answer, if it is the stream of a whole run. Raises Unexpected."""
        tail = bytes(answer.body[-2000:]) or answer.last
        if answer.status != 200 or answer.marks != events or b"event: error" in tail:
            text = f"status {answer.status}, {answer.marks} events (wanted {events}): …{tail!r}"
            raise Unexpected(text)
        return answer

    @staticmethod
    def result(answer: Answer, wanted: Any) -> Answer:
        """The answer, if it holds the state that a run was to end in. Raises Unexpected."""
        if answer.status != 200 or json.loads(answer.body) != wanted:
            raise Unexpected(f"status {answer.status}, not {wanted}: {bytes(answer.body[:500])!r}")
        return answer
