"""Every setting, once: this table drives the environment variables, the command line, /info and docs/settings.md."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from treadle.errors import ConfigError

_HERE = Path(".treadle")


def _setting(default: Any, help: str) -> Any:
    return field(default=default, metadata={"help": help})


def _secret(help: str) -> Any:
    """A setting whose value is not shown, nor passed on as a flag: any user of the machine can read those."""
    return field(default="", repr=False, metadata={"help": help, "secret": True})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What one server runs with. Each field is read from ``TREADLE_<NAME>`` unless the caller gives it."""

    host: str = _setting("127.0.0.1", "address to listen on; loopback unless you say otherwise")
    port: int = _setting(2024, "port to listen on; 0 takes a free one")
    data: Path = _setting(_HERE, "directory that holds the SQLite file")
    concurrency: int = _setting(16, "runs executed at once by this process")
    max_attempts: int = _setting(3, "attempts a run gets when its process dies under it, before it ends in error")
    lease_seconds: float = _setting(15.0, "how long a worker that stopped answering keeps its runs")
    heartbeat_seconds: float = _setting(5.0, "interval of the comment frames that keep idle streams open")
    poll_seconds: float = _setting(1.0, "upper bound on how late a lost wake-up is noticed")
    cancel_seconds: float = _setting(5.0, "time a cancelled run gets to stop before it is cut off")
    drain_seconds: float = _setting(10.0, "time running runs get to finish after SIGTERM before they are handed back")
    run_timeout_seconds: float = _setting(3600.0, "longest time one attempt of a run may take; 0 for no limit")
    stateless_retention_seconds: float = _setting(
        600.0, "how long the stream of an ended stateless run can still be joined"
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
    log_level: str = _setting("info", "debug, info, warning or error")
    log_json: bool = _setting(False, "log JSON lines instead of text")

    @property
    def database(self) -> Path:
        return self.data / "treadle.sqlite3"

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
