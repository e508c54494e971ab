"""``treadle migrate``: upgrade the schema of a PostgreSQL database to this release."""

from __future__ import annotations

from typing import Annotated

import typer

from treadle.cli import app
from treadle.cli.serve import takes
from treadle.errors import ConfigError
from treadle.settings import Settings

Check = Annotated[bool, typer.Option("--check", help="Change nothing; exit with 1 if the schema is not current.")]


@app.command()
@takes("database_url", "database_wait_seconds")
def migrate(settings: Settings, check: Check = False) -> None:
    """Upgrade the schema of a PostgreSQL database. Safe while servers and workers are running."""
    from treadle.runtime import configure_logging, database

    if not settings.database_url:
        hint = "treadle migrate --database-url postgresql://…; a SQLite file is upgraded when it is opened"
        raise ConfigError("is not set", key="database_url", hint=hint)
    configure_logging(settings)
    if check:
        typer.echo(f"schema {database.require_current(settings)} is current")
        return
    before, after = database.migrate(settings)
    typer.echo(f"schema {before} is current" if before == after else f"upgraded schema {before} to {after}")
