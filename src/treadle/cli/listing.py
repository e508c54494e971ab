"""Tables of runs and deliveries, and the search for one by the prefix of its id."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console, RenderableType
from rich.table import Table

from treadle.cli import report

URL = Annotated[str, typer.Option(envvar="TREADLE_URL", help="URL of the server.")]

LOCAL = "http://127.0.0.1:2024"
SEARCHED = 1000  # number of rows, newest first, that are searched for an id prefix
FULL_ID = 36  # characters

_WIDTH = 140


def check_choices(flag: str, values: Iterable[str], allowed: Collection[str], kind: str) -> None:
    """Exit with 2 unless all ``values`` of a flag are allowed."""
    for unknown in values:
        if unknown not in allowed:
            report.fail(f"{flag} {unknown}: unknown {kind}", hint=f"one of {', '.join(allowed)}", code=2)


def print_table(headings: Sequence[str], rows: Sequence[Sequence[RenderableType]], *, empty: str) -> None:
    """Print the rows, or ``empty``. Ids, which users copy, are never truncated; a narrow terminal wraps the lines."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, no_wrap=heading != "url", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False)
    console.width = max(console.width, _WIDTH)
    console.print(table if rows else empty)


def only_match(kind: str, prefix: str, ids: Iterable[str], *, where: str, hint: str) -> str:
    """The only id that starts with ``prefix``, or exit with 1."""
    matches = [each for each in ids if each.startswith(prefix)]
    if not matches:
        report.fail(f"no {kind} {prefix} {where}", hint=hint)
    if len(matches) > 1:
        report.fail(f"{len(matches)} {kind} ids start with {prefix}: use a longer prefix")
    return matches[0]


def local_time(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone().strftime("%m-%d %H:%M:%S")
