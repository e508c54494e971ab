"""The port of the webhook outbox: what the courier needs of a backend, and the values that cross it (see ports)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from treadle.model import JSON, DeliveryStatus


class DeliveryQuery(Struct, kw_only=True, frozen=True):
    """Webhook deliveries, newest first. ``permitted`` are filters that the metadata of their thread must all pass."""

    status: DeliveryStatus | None = None
    thread_id: str | None = None
    run_id: str | None = None
    permitted: Sequence[JSON] = ()
    limit: int = 10
    offset: int = 0


class LeasedDelivery(Struct, frozen=True):
    """A webhook delivery that is to be tried now. ``number`` is that of this try, and fences what is recorded of it.

    ``since`` (unix microseconds) is when trying began, ``failures`` how many tries failed since then.
    """

    delivery_id: str
    number: int
    url: str
    receiver: str
    payload: bytes
    since: int
    failures: int


class TryResult(Struct, kw_only=True, frozen=True):
    """What came of a try: ``status`` is what the delivery is now, ``next_try_at`` (unix microseconds) is set iff it is
    still pending."""

    status: DeliveryStatus
    at: int
    duration_ms: int
    status_code: int | None = None
    error: str | None = None
    next_try_at: int | None = None


class DeliveryBatch(Struct, frozen=True):
    """``next_due`` is when the next delivery comes due, in unix microseconds."""

    deliveries: list[LeasedDelivery]
    next_due: int | None


class DeliveryQueue(Protocol):
    """The outbox of webhooks, as the courier sees it. Rows get in by the transactions that end runs."""

    async def lease(
        self, limit: int, *, in_flight: Mapping[str, int], per_receiver: int, seconds: float
    ) -> DeliveryBatch:
        """Leases up to ``limit`` due deliveries for ``seconds``, oldest first: of the deliveries of one thread to one
        receiver only the oldest pending one, and of one receiver no more than ``per_receiver``, those ``in_flight``
        (receiver: how many) counted in."""
        ...

    async def record(self, delivery: LeasedDelivery, tried: TryResult) -> None:
        """Logs a try and settles or postpones its delivery. Does nothing if a later try has begun."""
        ...

    async def recover(self) -> None:
        """Ends all leases: no other courier can be alive (the start of an embedded server)."""
        ...

    async def sweep(self, finished_before: int) -> None:
        """Removes deliveries that were finished before that (unix microseconds)."""
        ...
