"""The webhook deliveries that the API lists, shows and sends again."""

from __future__ import annotations

from treadle.errors import NotFoundError
from treadle.model import WebhookDelivery, WebhookDeliveryLog
from treadle.ports.deliveries import DeliveryQuery
from treadle.ports.records import Records, Transaction


class Webhooks:
    """List, show and resend deliveries."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def list(self, query: DeliveryQuery) -> tuple[list[WebhookDelivery], int]:
        """The requested page, newest first, and the total number of matches."""
        return await self._records.read(lambda tx: (tx.deliveries(query), tx.count_deliveries(query)))

    async def get(self, delivery_id: str) -> WebhookDeliveryLog:
        """Raises NotFoundError."""
        return await self._records.read(lambda tx: _existing(tx, delivery_id))

    async def redeliver(self, delivery_id: str) -> WebhookDelivery:
        """Send a delivery again now, under the same delivery id. Raises NotFoundError."""

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
