"""The table of settings; environment variables, command-line flags, /info and docs/settings.md follow from it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from treadle.errors import ConfigError

_HERE = Path(".treadle")

# Drivers quote malformed URLs in their errors, which could leak a password, so malformed URLs never reach them.
_HOST = r"(?:\[[\da-fA-F:]+\]|[\w.%-]*)(?::\d+)?"
_URL = re.compile(rf"[a-z]+://(?:[^@/?]*@)?{_HOST}(?:,{_HOST})*(?:/[^?@]*)?(?:\?.*)?")
_BAD_ESCAPE = re.compile(r"%(?![\da-fA-F]{2})")
_CHOICES = {"log_level": ("debug", "info", "warning", "error"), "log_format": ("text", "json")}
_SCHEMES = {"database_url": ("postgresql", "postgres"), "redis_url": ("redis", "rediss", "unix")}


def _setting(default: Any, help: str) -> Any:
    return field(default=default, metadata={"help": help})


def _secret(help: str) -> Any:
    """A setting that is neither shown nor accepted as a flag, since any user of the machine can read flags."""
    return field(default="", repr=False, metadata={"help": help, "secret": True})


def _url(help: str) -> Any:
    """A secret, since it may contain a password, but accepted as a flag for URLs without one."""
    return field(default="", repr=False, metadata={"help": help, "secret": True, "flag": True})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one process. Each field defaults to the environment variable ``TREADLE_<NAME>``."""

    host: str = _setting("127.0.0.1", "address to listen on")
    port: int = _setting(2024, "port to listen on; 0 picks a free port")
    data: Path = _setting(_HERE, "directory of the SQLite file")
    database_url: str = _url("postgresql://USER:PASSWORD@HOST:PORT/NAME, shared by many processes; empty: SQLite")
    redis_url: str = _url("redis://HOST:PORT/NUMBER, to speed up wake-ups and live streams over PostgreSQL")
    database_wait_seconds: float = _setting(30.0, "how long to wait at startup for a database that does not respond")
    migrate: bool = _setting(True, "upgrade the database schema at startup; if false, run `treadle migrate`")
    workers: int = _setting(1, "1: this process executes runs; 0: it only serves HTTP, and `treadle worker` executes")
    concurrency: int = _setting(16, "runs that this process executes concurrently")
    max_pending_runs: int = _setting(
        0, "maximum number of pending runs; creating more returns 429 until some have started; 0: no limit"
    )
    max_attempts: int = _setting(3, "attempts of a run whose worker keeps dying, before the run ends in error")
    lease_seconds: float = _setting(10.0, "how long a worker that stopped responding keeps its runs")
    heartbeat_seconds: float = _setting(5.0, "interval of the SSE comments that keep idle streams open")
    poll_seconds: float = _setting(1.0, "polling interval: the longest delay after a lost wake-up")
    cancel_seconds: float = _setting(5.0, "time that a cancelled run gets to stop before it is cut off")
    drain_seconds: float = _setting(
        10.0, "time that running runs get to finish after SIGTERM before they are handed back"
    )
    run_timeout_seconds: float = _setting(3600.0, "maximum duration of one attempt of a run; 0: no limit")
    stateless_retention_seconds: float = _setting(
        600.0, "how long the stream of a finished stateless run can still be joined"
    )
    run_retention_seconds: float = _setting(
        0.0, "how long finished runs are kept; threads keep their state without them; 0: until deleted"
    )
    event_retention_seconds: float = _setting(
        0.0, "how long the events of finished runs can be replayed; 0: as long as the runs are kept"
    )
    idempotency_seconds: float = _setting(86400.0, "how long an Idempotency-Key is remembered")
    max_body_bytes: int = _setting(64 * 1024 * 1024, "maximum size of a request body; larger ones get 413")
    graphs_on_serving_loop: bool = _setting(
        False,
        "run graphs on the event loop that serves HTTP, for apps whose routes and graphs share loop-bound objects",
    )
    block_warning_seconds: float = _setting(
        1.0, "warn, with the source line, when a node blocks its event loop for this long"
    )
    webhook_secret: str = _secret(
        "signs webhooks (Standard Webhooks): base64, with or without whsec_; separate several by spaces to rotate keys"
    )
    webhook_timeout_seconds: float = _setting(15.0, "time that a webhook receiver gets to respond")
    webhook_retry_seconds: float = _setting(86400.0, "how long failed webhook deliveries are retried")
    webhook_backoff_seconds: float = _setting(
        1.0, "pause after the first failed webhook delivery; doubles with each failure up to an hour"
    )
    webhook_retention_seconds: float = _setting(259200.0, "how long finished webhook deliveries stay visible")
    webhook_allow_private: bool = _setting(
        False, "allow webhooks to loopback, private, link-local and other non-public addresses"
    )
    auth_seconds: float = _setting(
        10.0, "time that each of the project's auth handlers gets before the request is rejected"
    )
    console: bool = _setting(True, "serve the web console at /console")
    log_level: str = _setting("info", "debug, info, warning or error")
    log_format: str = _setting("text", "text for people, or json: one JSON object per line")

    @property
    def database(self) -> Path:
        return self.data / "treadle.sqlite3"

    @property
    def slots(self) -> int:
        """Runs that a serving process executes concurrently."""
        return self.concurrency if self.workers else 0

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
        """Read the environment; ``overrides`` that are not None win. Raises ConfigError."""
        environ = os.environ if environ is None else environ
        hints = get_type_hints(cls)
        values = {
            f.name: _parse(f"TREADLE_{f.name.upper()}", environ[f"TREADLE_{f.name.upper()}"], hints[f.name])
            for f in fields(cls)
            if f"TREADLE_{f.name.upper()}" in environ
        }
        values.update({name: value for name, value in overrides.items() if value is not None})
        settings = cls(**values)
        settings._check()
        return settings

    def _check(self) -> None:
        self._check_urls()
        if self.workers not in (0, 1):
            raise ConfigError(f"is {self.workers}", key="workers", hint="0 or 1; start more with `treadle worker`")
        for name in ("database_wait_seconds", "max_pending_runs", "run_retention_seconds", "event_retention_seconds"):
            if getattr(self, name) < 0:
                raise ConfigError(f"must be at least 0, is {getattr(self, name)}", key=name)
        for name in ("concurrency", "max_attempts", "max_body_bytes"):
            if getattr(self, name) < 1:
                raise ConfigError(f"must be at least 1, is {getattr(self, name)}", key=name)
        for name in (
            *("lease_seconds", "heartbeat_seconds", "poll_seconds"),
            *("webhook_timeout_seconds", "webhook_backoff_seconds", "auth_seconds"),
        ):
            if getattr(self, name) <= 0:
                raise ConfigError(f"must be above 0, is {getattr(self, name)}", key=name)
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ConfigError(f"is {getattr(self, name)!r}", key=name, hint=f"one of {', '.join(allowed)}")

    def _check_urls(self) -> None:
        for name, schemes in _SCHEMES.items():
            check_url(name, getattr(self, name), schemes)
        if self.redis_url and not self.database_url:
            hint = "set database_url too, or remove redis_url"
            raise ConfigError("Redis only speeds up PostgreSQL and stores nothing", key="redis_url", hint=hint)
        if not (self.workers or self.database_url):
            hint = "set database_url, or workers to 1"
            raise ConfigError("no other process can execute the runs of a SQLite file", key="workers", hint=hint)


def check_url(name: str, url: str, schemes: Sequence[str]) -> None:
    """Raise ConfigError unless ``url`` is empty or well formed. The error never quotes any part of ``url``."""
    if not url:
        return
    if not url.startswith(tuple(f"{scheme}://" for scheme in schemes)):
        raise ConfigError("has an unknown scheme", key=name, hint=f"must start with {_listed(schemes)}")
    if not _URL.fullmatch(url) or _BAD_ESCAPE.search(url):
        form = "user:password@host:port/name; in a password write @ as %40, : as %3A, / as %2F, % as %25"
        raise ConfigError("is not a valid URL", key=name, hint=f"{schemes[0]}://{form}")


def _listed(schemes: Sequence[str]) -> str:
    return " or ".join(f"{scheme}://" for scheme in schemes)


def flags() -> list[str]:
    """The settings accepted as flags. Secrets are not, since other users of the machine can read a command line."""
    return [f.name for f in fields(Settings) if f.metadata.get("flag") or not f.metadata.get("secret")]


def table() -> list[tuple[str, str, Any, str]]:
    """``(name, environment variable, default, help)`` of every setting, in order."""
    return [
        (f.name, f"TREADLE_{f.name.upper()}", None if f.default is MISSING else f.default, f.metadata["help"])
        for f in fields(Settings)
    ]


def _parse(name: str, text: str, kind: type) -> Any:
    try:
        if kind is bool:
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[text.lower()]
        return kind(text)
    except (ValueError, KeyError):
        allowed = "true or false" if kind is bool else f"a value of type {kind.__name__}"
        raise ConfigError(f"is {text!r}", key=name, hint=allowed) from None
