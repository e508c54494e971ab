"""``treadle webhooks``: look at what a server delivered, or could not, and send it again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, TypeVar

import httpx
import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from treadle.cli import app, report
from treadle.cli.runs import LOCAL, URL, WIDTH
from treadle.errors import error_for_status
from treadle.model import DeliveryStatus, WebhookDelivery

T = TypeVar("T")

DeliveryID = Annotated[str, typer.Argument(metavar="DELIVERY", help="The delivery's id, or the beginning of it.")]

STATUSES: tuple[DeliveryStatus, ...] = ("pending", "delivered", "failed")
COLORS = {"delivered": "green", "failed": "red", "pending": "cyan"}
MOST = 1000  # deliveries searched for the beginning of an id
PATIENCE_SECONDS = 30.0

webhooks = typer.Typer(help="Look at a server's webhooks, send them again.", no_args_is_help=True)
app.add_typer(webhooks, name="webhooks")


@webhooks.command()
def ls(
    status: Annotated[str | None, typer.Option(help=f"Only these: {', '.join(STATUSES)}.")] = None,
    thread: Annotated[str | None, typer.Option("--thread", "-t", help="Only those of this thread's runs.")] = None,
    run: Annotated[str | None, typer.Option(help="Only those of this run.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 20,
    url: URL = LOCAL,
) -> None:
    """List deliveries, newest first."""
    if status is not None and status not in STATUSES:
        report.fail(f"--status {status}: there is no such status", hint=f"one of {', '.join(STATUSES)}", code=2)
    wanted = {"status": status, "thread_id": thread, "run_id": run, "limit": limit}
    found = msgspec.json.decode(_ask(url, "GET", "", wanted), type=list[WebhookDelivery])
    console = Console(highlight=False)
    console.width = max(console.width, WIDTH)
    console.print(_table(found) if found else "no deliveries")


@webhooks.command()
def show(delivery: DeliveryID, url: URL = LOCAL) -> None:
    """Print one delivery as JSON: its tries, and what it carries."""
    Console(highlight=False).print_json(_ask(url, "GET", f"/{_find(url, delivery)}").decode())


@webhooks.command()
def redeliver(delivery: DeliveryID, url: URL = LOCAL) -> None:
    """Send a delivery again, now, under the same id, whatever it has come to."""
    delivery_id = _find(url, delivery)
    _ask(url, "POST", f"/{delivery_id}/redeliver")
    Console(highlight=False).print(f"sending {delivery_id} again")


def _ask(url: str, method: str, path: str, params: dict[str, Any] | None = None) -> bytes:
    """The body of the answer. Raises the error of its status."""
    given = {name: value for name, value in (params or {}).items() if value is not None}
    place = f"{url.rstrip('/')}/webhooks/deliveries{path}"
    try:
        answer = httpx.request(method, place, params=given, timeout=PATIENCE_SECONDS, trust_env=False)
    except httpx.HTTPError as error:
        report.fail(
            f"no server answers at {url}: {error or type(error).__name__}",
            hint="`treadle dev` starts one; --url or TREADLE_URL says where it is",
        )
    if answer.is_success:
        return answer.content
    raise error_for_status(answer.status_code)(_detail(answer), status=answer.status_code)


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):  # not one of our servers
        return answer.text[:200]


def _find(url: str, delivery: str) -> str:
    if len(delivery) == 36:
        return delivery
    listed = msgspec.json.decode(_ask(url, "GET", "", {"limit": MOST}), type=list[WebhookDelivery])
    found = [each.delivery_id for each in listed if each.delivery_id.startswith(delivery)]
    if not found:
        report.fail(f"no delivery {delivery} among the last {MOST}", hint="`treadle webhooks ls` lists them")
    if len(found) > 1:
        report.fail(f"{delivery} is the beginning of {len(found)} deliveries' ids: give more of it")
    return found[0]


def _table(found: list[WebhookDelivery]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("delivery", "status", "tries", "ended", "next try", "run", "of run", "to"):
        table.add_column(name, no_wrap=name != "to", overflow="fold")
    for each in found:
        status = Text(each.status, style=COLORS[each.status])
        when = (_when(each.created_at), _when(each.next_try_at))
        table.add_row(each.delivery_id, status, str(each.tries), *when, each.run_status, each.run_id, each.url)
    return table


def _when(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone().strftime("%m-%d %H:%M:%S")
