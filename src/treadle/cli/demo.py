"""``treadle demo``: see a run survive the SIGKILL of its server."""

from __future__ import annotations

from importlib.util import find_spec

import typer
from rich.console import Console

from treadle.cli import app, report


@app.command()
def demo() -> None:
    """See a run survive the SIGKILL of its server. Takes some ten seconds; exits with 0 only if all of it happened."""
    missing = [name for name in ("langchain", "vega_datasets") if find_spec(name) is None]
    if missing:
        report.fail(f"the demo needs {' and '.join(missing)}", hint="pip install 'treadle[demo]'")
    from treadle.cli import show

    raise typer.Exit(0 if show.present(Console(highlight=False)) else 1)
