"""Every setting, once: this table drives the environment variables, the command line, /info and docs/settings.md."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from treadle.errors import ConfigError

_HERE = Path(".treadle")

# What is not well formed would be told by drivers in words that hold parts of a password.
_HOST = r"(?:\[[\da-fA-F:]+\]|[\w.%-]*)(?::\d+)?"
_URL = re.compile(rf"[a-z]+://(?:[^@/?]*@)?{_HOST}(?:,{_HOST})*(?:/[^?@]*)?(?:\?.*)?")
_BAD_ESCAPE = re.compile(r"%(?![\da-fA-F]{2})")
_SCHEMES = {"database_url": ("postgresql", "postgres"), "redis_url": ("redis", "rediss", "unix")}


def _setting(default: Any, help: str) -> Any:
    return field(default=default, metadata={"help": help})


def _secret(help: str) -> Any:
    """A setting whose value is not shown, nor passed on as a flag: any user of the machine can read those."""
    return field(default="", repr=False, metadata={"help": help, "secret": True})


def _url(help: str) -> Any:
    """A secret too, for it may hold a password; but one without can be given as a flag."""
    return field(default="", repr=False, metadata={"help": help, "secret": True, "flag": True})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What one server runs with. Each field is read from ``TREADLE_<NAME>`` unless the caller gives it."""

    host: str = _setting("127.0.0.1", "address to listen on; loopback unless you say otherwise")
    port: int = _setting(2024, "port to listen on; 0 takes a free one")
    data: Path = _setting(_HERE, "directory that holds the SQLite file")
    database_url: str = _url("postgresql://USER:PASSWORD@HOST:PORT/NAME, shared by many processes; none for SQLite")
    redis_url: str = _url("redis://HOST:PORT/NUMBER: makes wake-ups and live streams over PostgreSQL faster")
    database_wait_seconds: float = _setting(30.0, "how long to wait at the start for a database that does not answer")
    migrate: bool = _setting(True, "bring the database's schema up to date at the start; else `treadle migrate` has to")
    workers: int = _setting(1, "1: this process executes runs itself; 0: it only serves, and `treadle worker` executes")
    concurrency: int = _setting(16, "runs executed at once by this process")
    max_pending_runs: int = _setting(
        0, "runs that may wait; creating more gets 429 until some have started; 0: no limit"
    )
    max_attempts: int = _setting(3, "attempts a run gets when its process dies under it, before it ends in error")
    lease_seconds: float = _setting(10.0, "how long a worker that stopped answering keeps its runs")
    heartbeat_seconds: float = _setting(5.0, "interval of the comment frames that keep idle streams open")
    poll_seconds: float = _setting(1.0, "upper bound on how late a lost wake-up is noticed")
    cancel_seconds: float = _setting(5.0, "time a cancelled run gets to stop before it is cut off")
    drain_seconds: float = _setting(10.0, "time running runs get to finish after SIGTERM before they are handed back")
    run_timeout_seconds: float = _setting(3600.0, "longest time one attempt of a run may take; 0 for no limit")
    stateless_retention_seconds: float = _setting(
        600.0, "how long the stream of an ended stateless run can still be joined"
    )
    run_retention_seconds: float = _setting(
        0.0, "how long ended runs are kept; a thread keeps its state without them; 0: until they are deleted"
    )
    event_retention_seconds: float = _setting(
        0.0, "how long the events of ended runs can be read again; 0: as long as the runs"
    )
    idempotency_seconds: float = _setting(86400.0, "how long an Idempotency-Key is remembered")
    max_body_bytes: int = _setting(64 * 1024 * 1024, "largest request body; larger ones get 413")
    graphs_on_serving_loop: bool = _setting(
        False, "run graphs on the loop that serves HTTP, for apps that share loop-bound objects with their own routes"
    )
    block_warning_seconds: float = _setting(1.0, "warn, naming the line, when a node blocks its event loop this long")
    webhook_secret: str = _secret(
        "signs webhooks as standardwebhooks says: base64, with or without whsec_; several (to rotate) part by spaces"
    )
    webhook_timeout_seconds: float = _setting(15.0, "time a webhook's receiver gets to answer")
    webhook_retry_seconds: float = _setting(86400.0, "how long an unanswered webhook is tried again")
    webhook_backoff_seconds: float = _setting(1.0, "pause after a webhook's first failed try; doubled up to an hour")
    webhook_retention_seconds: float = _setting(259200.0, "how long finished webhook deliveries can be looked at")
    webhook_allow_private: bool = _setting(
        False, "let webhooks reach loopback, private, link-local and other addresses that are not public"
    )
    auth_seconds: float = _setting(10.0, "time each handler of the project's auth gets before the request is refused")
    console: bool = _setting(True, "serve the web console at /console")
    log_level: str = _setting("info", "debug, info, warning or error")
    log_json: bool = _setting(False, "log JSON lines instead of text")

    @property
    def database(self) -> Path:
        return self.data / "treadle.sqlite3"

    @property
    def slots(self) -> int:
        """How many runs a serving process executes at once."""
        return self.concurrency if self.workers else 0

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, **given: Any) -> Settings:
        """Settings from the environment, overridden by ``given`` where it is not None. Raises ConfigError."""
        environ = os.environ if environ is None else environ
        hints = get_type_hints(cls)
        values = {
            f.name: _parse(f"TREADLE_{f.name.upper()}", environ[f"TREADLE_{f.name.upper()}"], hints[f.name])
            for f in fields(cls)
            if f"TREADLE_{f.name.upper()}" in environ
        }
        values.update({name: value for name, value in given.items() if value is not None})
        settings = cls(**values)
        settings._check()
        return settings

    def _check(self) -> None:
        self._check_urls()
        if self.workers not in (0, 1):
            raise ConfigError(f"is {self.workers}", key="workers", hint="0 or 1; `treadle worker` starts more of them")
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
        if self.log_level not in ("debug", "info", "warning", "error"):
            raise ConfigError(f"is {self.log_level!r}", key="log_level", hint="one of debug, info, warning, error")

    def _check_urls(self) -> None:
        for name, schemes in _SCHEMES.items():
            check_url(name, getattr(self, name), schemes)
        if self.redis_url and not self.database_url:
            hint = "set database_url too, or leave redis_url out"
            raise ConfigError("Redis only makes PostgreSQL faster; it keeps nothing itself", key="redis_url", hint=hint)
        if not (self.workers or self.database_url):
            hint = "set database_url, or workers to 1"
            raise ConfigError("nobody else can execute the runs of an SQLite file", key="workers", hint=hint)


def check_url(name: str, url: str, schemes: Sequence[str]) -> None:
    """Raises ConfigError, in which no part of ``url`` stands, unless it is empty or well formed."""
    if not url:
        return
    found = _URL.fullmatch(url)
    if not url.startswith(tuple(f"{scheme}://" for scheme in schemes)):
        raise ConfigError("is of a kind that is not known", key=name, hint=f"begins with {_listed(schemes)}")
    if found is None or _BAD_ESCAPE.search(url):
        form = "user:password@host:port/name; in a password write @ as %40, : as %3A, / as %2F, % as %25"
        raise ConfigError("cannot be read as a URL", key=name, hint=f"{schemes[0]}://{form}")


def _listed(schemes: Sequence[str]) -> str:
    return " or ".join(f"{scheme}://" for scheme in schemes)


def flags() -> list[str]:
    """The settings that can be given on a command line: other users of the machine can read it."""
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
