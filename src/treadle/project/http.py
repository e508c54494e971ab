"""Derive the HTTP settings of a project from the ``http`` section of its langgraph.json, and import its app."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from msgspec import UnsetType, to_builtins
from starlette.applications import Starlette

from treadle.model import JSON
from treadle.project.config import ProjectConfig
from treadle.project.imports import import_object
from treadle.project.schema import CorsRules, HeaderPatterns

_SWITCHES: dict[str, tuple[str, ...]] = {
    "disable_assistants": ("Assistants",),
    "disable_threads": ("Threads",),
    "disable_runs": ("runs", "Crons"),
    "disable_store": ("Store",),
    "disable_webhooks": ("Webhooks",),
    "disable_meta": ("System",),
}
"""The tags of the routes that each switch turns off. The other switches name features that this server lacks."""

_APP_SHAPE = '"./file.py:app" or "package.module:app", a Starlette or FastAPI application'

_SECRETS = frozenset(["x-api-key", "x-tenant-id", "x-service-key"])


@dataclass(frozen=True)
class HeaderRule:
    """Selects the request headers that go into a run's configurable: those that match a pattern of ``includes`` and
    none of ``excludes``, where ``*`` matches any text. Service keys are selected only by their full name."""

    includes: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()

    def select(self, headers: Mapping[str, str]) -> JSON:
        return {name: value for name, value in headers.items() if self._selects(name)}

    def _selects(self, name: str) -> bool:
        if any(fnmatchcase(name, pattern) for pattern in self.excludes):
            return False
        return name in self.includes or (
            name not in _SECRETS and any(fnmatchcase(name, pattern) for pattern in self.includes)
        )


@dataclass(frozen=True)
class HttpConfig:
    """``cors`` replaces the default CORS rules; with ``custom_auth`` the app's own routes are authenticated, too."""

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
    """Derive the HTTP settings, and import the app. Call it after ``load_graphs``, which prepares ``sys.path``.

    Raises ConfigError, or GraphImportError if the user's own code fails."""
    section = project.content.http
    return HttpConfig(
        app=None if section.app is None else _app(project, section.app),
        off=frozenset(switch for switch in _SWITCHES if getattr(section, switch)),
        cors=None if section.cors is None else _cors(project, section.cors),
        headers=_rule(section.configurable_headers),
        custom_auth=section.enable_custom_route_auth,
        prefix=(section.mount_prefix or "").rstrip("/"),
    )


def _app(project: ProjectConfig, text: str) -> Starlette:
    place = project.reference("http.app", text, _APP_SHAPE)
    app = import_object(place)
    if not isinstance(app, Starlette):
        raise place.error(f"{place} is a {type(app).__name__}, not an application")
    return app


def _cors(project: ProjectConfig, rules: CorsRules) -> JSON:
    """Return only the rules that are set: the server has defaults for the others."""
    try:
        re.compile("" if isinstance(rules.allow_origin_regex, UnsetType) else rules.allow_origin_regex)
    except re.error as error:
        raise project.error("http.cors.allow_origin_regex", f"is not a regular expression: {error}") from None
    return to_builtins(rules)


def _rule(patterns: HeaderPatterns | None) -> HeaderRule:
    patterns = patterns or HeaderPatterns()
    includes, excludes = patterns.includes or (), patterns.excludes or ()
    return HeaderRule(tuple(each.lower() for each in includes), tuple(each.lower() for each in excludes))
