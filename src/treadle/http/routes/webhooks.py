"""The endpoints of webhook deliveries: what was sent, what came of it, and sending again. An addition of treadle's."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from treadle.http import parse
from treadle.http.gate import Access
from treadle.http.responses import json_response, paged
from treadle.http.routing import Operation, Parameter, Services
from treadle.model import DeliveryStatus, WebhookDelivery, WebhookDeliveryLog
from treadle.ports.deliveries import DeliveryQuery

STATUSES: tuple[DeliveryStatus, ...] = ("pending", "delivered", "failed")


async def list_deliveries(request: Request, services: Services) -> Response:
    query = parse.query(request)
    wanted = DeliveryQuery(
        status=query.choice("status", STATUSES),
        thread_id=_uuid(query, "thread"),
        run_id=_uuid(query, "run"),
        limit=query.integer("limit", 10, least=1, most=1000),
        offset=query.integer("offset", 0),
    )
    found, total = await services.webhooks.list(wanted)
    return paged(found, total=total, offset=wanted.offset)


async def get(request: Request, services: Services) -> Response:
    return json_response(await services.webhooks.get(_delivery_id(request)))


async def redeliver(request: Request, services: Services) -> Response:
    return json_response(await services.webhooks.redeliver(_delivery_id(request)))


def _uuid(query: parse.Query, kind: str) -> str | None:
    text = query.text(f"{kind}_id")
    return None if text is None else parse.uuid_text(text, kind)


def _delivery_id(request: Request) -> str:
    return parse.path_uuid(request, "delivery_id", "delivery")


def _operation(method: str, path: str, endpoint: Any, summary: str, **more: Any) -> Operation:
    return Operation(
        method=method, path=f"/webhooks/deliveries{path}", endpoint=endpoint, summary=summary, tag="Webhooks", **more
    )


ROUTES: list[Operation] = [
    _operation(
        "GET",
        "",
        list_deliveries,
        "List webhook deliveries, newest first",
        access=Access("threads", "search"),
        response=list[WebhookDelivery],
        parameters=(
            Parameter(name="status", type=DeliveryStatus),
            Parameter(name="thread_id", type=str),
            Parameter(name="run_id", type=str),
            Parameter(name="limit", type=int, description="1 to 1000, 10 unless given"),
            Parameter(name="offset", type=int),
        ),
        errors=(422,),
    ),
    _operation(
        "GET",
        "/{delivery_id}",
        get,
        "Get a delivery with all its tries and its payload",
        access=Access("threads", "read"),
        response=WebhookDeliveryLog,
        errors=(404, 422),
    ),
    _operation(
        "POST",
        "/{delivery_id}/redeliver",
        redeliver,
        "Send a delivery again, now, under the same id",
        access=Access("threads", "update"),
        response=WebhookDelivery,
        errors=(404, 422),
    ),
]
