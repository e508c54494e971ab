"""``treadle worker``: execute runs of a database that many processes share, and serve nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from treadle.cli import app
from treadle.cli.serve import Config, announce, keep_stdout, listening_told, takes
from treadle.settings import Settings, flags

READY = "treadle worker is ready: "

# What only matters to those who serve, and a port of the worker's own.
LEFT_OUT = {
    *("port", "data", "workers", "heartbeat_seconds", "max_body_bytes", "auth_seconds"),
    *(name for name in flags() if name.startswith("webhook_")),
}
Port = Annotated[int | None, typer.Option(help="Answer /ok and /metrics on this port of --host; 0 takes a free one.")]


@app.command()
@takes(*(name for name in flags() if name not in LEFT_OUT))
def worker(settings: Settings, config: Config = Path("langgraph.json"), port: Port = None) -> None:
    """Execute the runs of a PostgreSQL database, beside as many others as you like. Serves no API.

    Prints one line when it claims runs; logs go to stderr. SIGTERM lets running runs end, and hands back the rest.
    """
    from treadle import runtime

    stdout = keep_stdout()
    with listening_told(settings.host, port or 0):
        code = runtime.work(settings, config, port=port, ready=lambda what: announce(f"{READY}{what}", stdout))
    raise typer.Exit(code)
