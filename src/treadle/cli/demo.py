"""``treadle demo``: see a run survive the SIGKILL of its server."""

from __future__ import annotations

import signal
import sys
from importlib.util import find_spec

import typer
from rich.console import Console

from treadle.cli import app, report


@app.command()
def demo() -> None:
    """See a run survive the SIGKILL of its server, in some ten seconds; exits with 0 only if all of it happened.

    On a terminal it then keeps the server until Ctrl-C, so that the run can be looked at in the web console.
    """
    missing = [name for name in ("langchain", "vega_datasets") if find_spec(name) is None]
    if missing:
        report.fail(f"the demo needs {' and '.join(missing)}", hint="pip install 'treadle[demo]'")
    from treadle.cli import show
    from treadle.http import console

    for number in (signal.SIGTERM, signal.SIGHUP):  # a terminal that is closed must not leave the server behind
        signal.signal(number, signal.default_int_handler)
    stay = sys.stdin.isatty() and sys.stdout.isatty() and console.is_built()
    raise typer.Exit(0 if show.present(Console(highlight=False), stay=stay) else 1)
