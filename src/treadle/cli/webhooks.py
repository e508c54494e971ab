"""``treadle webhooks``: list and show a server's webhook deliveries, and send one again."""

from __future__ import annotations

from typing import Annotated, Any

import httpx
import msgspec
import typer
from rich.console import Console
from rich.text import Text

from treadle.cli import app
from treadle.cli.connect import no_server
from treadle.cli.listing import FULL_ID, LOCAL, SEARCHED, URL, check_choices, local_time, only_match, print_table
from treadle.errors import error_for_status
from treadle.model import DeliveryStatus, WebhookDelivery

DeliveryID = Annotated[str, typer.Argument(metavar="DELIVERY", help="The delivery's id, or a unique prefix of it.")]

STATUSES: tuple[DeliveryStatus, ...] = ("pending", "delivered", "failed")
COLORS = {"delivered": "green", "failed": "red", "pending": "cyan"}
COLUMNS = ("delivery", "status", "attempts", "created", "next attempt", "run status", "run", "url")
TIMEOUT_SECONDS = 30.0

webhooks = typer.Typer(help="List, show and resend webhook deliveries.", no_args_is_help=True)
app.add_typer(webhooks, name="webhooks")


@webhooks.command()
def ls(
    status: Annotated[str | None, typer.Option(help=f"Only this status: {', '.join(STATUSES)}.")] = None,
    thread: Annotated[str | None, typer.Option("--thread", "-t", help="Only this thread's deliveries.")] = None,
    run: Annotated[str | None, typer.Option(help="Only this run's deliveries.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Maximum number of deliveries.")] = 20,
    url: URL = LOCAL,
) -> None:
    """List deliveries, newest first."""
    check_choices("--status", [status] if status else (), STATUSES, "status")
    query = {"status": status, "thread_id": thread, "run_id": run, "limit": limit}
    newest = msgspec.json.decode(_request(url, "GET", "", query), type=list[WebhookDelivery])
    print_table(COLUMNS, [_row(each) for each in newest], empty="no deliveries")


@webhooks.command()
def show(delivery: DeliveryID, url: URL = LOCAL) -> None:
    """Print one delivery as JSON, with its attempts and its payload."""
    Console(highlight=False).print_json(_request(url, "GET", f"/{_find(url, delivery)}").decode())


@webhooks.command()
def redeliver(delivery: DeliveryID, url: URL = LOCAL) -> None:
    """Send a delivery again now, under the same id and regardless of its status."""
    delivery_id = _find(url, delivery)
    _request(url, "POST", f"/{delivery_id}/redeliver")
    Console(highlight=False).print(f"sending {delivery_id} again")


def _request(url: str, method: str, path: str, params: dict[str, Any] | None = None) -> bytes:
    """The body of the response. Raises the APIError of its status."""
    query = {name: value for name, value in (params or {}).items() if value is not None}
    target = f"{url.rstrip('/')}/webhooks/deliveries{path}"
    try:
        response = httpx.request(method, target, params=query, timeout=TIMEOUT_SECONDS, trust_env=False)
    except httpx.HTTPError as error:
        no_server(url, error)
    if response.is_success:
        return response.content
    raise error_for_status(response.status_code)(_detail(response), status=response.status_code)


def _detail(response: httpx.Response) -> str:
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):  # not a treadle server
        return response.text[:200]


def _find(url: str, delivery: str) -> str:
    if len(delivery) == FULL_ID:
        return delivery
    newest = msgspec.json.decode(_request(url, "GET", "", {"limit": SEARCHED}), type=list[WebhookDelivery])
    ids = [each.delivery_id for each in newest]
    where, hint = f"among the last {SEARCHED}", "list them with `treadle webhooks ls`"
    return only_match("delivery", delivery, ids, where=where, hint=hint)


def _row(delivery: WebhookDelivery) -> tuple[str | Text, ...]:
    status = Text(delivery.status, style=COLORS[delivery.status])
    created, next_try = local_time(delivery.created_at), local_time(delivery.next_try_at)
    end = delivery.run_status, delivery.run_id, delivery.url
    return delivery.delivery_id, status, str(delivery.tries), created, next_try, *end
