"""The async client: the address, the connections, and the calls in three groups."""

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
    """A client of one server. Close it with ``aclose()`` or use it as ``async with``.

    - ``url``: the server's address, ``http://127.0.0.1:8123``.
    - ``api_key``: sent as ``x-api-key``. ``headers``: sent with every call.
    - ``timeout``: seconds (or an httpx.Timeout) for ordinary calls; streams and waiting calls may take any time, but
      not be silent for ``liveness_seconds``: then they count as dropped and are resumed.
    - ``retry``: how often and how patiently calls are tried again.
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
        """What the server is doing: its queue, workers, database, webhooks, crons and settings."""
        return decoded((await self._transport.send(call("GET", "/server", options))).content, ServerState)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._transport.aclose()
