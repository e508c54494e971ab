"""``treadle worker``: execute the runs of a shared PostgreSQL database without serving the API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from treadle.cli import app
from treadle.cli.serve import Config, announce, redirect_stdout, reporting_bind_errors, takes
from treadle.settings import Settings, flags

READY = "treadle worker is ready: "

# Settings that only concern serving. ``port`` is redefined below: a worker only listens if a port is given.
LEFT_OUT = {
    *("port", "data", "workers", "heartbeat_seconds", "max_body_bytes", "auth_seconds"),
    *(name for name in flags() if name.startswith("webhook_")),
}
Port = Annotated[int | None, typer.Option(help="Serve /ok and /metrics on this port of --host; 0 picks a free port.")]


@app.command()
@takes(*(name for name in flags() if name not in LEFT_OUT))
def worker(settings: Settings, config: Config = Path("langgraph.json"), port: Port = None) -> None:
    """Execute the runs of a PostgreSQL database, together with any number of other workers. Serves no API.

    Prints one line once it claims runs; logs go to stderr. On SIGTERM running runs may finish; the rest is handed back.
    """
    from treadle import runtime

    stdout = redirect_stdout()
    with reporting_bind_errors(settings.host, port or 0):
        code = runtime.work(settings, config, port=port, ready=lambda what: announce(f"{READY}{what}", stdout))
    raise typer.Exit(code)
