"""Import the ``auth`` object of a langgraph.json and check its authenticate handler."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from langgraph_sdk import Auth
from msgspec import UnsetType

from treadle.model import JSON
from treadle.project.config import ProjectConfig
from treadle.project.imports import import_object

PARAMETERS = frozenset(["request", "body", "path", "method", "path_params", "query_params", "headers", "authorization"])
"""The arguments that an authenticate handler may declare by name."""

_SHAPE = '"./file.py:auth" or "package.module:auth", an instance of langgraph_sdk.Auth'


@dataclass(frozen=True)
class AuthConfig:
    """``openapi`` is added to the security part of the OpenAPI document."""

    auth: Auth
    place: str
    openapi: JSON


def auth_config(project: ProjectConfig) -> AuthConfig | None:
    """Import the object that ``auth.path`` names, or return None if there is no ``auth`` section.

    Call it after ``load_graphs``, which prepares ``sys.path``. Raises ConfigError, or GraphImportError if the user's
    own code fails."""
    section = project.content.auth
    if isinstance(section, UnsetType):
        return None
    if section.cache:
        raise project.error("auth.cache", "is not supported: every request is authenticated", "remove the key")
    place = project.reference("auth.path", section.path, _SHAPE)
    auth = import_object(place)
    if not isinstance(auth, Auth):
        raise place.error(f"{place} is a {type(auth).__name__}, not an Auth")
    handler = auth._authenticate_handler  # pyright: ignore[reportPrivateUsage] # the SDK stores it for servers
    if handler is None:
        raise project.error("auth.path", f"{place} has no @auth.authenticate handler", "add one")
    if unknown := [each for each in required_parameters(handler) if each not in PARAMETERS]:
        detail = f"the authenticate handler of {place} takes {', '.join(unknown)}, which no server passes"
        raise project.error("auth.path", detail, f"any of {', '.join(sorted(PARAMETERS))}")
    return AuthConfig(auth, str(place), section.openapi)


def parameter_names(handler: Callable[..., Any]) -> list[str]:
    parameters = inspect.signature(handler).parameters.values()
    return [each.name for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]


def required_parameters(handler: Callable[..., Any]) -> list[str]:
    parameters = inspect.signature(handler).parameters
    return [name for name in parameter_names(handler) if parameters[name].default is inspect.Parameter.empty]
