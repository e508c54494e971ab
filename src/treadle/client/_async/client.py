"""The async client: the server's URL, the connections, and three groups of calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Unpack

import httpx

from treadle.client.calls import call, decoded
from treadle.client.options import CallOptions
from treadle.client.retry import Retry
from treadle.server_state import ServerState

from .assistants import AsyncAssistantsClient
from .runs import AsyncRunsClient
from .threads import AsyncThreadsClient
from .transport import AsyncTransport


class AsyncClient:
    """A client of one server. Close it with ``aclose()``, or use it in ``async with``.

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
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] | None = None,
    ) -> None:
        self._transport = AsyncTransport(
            url,
            headers={**(headers or {}), **({"x-api-key": api_key} if api_key else {})},
            timeout=timeout,
            liveness_seconds=liveness_seconds,
            retry=retry or Retry(),
            transport=transport,
            sleep=sleep,
        )
        self.runs = AsyncRunsClient(self._transport)
        self.threads = AsyncThreadsClient(self._transport)
        self.assistants = AsyncAssistantsClient(self._transport)

    async def server(self, **options: Unpack[CallOptions]) -> ServerState:
        """The state of the server: its queue, workers, database, webhooks, crons and settings."""
        return decoded((await self._transport.send(call("GET", "/server", options))).content, ServerState)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()
