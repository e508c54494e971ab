"""``treadle demo``: a run survives the SIGKILL of its server."""

from __future__ import annotations

import signal
import sys
from importlib.util import find_spec

import typer
from rich.console import Console

from treadle.cli import app, report


@app.command()
def demo() -> None:
    """Watch a run survive the SIGKILL of its server, in about ten seconds. Exits with 0 only if every check passed.

    On a terminal the server then stays up until Ctrl-C, so that you can inspect the run in the web console.
    """
    missing = [name for name in ("langchain", "vega_datasets") if find_spec(name) is None]
    if missing:
        report.fail(f"the demo needs {' and '.join(missing)}", hint="pip install 'treadle[demo]'")
    from treadle.cli import demonstration
    from treadle.http import console

    for number in (signal.SIGTERM, signal.SIGHUP):  # closing the terminal must not leave a server running
        signal.signal(number, signal.default_int_handler)
    stay = sys.stdin.isatty() and sys.stdout.isatty() and console.is_built()
    raise typer.Exit(0 if demonstration.present(Console(highlight=False), stay=stay) else 1)
