"""The ``webhooks`` of a langgraph.json: which targets are allowed, and headers that every webhook carries."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from msgspec import Struct

from treadle.errors import ConfigError
from treadle.model import JSON
from treadle.project.config import ProjectConfig

PREFIX = "LG_WEBHOOK_"
"""What the names of environment variables in header templates begin with, unless ``env_prefix`` says otherwise."""

_TEMPLATE = re.compile(r"\$\{\{\s*env\.(\w+)\s*\}\}")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class WebhookConfig(Struct, kw_only=True, frozen=True):
    """``domains`` are hosts, or ``*.host`` for its sub-domains; None allows all, as it does for ``ports``.

    ``loopback`` is true where ``disable_loopback`` is false: this machine and relative URLs may be reached.
    """

    require_https: bool = False
    loopback: bool = False
    domains: tuple[str, ...] | None = None
    ports: tuple[int, ...] | None = None
    longest_url: int = 2048
    headers: tuple[tuple[str, str], ...] = ()


def webhook_config(project: ProjectConfig, environ: Mapping[str, str] | None = None) -> WebhookConfig:
    """Reads and checks it. Raises ConfigError naming the key and what is allowed."""
    given = dict(os.environ if environ is None else environ)
    return _Reader(str(project.file), project.env | given).read(project.raw)


class _Reader:
    def __init__(self, file: str, environ: Mapping[str, str]) -> None:
        self._file = file
        self._environ = environ

    def read(self, raw: JSON) -> WebhookConfig:
        given: JSON = raw.get("webhooks") or {}
        self._known("webhooks", given, ("url", "headers", "env_prefix"))
        url = self._take("webhooks", given, "url", {}, _is_object, "an object")
        keys = ("require_https", "disable_loopback", "allowed_domains", "allowed_ports", "max_url_length")
        self._known("webhooks.url", url, keys)
        return WebhookConfig(
            require_https=self._take("webhooks.url", url, "require_https", False, _is_flag, "true or false"),
            loopback=not self._take("webhooks.url", url, "disable_loopback", True, _is_flag, "true or false"),
            domains=self._domains(url),
            ports=self._ports(url),
            longest_url=self._take("webhooks.url", url, "max_url_length", 2048, _is_count, "a number from 1"),
            headers=self._headers(given),
        )

    def _error(self, key: str, detail: str, allowed: str) -> ConfigError:
        return ConfigError(detail, file=self._file, key=key, hint=allowed)

    def _known(self, where: str, given: JSON, keys: tuple[str, ...]) -> None:
        for key in given.keys() - set(keys):
            raise self._error(f"{where}.{key}", "is not a key that is known here", f"one of {', '.join(keys)}")

    def _take(self, where: str, given: JSON, key: str, default: Any, fits: Callable[[Any], bool], allowed: str) -> Any:
        value = given.get(key)
        if value is None:
            return default
        if not fits(value):
            raise self._error(f"{where}.{key}", f"is {value!r}", allowed)
        return value

    def _domains(self, url: JSON) -> tuple[str, ...] | None:
        found = self._take("webhooks.url", url, "allowed_domains", None, _is_texts, 'such as ["hooks.example.com"]')
        return None if found is None else tuple(domain.lower().rstrip(".") for domain in found)

    def _ports(self, url: JSON) -> tuple[int, ...] | None:
        found = self._take("webhooks.url", url, "allowed_ports", None, _is_ports, "such as [443, 8443]")
        return None if found is None else tuple(found)

    def _headers(self, given: JSON) -> tuple[tuple[str, str], ...]:
        prefix = self._take("webhooks", given, "env_prefix", PREFIX, _is_text, "text")
        headers: JSON = self._take("webhooks", given, "headers", {}, _is_object, "an object of text")
        return tuple((name, self._header(name, value, prefix)) for name, value in headers.items())

    def _header(self, name: str, value: Any, prefix: str) -> str:
        key = f"webhooks.headers.{name}"
        if not isinstance(value, str) or not _NAME.fullmatch(name):
            raise self._error(key, "is not a header", "a name of letters, digits and -, and a value that is text")
        filled = _TEMPLATE.sub(lambda match: self._variable(key, match[1], prefix), value)
        if not filled.isascii() or any(character in filled for character in "\r\n\0"):
            raise self._error(key, "cannot be sent", "a value of one line of ASCII text")
        return filled

    def _variable(self, key: str, name: str, prefix: str) -> str:
        if not name.startswith(prefix):
            raise self._error(key, f"names the variable {name}", f"only variables that begin with {prefix}")
        if name not in self._environ:
            raise self._error(key, f"names the variable {name}, which is not set", "set it, or leave the header out")
        return self._environ[name]


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and item for item in cast("list[Any]", value))


def _is_ports(value: Any) -> bool:
    items = cast("list[Any]", value)
    return isinstance(value, list) and all(_is_count(item) and item < 65536 for item in items)
