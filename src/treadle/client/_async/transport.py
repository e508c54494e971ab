"""The HTTP transport: retries, bounds, and responses that may be cut."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import msgspec

from treadle.client.bounds import AsyncBounds, DeadlineReached
from treadle.client.calls import Call, address, created, may_try_again, resumed, status_failure
from treadle.client.options import RunCreated
from treadle.client.retry import Retry, Tries, TryAgain
from treadle.errors import ConnectionFailed, NotFoundError, RunTimeoutError, TreadleError

OnCreated = Callable[[RunCreated], object]
PROGRESS_BYTES = 2
"""Two keep-alive bytes show that a connection lasted, since they are sent at an interval."""


class AsyncTransport:
    """Makes calls. A stream or a waiting call that is silent for ``liveness_seconds`` counts as cut."""

    def __init__(
        self,
        url: str,
        *,
        headers: dict[str, str],
        timeout: float | httpx.Timeout,
        liveness_seconds: float,
        retry: Retry,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] | None = None,
    ) -> None:
        self.base = address(url)
        self.retry = retry
        self.sleep = sleep
        self._headers = headers
        self._timeout = httpx.Timeout(timeout)
        self._patience = httpx.Timeout(**{**self._timeout.as_dict(), "read": liveness_seconds})
        self._custom = transport
        self._http = self._client(keepalive=100)
        self._fresh: httpx.AsyncClient | None = None

    async def send(self, call: Call, bounds: AsyncBounds | None = None, *, patient: bool = False) -> httpx.Response:
        """Return the complete 2xx response. ``patient``: the server may delay it for long."""
        bounds = bounds or AsyncBounds()
        tries = Tries(self.retry)
        try:
            while True:
                try:
                    return await self._exchange(call, bounds, patient)
                except NotFoundError:
                    if call.gone_is_done and tries.lost:
                        return httpx.Response(204)
                    raise
                except TryAgain as failure:
                    await self.pause(tries, failure, bounds)
        finally:
            bounds.close()

    async def final(self, call: Call, bounds: AsyncBounds, on_created: OnCreated | None = None) -> Any:
        """Return the JSON result of a run. A response that is cut is requested again at the location that the server
        announced."""
        run: RunCreated | None = call.run
        tries = Tries(self.retry)
        try:
            while True:
                try:
                    response = await self.open(call, bounds)
                    found = created(response)
                    if on_created and found and run is None:
                        on_created(found)
                    run, resume = found or run, resumed(call, response, self.base, "join")
                    try:
                        return await self._json(response, bounds, tries, run)
                    except TryAgain as failure:
                        if resume is None:
                            raise failure.error from None
                        call = resume
                        raise
                except TryAgain as failure:
                    await self.pause(tries, failure, bounds)
        except DeadlineReached:
            raise _timed_out(run) from None
        finally:
            bounds.close()

    async def open(self, call: Call, bounds: AsyncBounds, *, patient: bool = True) -> httpx.Response:
        """Try once: a 2xx response with an unread body. Raises TryAgain if a retry may succeed."""
        http = self._on_its_own() if bounds.fresh else self._http
        request = http.build_request(
            call.method,
            call.path if call.path.startswith("http") else f"{self.base}{call.path}",
            content=call.content,
            params=call.params or None,
            headers=call.headers,
            timeout=self._patience if patient else self._timeout,
            extensions=bounds.extensions(),
        )
        try:
            async with bounds:
                response = await http.send(request, stream=True)
            if response.is_success:
                return response
            async with bounds:
                content = await response.aread()
        except httpx.RequestError as error:
            raise failed(error, call) from error
        raise status_failure(response, content, call)

    async def pause(self, tries: Tries, failure: TryAgain, bounds: AsyncBounds) -> None:
        await bounds.sleep(tries.pause(failure), self.sleep)

    async def aclose(self) -> None:
        await self._http.aclose()
        if self._fresh is not None:
            await self._fresh.aclose()

    async def _exchange(self, call: Call, bounds: AsyncBounds, patient: bool) -> httpx.Response:
        response = await self.open(call, bounds, patient=patient)
        try:
            async with bounds:
                await response.aread()
        except httpx.RequestError as error:
            raise failed(error, call) from error
        finally:
            await response.aclose()
        return response

    async def _json(self, response: httpx.Response, bounds: AsyncBounds, tries: Tries, run: RunCreated | None) -> Any:
        parts: list[bytes] = []
        try:
            chunks = response.aiter_bytes()
            while (chunk := await next_chunk(chunks, bounds)) is not None:
                parts.append(chunk)
            return msgspec.json.decode(b"".join(parts))
        except (httpx.RequestError, msgspec.DecodeError) as error:
            if sum(map(len, parts)) >= PROGRESS_BYTES:
                tries.progress()
            raise TryAgain(_cut(response, run, error)) from error
        finally:
            await response.aclose()

    def _on_its_own(self) -> httpx.AsyncClient:
        """The client for calls that need their own connection, so that it can be cut without affecting others."""
        if self._fresh is None:
            self._fresh = self._client(keepalive=0)
        return self._fresh

    def _client(self, keepalive: int) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            headers=self._headers,
            timeout=self._timeout,
            transport=self._custom,
            # Close idle connections before the server does (uvicorn: after 5 s), which could hit a new request.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=keepalive, keepalive_expiry=4.0),
            # Proxies from the environment are for other machines, even if no_proxy does not list loopback addresses.
            trust_env=not _is_loopback(self.base.host),
        )


async def next_chunk(chunks: AsyncIterator[bytes], bounds: AsyncBounds) -> bytes | None:
    """The next bytes of a body, or None at its end."""
    async with bounds:
        return await anext(chunks, None)


def failed(error: httpx.RequestError, call: Call) -> Exception:
    """The exception for a failed connection: TryAgain, or the caller's error."""
    text = f"{call}: {type(error).__name__}{f': {error}' if str(error) else ''}"
    result = ConnectionFailed(text, request=str(call), run_id=call.run_id)
    again, lost = may_try_again(error, call)
    return TryAgain(result, lost=lost) if again else result


def _cut(response: httpx.Response, run: RunCreated | None, error: Exception) -> TreadleError:
    request = f"{response.request.method} {response.request.url.path}"
    text = f"{request}: the answer was cut: {error}"
    return ConnectionFailed(text, request=request, run_id=run.run_id if run else None)


def _timed_out(run: RunCreated | None) -> RunTimeoutError:
    which = f"run {run.run_id}" if run else "the run"
    return RunTimeoutError(
        f"{which} did not end in time",
        run_id=run.run_id if run else None,
        thread_id=run.thread_id if run else None,
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
