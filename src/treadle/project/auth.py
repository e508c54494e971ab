"""TODO."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from langgraph_sdk import Auth

from treadle.errors import ConfigError
from treadle.model import JSON
from treadle.project.config import ProjectConfig, kind
from treadle.project.load import named

PARAMETERS = frozenset(["request", "body", "path", "method", "path_params", "query_params", "headers", "authorization"])
"""What an authenticate handler may ask for, by name."""


_KEYS = ("path", "disable_studio_auth", "openapi", "cache")


_SHAPE = '"./file.py:auth" or "package.module:auth", an instance of langgraph_sdk.Auth'


@dataclass(frozen=True)
class AuthConfig:
    """``openapi`` is what the project adds to the OpenAPI document about security."""

    auth: Auth
    place: str
    openapi: JSON


def auth_config(project: ProjectConfig) -> AuthConfig | None:
    """Reads ``auth`` and imports what it names; for after ``load_graphs``, which prepares the imports. None without it.

    Raises ConfigError naming the key, GraphImportError where the user's own code fails."""
    given: JSON | None = project.raw.get("auth")
    return _Reader(project).read(given) if given else None


class _Reader:
    def __init__(self, project: ProjectConfig) -> None:
        self._project = project

    def read(self, given: JSON) -> AuthConfig:
        for key in given.keys() - set(_KEYS):
            raise self._error(f"auth.{key}", "is not a key that is known here", f"one of {', '.join(_KEYS)}")
        if given.get("cache"):
            raise self._error("auth.cache", "is not supported: every request is authenticated", "remove the key")
        if not isinstance(given.get("disable_studio_auth", False), bool):
            raise self._error("auth.disable_studio_auth", f"is {given['disable_studio_auth']!r}", "true or false")
        openapi = given.get("openapi", {})
        if not isinstance(openapi, dict):
            raise self._error("auth.openapi", f"must be an object, is {kind(openapi)}")
        place, found = named(self._project, "auth.path", given.get("path"), _SHAPE)
        if not isinstance(found, Auth):
            raise self._error("auth.path", f"{place} is a {type(found).__name__}, not an Auth", _SHAPE)
        self._check(place, found)
        return AuthConfig(found, place, cast("JSON", openapi))

    def _check(self, place: str, auth: Auth) -> None:
        handler = auth._authenticate_handler  # pyright: ignore[reportPrivateUsage] # kept for servers, says the SDK
        if handler is None:
            raise self._error("auth.path", f"{place} has no @auth.authenticate handler", "add one")
        if unknown := [each for each in required_parameters(handler) if each not in PARAMETERS]:
            detail = f"the authenticate handler of {place} takes {', '.join(unknown)}, which no server gives it"
            raise self._error("auth.path", detail, f"any of {', '.join(sorted(PARAMETERS))}")

    def _error(self, key: str, detail: str, hint: str | None = None) -> ConfigError:
        return ConfigError(detail, file=str(self._project.file), key=key, hint=hint)


def parameter_names(handler: Callable[..., Any]) -> list[str]:
    named = inspect.signature(handler).parameters.values()
    return [each.name for each in named if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]


def required_parameters(handler: Callable[..., Any]) -> list[str]:
    parameters = inspect.signature(handler).parameters
    return [name for name in parameter_names(handler) if parameters[name].default is inspect.Parameter.empty]
