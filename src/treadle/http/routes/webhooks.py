"""The routes of webhook deliveries: list, inspect and resend them. An addition to the official API."""

from __future__ import annotations

from starlette.responses import Response

from treadle.http import parse
from treadle.http.gate import Access
from treadle.http.responses import json_response, paged
from treadle.http.routing import Call, Parameter, Routes
from treadle.model import DeliveryStatus, WebhookDelivery, WebhookDeliveryLog
from treadle.ports.deliveries import DeliveryQuery

STATUSES: tuple[DeliveryStatus, ...] = ("pending", "delivered", "failed")
_FILTERS = (
    Parameter(name="status", type=DeliveryStatus),
    Parameter(name="thread_id", type=str),
    Parameter(name="run_id", type=str),
    Parameter(name="limit", type=int, description="1 to 1000, default 10"),
    Parameter(name="offset", type=int),
)

route = Routes("Webhooks", "/webhooks/deliveries", errors=(404, 422))


@route(
    "GET",
    "",
    "List webhook deliveries, newest first",
    access=Access("threads", "search"),
    returns=list[WebhookDelivery],
    parameters=_FILTERS,
    errors=(422,),
)
async def list_deliveries(call: Call[None]) -> Response:
    query = call.query
    filter = DeliveryQuery(
        status=query.choice("status", STATUSES),
        thread_id=_uuid(query, "thread"),
        run_id=_uuid(query, "run"),
        limit=query.integer("limit", 10, least=1, most=1000),
        offset=query.integer("offset", 0),
    )
    deliveries, total = await call.services.webhooks.list(filter)
    return paged(deliveries, total=total, offset=filter.offset)


@route(
    "GET",
    "/{delivery_id}",
    "Get a webhook delivery with its attempts and payload",
    access=Access("threads", "read"),
    returns=WebhookDeliveryLog,
)
async def get(call: Call[None]) -> Response:
    return json_response(await call.services.webhooks.get(call.id("delivery")))


@route(
    "POST",
    "/{delivery_id}/redeliver",
    "Resend a webhook delivery now, under the same id",
    access=Access("threads", "update"),
    returns=WebhookDelivery,
)
async def redeliver(call: Call[None]) -> Response:
    return json_response(await call.services.webhooks.redeliver(call.id("delivery")))


def _uuid(query: parse.Query, kind: str) -> str | None:
    text = query.text(f"{kind}_id")
    return None if text is None else parse.uuid_text(text, kind)
