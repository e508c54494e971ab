"""TODO."""

from __future__ import annotations

from treadle.errors import NotFoundError
from treadle.model import WebhookDelivery, WebhookDeliveryLog
from treadle.ports.deliveries import DeliveryQuery
from treadle.ports.records import Records, Transaction


class Webhooks:
    """What the API may see of deliveries and do to them."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def list(self, query: DeliveryQuery) -> tuple[list[WebhookDelivery], int]:
        """The page asked for, newest first, and how many there are in all."""
        return await self._records.read(lambda tx: (tx.deliveries(query), tx.count_deliveries(query)))

    async def get(self, delivery_id: str) -> WebhookDeliveryLog:
        """Raises NotFoundError."""
        return await self._records.read(lambda tx: _existing(tx, delivery_id))

    async def redeliver(self, delivery_id: str) -> WebhookDelivery:
        """Sends it again, now, under the same delivery id. Raises NotFoundError."""

        def work(tx: Transaction) -> WebhookDelivery:
            tx.redeliver(delivery_id)
            found = _existing(tx, delivery_id)
            return WebhookDelivery(**{name: getattr(found, name) for name in WebhookDelivery.__struct_fields__})

        return await self._records.transact(work)


def _existing(tx: Transaction, delivery_id: str) -> WebhookDeliveryLog:
    found = tx.delivery(delivery_id)
    if found is None:
        raise NotFoundError(f"Webhook delivery {delivery_id} not found")
    return found
