"""Send one webhook: a POST that connects only to checked addresses and follows no redirect."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, cast
from urllib.parse import unquote_to_bytes

import httpcore
import httpx
from msgspec import Struct
from starlette.types import ASGIApp

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
Option = httpcore.SOCKET_OPTION

_RESOLVERS = 32
"""Concurrent name lookups. A DNS server that hangs occupies these threads, and delays no connected webhook."""


class BlockedTargetError(Exception):
    """The target is not allowed, because of its URL or because of all addresses that its host resolves to."""


class Targets(Protocol):
    """The rule of allowed targets (webhooks/targets.py)."""

    def refusal(self, url: str) -> str | None: ...
    def address_refusal(self, address: Address) -> str | None: ...


class PostResponse(Struct, frozen=True):
    """A receiver's response. ``retry_after`` is in seconds; ``location`` is set for a redirect."""

    status: int
    retry_after: float | None = None
    location: str | None = None


class Post(Protocol):
    async def __call__(self, url: str, headers: Mapping[str, str], content: bytes) -> PostResponse:
        """Send the POST and return once the response head has arrived. Raises BlockedTargetError or a network error."""
        ...


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Resolve a host, drop the addresses that are not allowed, and connect to one of the rest.

    The checked addresses are the ones connected to, so a DNS record that changes in between has no effect.
    """

    def __init__(self, targets: Targets, resolve: Resolve, inner: httpcore.AsyncNetworkBackend) -> None:
        self._targets = targets
        self._resolve = resolve
        self._inner = inner

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Option] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failed: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in self._allowed(host, await self._resolve(host, port)):
            try:
                return await self._inner.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed

    def _allowed(self, host: str, found: Sequence[Address]) -> list[Address]:
        refused = {address: refusal for address in found if (refusal := self._targets.address_refusal(address))}
        if found and len(refused) == len(set(found)):
            raise BlockedTargetError(f"{host} resolves to {found[0]}: {refused[found[0]]}")
        return [address for address in found if address not in refused]

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Option] | None = None
    ) -> httpcore.AsyncNetworkStream:
        raise BlockedTargetError("a socket file cannot be a target")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Resolver:
    """The system's resolver, on its own threads."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_RESOLVERS, thread_name_prefix="treadle-resolver")

    async def __call__(self, host: str, port: int) -> list[Address]:
        found = await asyncio.get_running_loop().run_in_executor(self._pool, _look_up, host, port)
        return list(dict.fromkeys(found))

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> list[Address]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(str(place[0]).partition("%")[0]) for *_, place in found]


class NetworkPost:
    """Send webhooks over the network.

    Each webhook uses a new connection, so each one is checked. Proxies are not used, since a proxy would choose the
    address.
    """

    def __init__(
        self, targets: Targets, *, resolve: Resolve, inner: httpcore.AsyncNetworkBackend | None = None
    ) -> None:
        self._targets = targets
        self._network = CheckedBackend(
            targets, resolve, inner or cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())
        )
        self._tls: ssl.SSLContext | None = None

    async def __call__(self, url: str, headers: Mapping[str, str], content: bytes) -> PostResponse:
        if refusal := self._targets.refusal(url):  # the rules may have changed since the run was created
            raise BlockedTargetError(refusal)
        target = httpx.URL(url)
        connection = httpcore.AsyncHTTPConnection(
            origin=httpcore.Origin(target.raw_scheme, target.raw_host, _port(target)),
            network_backend=self._network,
            ssl_context=self._context() if target.scheme == "https" else None,
        )
        async with connection:
            request = httpcore.Request("POST", _core(target), headers=_all(target, headers, content), content=content)
            response = await connection.handle_async_request(request)
            try:
                return _answer(response)
            finally:
                await response.aclose()

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = httpcore.default_ssl_context()
        return self._tls


class LocalPost:
    """Post to a path of this server, on the loop that serves it."""

    def __init__(self, app: ASGIApp, loop: asyncio.AbstractEventLoop) -> None:
        self._app = app
        self._loop = loop

    async def __call__(self, url: str, headers: Mapping[str, str], content: bytes) -> PostResponse:
        posting = asyncio.run_coroutine_threadsafe(self._post(url, headers, content), self._loop)
        return await asyncio.wrap_future(posting)

    async def _post(self, url: str, headers: Mapping[str, str], content: bytes) -> PostResponse:
        transport = httpx.ASGITransport(self._app)  # pyright: ignore[reportArgumentType]
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=None) as client:
            response = await client.post(url, headers=dict(headers), content=content)
        return PostResponse(response.status_code)


def _port(url: httpx.URL) -> int:
    return url.port or {"http": 80, "https": 443}[url.scheme]


def _core(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


def _all(url: httpx.URL, headers: Mapping[str, str], content: bytes) -> list[tuple[str, str]]:
    own = {"Host": url.netloc.decode("ascii"), "Accept": "*/*", "Content-Length": str(len(content))}
    if url.userinfo:
        own["Authorization"] = f"Basic {base64.b64encode(unquote_to_bytes(url.userinfo)).decode()}"
    return [*own.items(), *headers.items()]


def _answer(response: httpcore.Response) -> PostResponse:
    headers = {name.lower(): value.decode("latin-1") for name, value in response.headers}
    after = headers.get(b"retry-after", "")
    return PostResponse(
        response.status, float(after) if after.isdecimal() and len(after) < 9 else None, headers.get(b"location")
    )
