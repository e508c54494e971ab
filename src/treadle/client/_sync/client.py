# Generated from _async/client.py by scripts/unasync.py: change that file, not this one.
"""The sync client: the server's URL, the connections, and three groups of calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Unpack

import httpx

from treadle.client.calls import call, decoded
from treadle.client.options import CallOptions
from treadle.client.retry import Retry
from treadle.server_state import ServerState

from .assistants import AssistantsClient
from .runs import RunsClient
from .threads import ThreadsClient
from .transport import Transport


class Client:
    """A client of one server. Close it with ``close()``, or use it in ``with``.

    - ``url``: the server's URL, such as ``http://127.0.0.1:2024``.
    - ``api_key``: sent as ``x-api-key``. ``headers``: sent with every call.
    - ``timeout``: seconds (or an httpx.Timeout) for ordinary calls. Streams and waiting calls have no limit, but if one
      is silent for ``liveness_seconds``, its connection counts as dropped and is resumed.
    - ``retry``: how often and how long calls are retried.
    - ``transport``: an httpx transport, to reach a server in the same process.
    - ``sleep``: replaces the wait between tries.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8123",
        *,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | httpx.Timeout = 60.0,
        liveness_seconds: float = 30.0,
        retry: Retry | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self._transport = Transport(
            url,
            headers={**(headers or {}), **({"x-api-key": api_key} if api_key else {})},
            timeout=timeout,
            liveness_seconds=liveness_seconds,
            retry=retry or Retry(),
            transport=transport,
            sleep=sleep,
        )
        self.runs = RunsClient(self._transport)
        self.threads = ThreadsClient(self._transport)
        self.assistants = AssistantsClient(self._transport)

    def server(self, **options: Unpack[CallOptions]) -> ServerState:
        """The state of the server: its queue, workers, database, webhooks, crons and settings."""
        return decoded((self._transport.send(call("GET", "/server", options))).content, ServerState)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()
