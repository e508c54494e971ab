"""The ``treadle`` program. Each command is one module; errors are told in a line or two, never by our traceback."""

from __future__ import annotations

from importlib import metadata
from typing import Annotated

import typer

from treadle.cli import report

app = typer.Typer(
    name="treadle",
    help="Run and stream LangGraph graphs, durably.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"treadle {metadata.version('treadle')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Run and stream LangGraph graphs, durably."""


def main() -> None:
    """The entry point: runs a command and tells its error, if any, in plain words."""
    with report.errors():
        app()


# The commands add themselves to the app.
from treadle.cli import bench, demo, dev, doctor, migrate, run, runs, serve, webhooks, worker  # noqa: E402

__all__ = ["app", "bench", "demo", "dev", "doctor", "main", "migrate", "run", "runs", "serve", "webhooks", "worker"]
