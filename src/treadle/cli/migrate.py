"""``treadle migrate``: bring a PostgreSQL database to the schema of this treadle."""

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
    """Bring the schema of a PostgreSQL database up to date. Safe while servers and workers run."""
    from treadle.runtime import configure_logging, database

    if not settings.database_url:
        hint = "treadle migrate --database-url postgresql://…; an SQLite file is brought up to date when it is opened"
        raise ConfigError("is not set", key="database_url", hint=hint)
    configure_logging(settings)
    if check:
        typer.echo(f"schema {database.require_current(settings)} is current")
        return
    before, after = database.migrate(settings)
    typer.echo(f"schema {before} is current" if before == after else f"schema {before} is now {after}")
