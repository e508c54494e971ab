"""TODO."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, cast

from starlette.applications import Starlette

from treadle.errors import ConfigError
from treadle.model import JSON
from treadle.project.config import ProjectConfig, kind
from treadle.project.load import named

_SWITCHES: dict[str, tuple[str, ...]] = {
    "disable_assistants": ("Assistants",),
    "disable_threads": ("Threads",),
    "disable_runs": ("runs", "Crons"),
    "disable_store": ("Store",),
    "disable_webhooks": ("Webhooks",),
    "disable_meta": ("System",),
    "disable_mcp": (),
    "disable_a2a": (),
    "disable_ui": (),
}
"""What each switch turns off, by the tags of the route table. The last three name things that this server has not."""


_KEYS = (
    *("app", *_SWITCHES, "cors", "configurable_headers", "logging_headers", "middleware_order"),
    *("enable_custom_route_auth", "mount_prefix"),
)


_CORS: dict[str, tuple[type, ...]] = {
    "allow_origins": (list,),
    "allow_methods": (list,),
    "allow_headers": (list,),
    "allow_credentials": (bool,),
    "allow_origin_regex": (str,),
    "expose_headers": (list,),
    "max_age": (int,),
}


_APP_SHAPE = '"./file.py:app" or "package.module:app", a Starlette or FastAPI application'


_SECRETS = frozenset(["x-api-key", "x-tenant-id", "x-service-key"])


@dataclass(frozen=True)
class HeaderRule:
    """Which request headers go into a run's configurable: those that a pattern of ``includes`` matches and none of
    ``excludes`` does; ``*`` stands for any text. Keys of services go only where they are named in full."""

    includes: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()

    def chosen(self, headers: Mapping[str, str]) -> JSON:
        return {name: value for name, value in headers.items() if self._takes(name)}

    def _takes(self, name: str) -> bool:
        if any(fnmatchcase(name, pattern) for pattern in self.excludes):
            return False
        return name in self.includes or (
            name not in _SECRETS and any(fnmatchcase(name, pattern) for pattern in self.includes)
        )


@dataclass(frozen=True)
class HttpConfig:
    """``cors`` replaces what browsers are told otherwise; ``custom_auth``: the app's own routes ask who comes, too."""

    app: Starlette | None = None
    off: frozenset[str] = frozenset()
    cors: JSON | None = None
    headers: HeaderRule = HeaderRule()
    custom_auth: bool = False
    prefix: str = ""

    @property
    def sends_webhooks(self) -> bool:
        return "disable_webhooks" not in self.off

    def serves(self, *, tag: str, path: str) -> bool:
        """Whether the route ``path``, listed under ``tag``, is switched on. ``/ok`` always is."""
        tags = {tag for switch in self.off for tag in _SWITCHES[switch]}
        return tag not in tags or path in ("/", "/ok")


def http_config(project: ProjectConfig) -> HttpConfig:
    """Reads ``http`` and imports its app; for after ``load_graphs``, which prepares the imports.

    Raises ConfigError naming the key, GraphImportError where the user's own code fails."""
    given: JSON = project.raw.get("http") or {}
    return _Reader(project).read(given)


class _Reader:
    def __init__(self, project: ProjectConfig) -> None:
        self._project = project

    def read(self, given: JSON) -> HttpConfig:
        self._known("http", given, _KEYS)
        if given.get("middleware_order") not in (None, "middleware_first"):
            hint = "middleware_first: an app's middleware comes before authentication"
            raise self._error("http.middleware_order", f"{given['middleware_order']!r} is not supported", hint)
        self._rule(given, "logging_headers")  # no header is logged: there is nothing to leave out
        return HttpConfig(
            app=self._app(given.get("app")),
            off=frozenset(switch for switch in _SWITCHES if self._flag(given, switch)),
            cors=self._cors(given.get("cors")),
            headers=self._rule(given, "configurable_headers"),
            custom_auth=self._flag(given, "enable_custom_route_auth"),
            prefix=self._prefix(given.get("mount_prefix")),
        )

    def _error(self, key: str, detail: str, hint: str | None = None) -> ConfigError:
        return ConfigError(detail, file=str(self._project.file), key=key, hint=hint)

    def _known(self, where: str, given: JSON, keys: Sequence[str]) -> None:
        for key in given.keys() - set(keys):
            raise self._error(f"{where}.{key}", "is not a key that is known here", f"one of {', '.join(keys)}")

    def _flag(self, given: JSON, key: str) -> bool:
        value = given.get(key, False)
        if not isinstance(value, bool):
            raise self._error(f"http.{key}", f"is {value!r}", "true or false")
        return value

    def _app(self, text: Any) -> Starlette | None:
        if text is None:
            return None
        place, found = named(self._project, "http.app", text, _APP_SHAPE)
        if not isinstance(found, Starlette):
            detail = f"{place} is a {type(found).__name__}, not an application"
            raise self._error("http.app", detail, _APP_SHAPE)
        return found

    def _cors(self, given: Any) -> JSON | None:
        if given is None:
            return None
        if not isinstance(given, dict):
            raise self._error("http.cors", f"must be an object, is {kind(given)}")
        cors = cast("JSON", given)
        self._known("http.cors", cors, tuple(_CORS))
        for key, value in cors.items():
            texts = not isinstance(value, list) or all(isinstance(each, str) for each in cast("list[Any]", value))
            if not isinstance(value, _CORS[key]) or (isinstance(value, bool) and key == "max_age") or not texts:
                allowed = {list: "a list of text", bool: "true or false", str: "text", int: "a number of seconds"}
                raise self._error(f"http.cors.{key}", f"is {value!r}", allowed[_CORS[key][0]])
        try:
            re.compile(cors.get("allow_origin_regex", ""))
        except re.error as error:
            raise self._error("http.cors.allow_origin_regex", f"is no regular expression: {error}") from None
        return cors

    def _rule(self, given: JSON, key: str) -> HeaderRule:
        rule = given.get(key) or {}
        if not isinstance(rule, dict):
            raise self._error(f"http.{key}", f"must be an object, is {kind(rule)}", "includes and excludes")
        rules = cast("JSON", rule)
        self._known(f"http.{key}", rules, ("includes", "excludes"))
        return HeaderRule(self._patterns(key, rules, "includes"), self._patterns(key, rules, "excludes"))

    def _patterns(self, key: str, rules: JSON, name: str) -> tuple[str, ...]:
        patterns: Any = rules.get(name) or []
        if not isinstance(patterns, list) or not all(isinstance(each, str) for each in cast("list[Any]", patterns)):
            raise self._error(f"http.{key}.{name}", f"is {patterns!r}", 'a list of header names, such as ["x-org-*"]')
        return tuple(each.lower() for each in cast("list[str]", patterns))

    def _prefix(self, given: Any) -> str:
        if given is None or given == "":
            return ""
        if not isinstance(given, str) or not re.fullmatch(r"(/[\w.~-]+)+/?", given):
            raise self._error("http.mount_prefix", f"is {given!r}", 'a path such as "/api"')
        return given.rstrip("/")
