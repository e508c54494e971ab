"""The port of the webhook outbox: leasing due deliveries and recording their attempts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from treadle.model import JSON, DeliveryStatus


class DeliveryQuery(Struct, kw_only=True, frozen=True):
    """Webhook deliveries, newest first. The metadata of a delivery's thread must pass all filters of ``permitted``."""

    status: DeliveryStatus | None = None
    thread_id: str | None = None
    run_id: str | None = None
    permitted: Sequence[JSON] = ()
    limit: int = 10
    offset: int = 0


class LeasedDelivery(Struct, frozen=True):
    """A webhook delivery to send now. ``number`` is the number of this attempt and fences the record of its result.

    ``since`` (unix microseconds) is the time of the first attempt, ``failures`` the number of failed ones since then.
    """

    delivery_id: str
    number: int
    url: str
    receiver: str
    payload: bytes
    since: int
    failures: int


class TryResult(Struct, kw_only=True, frozen=True):
    """The result of an attempt: the delivery's new ``status``. ``next_try_at`` (unix microseconds) is set only while
    the delivery is still pending."""

    status: DeliveryStatus
    at: int
    duration_ms: int
    status_code: int | None = None
    error: str | None = None
    next_try_at: int | None = None


class DeliveryBatch(Struct, frozen=True):
    """``next_due`` is the due time of the next delivery, in unix microseconds."""

    deliveries: list[LeasedDelivery]
    next_due: int | None


class DeliveryQueue(Protocol):
    """The webhook outbox. The transactions that end runs insert its rows."""

    async def lease(
        self, limit: int, *, in_flight: Mapping[str, int], per_receiver: int, seconds: float
    ) -> DeliveryBatch:
        """Lease up to ``limit`` due deliveries for ``seconds``, oldest first.

        Per thread and receiver, only the oldest pending delivery is leased, which preserves the order. A receiver gets
        at most ``per_receiver`` deliveries at once, including its count in ``in_flight``.
        """
        ...

    async def record(self, delivery: LeasedDelivery, result: TryResult) -> None:
        """Log an attempt, and settle or postpone its delivery. Does nothing if a later attempt has begun."""
        ...

    async def recover(self) -> None:
        """End all leases. For the start of an embedded server, when no other courier can be alive."""
        ...

    async def sweep(self, finished_before: int) -> None:
        """Remove the deliveries that finished before ``finished_before`` (unix microseconds)."""
        ...
