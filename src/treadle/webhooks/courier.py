"""The courier: delivers webhooks from the outbox at least once, and in order for each thread."""

from __future__ import annotations

import asyncio
import base64
import random
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version

import standardwebhooks
import structlog
from msgspec import Struct

from treadle.errors import ConfigError
from treadle.ports.clock import Clock
from treadle.ports.deliveries import DeliveryQueue, LeasedDelivery, TryResult
from treadle.ports.queue import Wakeup
from treadle.settings import Settings
from treadle.webhooks.post import BlockedTargetError, Post, PostResponse

logger = structlog.get_logger("treadle.webhook")

_AT_ONCE = 256
_PER_RECEIVER = 4
"""Concurrent attempts per receiver, so that a receiver that hangs cannot occupy all connections."""
_LONGEST_PAUSE_SECONDS = 3600.0
_SWEEP_SECONDS = 60.0
_LEASE_SLACK_SECONDS = 30.0
_GRACE_SECONDS = 2.0
_GONE = 410


class WebhookSigner:
    """Signs webhooks by the Standard Webhooks specification, with each secret.

    Several secrets are separated by spaces; while one is being replaced, receivers accept either. Raises ConfigError
    for a secret that is not base64.
    """

    def __init__(self, secrets: str) -> None:
        try:
            self._keys = [standardwebhooks.Webhook(_key(secret)) for secret in secrets.split()]
        except (ValueError, standardwebhooks.webhooks.EmptyWebhookSecretError) as error:
            hint = "at least one byte in base64, which whsec_ may precede"
            raise ConfigError(f"is not a secret: {error}", key="webhook_secret", hint=hint) from None

    def headers(self, delivery_id: str, at: datetime, content: bytes) -> dict[str, str]:
        named = {"webhook-id": delivery_id, "webhook-timestamp": str(int(at.timestamp()))}
        if self._keys:
            text = content.decode()
            named["webhook-signature"] = " ".join(key.sign(delivery_id, at, text) for key in self._keys)
        return named


def _key(secret: str) -> bytes:
    """The bytes of a secret. The library itself would ignore characters that are not base64."""
    text = secret.removeprefix("whsec_").rstrip("=")
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


class CourierDependencies(Struct, frozen=True):
    """The dependencies of a courier. ``local`` posts to paths of this server; every webhook carries ``headers``."""

    queue: DeliveryQueue
    wakeup: Wakeup
    clock: Clock
    settings: Settings
    signer: WebhookSigner
    post: Post
    local: Post
    headers: Mapping[str, str]


class Courier:
    """Await ``run`` on any loop except that of the graphs. ``stop`` may be called from any thread."""

    def __init__(self, dependencies: CourierDependencies) -> None:
        self._deps = dependencies
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = asyncio.Event()
        self._stopping = False
        self._tries: dict[asyncio.Task[None], str] = {}
        self._sweep_at = 0.0

    async def run(self) -> None:
        """Deliver until ``stop``. Attempts in progress then get a moment to finish; others are retried later."""
        self._loop = asyncio.get_running_loop()
        unsubscribe = self._deps.wakeup.on_delivery(self.wake)
        try:
            while not self._stopping:
                self._changed.clear()
                await self._wait(await self._turn())
        finally:
            unsubscribe()
            await self._leave()

    def wake(self) -> None:
        """Look for due deliveries now. May be called from any thread."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: this courier has ended
                self._loop.call_soon_threadsafe(self._changed.set)

    def stop(self) -> None:
        self._stopping = True
        self.wake()

    async def _turn(self) -> float:
        """Start the deliveries that are due. Returns the number of seconds until the next one."""
        poll = self._deps.settings.poll_seconds
        try:
            next_due = await self._begin()
            await self._sweep()
        except Exception as error:  # the database cannot be reached now; nothing is lost, so retry
            logger.error("looking for webhooks to deliver failed", error=repr(error))
            return poll
        return poll if next_due is None else min(poll, max(0.0, (next_due - self._deps.clock.now()) / 1e6))

    async def _begin(self) -> int | None:
        lease = self._deps.settings.webhook_timeout_seconds + _LEASE_SLACK_SECONDS
        while room := _AT_ONCE - len(self._tries):
            in_flight = Counter(self._tries.values())
            taken = await self._deps.queue.lease(room, in_flight=in_flight, per_receiver=_PER_RECEIVER, seconds=lease)
            for delivery in taken.deliveries:
                task = asyncio.get_running_loop().create_task(self._deliver(delivery))
                self._tries[task] = delivery.receiver
                task.add_done_callback(self._done)
            if not taken.deliveries:
                return taken.next_due
        return None

    async def _sweep(self) -> None:
        if self._deps.clock.monotonic() >= self._sweep_at:
            self._sweep_at = self._deps.clock.monotonic() + _SWEEP_SECONDS
            kept = int(self._deps.settings.webhook_retention_seconds * 1e6)
            await self._deps.queue.sweep(self._deps.clock.now() - kept)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)

    async def _leave(self) -> None:
        if self._tries:
            await asyncio.wait(self._tries, timeout=_GRACE_SECONDS)
        left = list(self._tries)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._tries[task]
        self._changed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # The delivery's lease expires, and then it is retried.
            logger.error("the result of a webhook could not be recorded", error=repr(error))

    async def _deliver(self, delivery: LeasedDelivery) -> None:
        clock = self._deps.clock
        at, began = clock.now(), clock.monotonic()
        found = await self._try(delivery, at)
        took = int((clock.monotonic() - began) * 1000)
        tried = try_result(
            delivery, found, self._deps.settings, at=at, now=clock.now(), took_ms=took, jitter=random.random
        )
        await self._deps.queue.record(delivery, tried)
        if tried.error is not None:
            logger.warning(
                "a webhook was not delivered",
                delivery_id=delivery.delivery_id,
                number=delivery.number,
                error=tried.error,
                given_up=tried.status == "failed",
            )

    async def _try(self, delivery: LeasedDelivery, at: int) -> PostResponse | Exception:
        limit = self._deps.settings.webhook_timeout_seconds
        sent_at = datetime.fromtimestamp(at / 1e6, UTC)
        content = stamped(delivery.payload, sent_at)
        headers = {
            "User-Agent": f"treadle/{version('treadle')}",
            **self._deps.headers,
            "Content-Type": "application/json",
            **self._deps.signer.headers(delivery.delivery_id, sent_at, content),
        }
        try:
            async with asyncio.timeout(limit):
                return await (self._deps.post if delivery.receiver else self._deps.local)(
                    delivery.url, headers, content
                )
        except TimeoutError:
            return TimeoutError(f"no response within {limit:g} seconds")
        except Exception as error:  # any error of the network, TLS or the receiver is a failed attempt
            return error


def stamped(payload: bytes, sent_at: datetime) -> bytes:
    """The body of one attempt: the payload with the time of sending."""
    return payload[:-1] + f',"webhook_sent_at":"{sent_at.isoformat(timespec="microseconds")}"}}'.encode()


def try_result(
    delivery: LeasedDelivery,
    found: PostResponse | Exception,
    settings: Settings,
    *,
    at: int,
    now: int,
    took_ms: int,
    jitter: Callable[[], float],
) -> TryResult:
    """Return the result that an attempt has for its delivery. Pure; ``jitter`` returns numbers from 0 to 1.

    A 2xx status means delivered. A blocked target and 410 fail at once. Everything else is retried until
    ``webhook_retry_seconds`` have passed.
    """
    code = found.status if isinstance(found, PostResponse) else None
    if code is not None and 200 <= code < 300:
        return TryResult(status="delivered", at=at, duration_ms=took_ms, status_code=code)
    asked = found.retry_after if isinstance(found, PostResponse) else None
    next_try_at = now + int(retry_delay(delivery.failures, settings.webhook_backoff_seconds, asked, jitter()) * 1e6)
    over = next_try_at > delivery.since + int(settings.webhook_retry_seconds * 1e6)
    if over or code == _GONE or isinstance(found, BlockedTargetError):
        return TryResult(status="failed", at=at, duration_ms=took_ms, status_code=code, error=_told(found))
    return TryResult(
        status="pending", at=at, duration_ms=took_ms, status_code=code, error=_told(found), next_try_at=next_try_at
    )


def retry_delay(failures: int, first: float, asked: float | None, jitter: float) -> float:
    """Seconds before the next attempt: doubled with each failure up to an hour, minus up to half of it at random.

    At least as long as the receiver ``asked`` for, up to an hour.
    """
    longest = min(first * 2.0 ** min(failures, 40), _LONGEST_PAUSE_SECONDS)
    return max(longest * (1 - jitter / 2), min(asked or 0.0, _LONGEST_PAUSE_SECONDS))


def _told(found: PostResponse | Exception) -> str:
    if isinstance(found, PostResponse):
        redirected = f" to {found.location[:200]}; redirects are not followed" if found.location else ""
        return f"HTTP {found.status}{redirected}"
    text = f"{found}"[:500]
    if isinstance(found, (BlockedTargetError, TimeoutError)) and text:
        return text
    return f"{type(found).__name__}: {text}" if text else type(found).__name__
