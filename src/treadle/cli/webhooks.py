"""``treadle webhooks``: list and show a server's webhook deliveries, and send one again."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import httpx
import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from treadle.cli import app, report
from treadle.cli.connect import no_server
from treadle.cli.runs import LOCAL, URL, WIDTH, local_time
from treadle.errors import error_for_status
from treadle.model import DeliveryStatus, WebhookDelivery

T = TypeVar("T")

DeliveryID = Annotated[str, typer.Argument(metavar="DELIVERY", help="The delivery's id, or a unique prefix of it.")]

STATUSES: tuple[DeliveryStatus, ...] = ("pending", "delivered", "failed")
COLORS = {"delivered": "green", "failed": "red", "pending": "cyan"}
MOST = 1000  # number of deliveries, newest first, that are searched for an id prefix
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
    if status is not None and status not in STATUSES:
        report.fail(f"--status {status}: unknown status", hint=f"one of {', '.join(STATUSES)}", code=2)
    query = {"status": status, "thread_id": thread, "run_id": run, "limit": limit}
    newest = msgspec.json.decode(_request(url, "GET", "", query), type=list[WebhookDelivery])
    console = Console(highlight=False)
    console.width = max(console.width, WIDTH)
    console.print(_table(newest) if newest else "no deliveries")


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
    if len(delivery) == 36:
        return delivery
    newest = msgspec.json.decode(_request(url, "GET", "", {"limit": MOST}), type=list[WebhookDelivery])
    matches = [each.delivery_id for each in newest if each.delivery_id.startswith(delivery)]
    if not matches:
        report.fail(f"no delivery {delivery} among the last {MOST}", hint="list them with `treadle webhooks ls`")
    if len(matches) > 1:
        report.fail(f"{len(matches)} delivery ids start with {delivery}: use a longer prefix")
    return matches[0]


def _table(deliveries: list[WebhookDelivery]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("delivery", "status", "attempts", "created", "next attempt", "run status", "run", "url"):
        table.add_column(name, no_wrap=name != "url", overflow="fold")
    for each in deliveries:
        status = Text(each.status, style=COLORS[each.status])
        created, next_try = local_time(each.created_at), each.next_try_at and local_time(each.next_try_at)
        row = (str(each.tries), created, next_try or "", each.run_status, each.run_id, each.url)
        table.add_row(each.delivery_id, status, *row)
    return table
