"""Derive which webhook targets are allowed, and the headers of each webhook, from ``webhooks`` of a langgraph.json."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from msgspec import Struct

from treadle.project.config import ProjectConfig
from treadle.project.schema import WebhookUrls

PREFIX = "LG_WEBHOOK_"
"""The prefix of the environment variables that header templates may use, unless ``env_prefix`` sets another."""

_TEMPLATE = re.compile(r"\$\{\{\s*env\.(\w+)\s*\}\}")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class WebhookConfig(Struct, kw_only=True, frozen=True):
    """``domains`` are hosts, or ``*.host`` for its sub-domains; None allows all, for ``ports`` as well.

    ``loopback`` is true if ``disable_loopback`` is false: then this machine and relative URLs are valid targets.
    """

    require_https: bool = False
    loopback: bool = False
    domains: tuple[str, ...] | None = None
    ports: tuple[int, ...] | None = None
    max_url_length: int = 2048
    headers: tuple[tuple[str, str], ...] = ()


def webhook_config(project: ProjectConfig, environ: Mapping[str, str] | None = None) -> WebhookConfig:
    """Derive the settings, with the header templates filled in from the environment. Raises ConfigError."""
    section = project.content.webhooks
    url = section.url or WebhookUrls()
    domains = None if url.allowed_domains is None else (each.lower().rstrip(".") for each in url.allowed_domains)
    headers = _Headers(project, os.environ if environ is None else environ, section.env_prefix)
    return WebhookConfig(
        require_https=url.require_https or False,
        loopback=url.disable_loopback is False,
        domains=None if domains is None else tuple(domains),
        ports=None if url.allowed_ports is None else tuple(url.allowed_ports),
        max_url_length=url.max_url_length or 2048,
        headers=tuple((name, headers.fill(name, value)) for name, value in (section.headers or {}).items()),
    )


class _Headers:
    """Fills the templates of header values, ``${{ env.NAME }}``."""

    def __init__(self, project: ProjectConfig, environ: Mapping[str, str], prefix: str | None) -> None:
        self._project = project
        self._environ = project.env | dict(environ)
        self._prefix = PREFIX if prefix is None else prefix

    def fill(self, name: str, value: str) -> str:
        key = f"webhooks.headers.{name}"
        if not _NAME.fullmatch(name):
            raise self._project.error(key, "is not a header", "a name of letters, digits and -")
        filled = _TEMPLATE.sub(lambda match: self._variable(key, match[1]), value)
        if not filled.isascii() or any(character in filled for character in "\r\n\0"):
            raise self._project.error(key, "cannot be sent", "a value of one line of ASCII text")
        return filled

    def _variable(self, key: str, name: str) -> str:
        if not name.startswith(self._prefix):
            hint = f"only variables that begin with {self._prefix}"
            raise self._project.error(key, f"names the variable {name}", hint)
        if name not in self._environ:
            hint = "set it, or leave the header out"
            raise self._project.error(key, f"names the variable {name}, which is not set", hint)
        return self._environ[name]
