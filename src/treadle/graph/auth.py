"""The user's ``Auth`` object (langgraph_sdk.Auth): loaded from langgraph.json, and run on a loop of its own.

Authentication names who asks. Authorization picks the most specific handler: resource and action, then the resource,
then the action of any resource, then the global one; where none matches the request is accepted, as langgraph_sdk
documents. A handler accepts (None, True), refuses (False) or gives a filter (treadle.filters).
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar, cast

import orjson
import structlog
from langgraph_sdk import Auth
from langgraph_sdk.auth.types import AuthContext

from treadle import filters
from treadle.errors import ConfigError
from treadle.graph.load import import_module
from treadle.graph.loop import GraphThread, SameLoop, blocked_on
from treadle.graph.project import ProjectConfig, kind
from treadle.model import JSON

T = TypeVar("T")

logger = structlog.get_logger("treadle.auth")

PARAMETERS = frozenset(["request", "body", "path", "method", "path_params", "query_params", "headers", "authorization"])
"""What an authenticate handler may ask for, by name."""

USER = "langgraph_auth_user"
"""Where a run's configurable holds who made it."""

_KEYS = ("path", "disable_studio_auth", "openapi", "cache")
_SHAPE = '"./file.py:auth" or "package.module:auth", an instance of langgraph_sdk.Auth'
_OWN = ("identity", "display_name", "is_authenticated", "permissions")

_user: contextvars.ContextVar[User | None] = contextvars.ContextVar("treadle_user", default=None)


class User(dict[str, Any]):
    """Who asks, as the authenticate handler said: a dict whose keys are attributes too (langgraph_sdk's BaseUser)."""

    @property
    def identity(self) -> str:
        return self["identity"]

    @property
    def display_name(self) -> str:
        return self.get("display_name") or self.identity

    @property
    def is_authenticated(self) -> bool:
        return self.get("is_authenticated", True)

    @property
    def permissions(self) -> list[str]:
        return list(self.get("permissions") or ())

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the user has no {name!r}") from None

    def stored(self) -> JSON:
        """What of it JSON can hold: this goes into the run's row."""
        return {key: value for key, value in self.items() if _is_json(value)}


def current_user() -> User | None:
    """Who made the request that is being served; None where nobody did, or without authentication."""
    return _user.get()


def as_user(user: User | None) -> contextvars.Token[User | None]:
    """What is done in this context is done for ``user``. Undo it with ``no_longer``."""
    return _user.set(user)


def no_longer(token: contextvars.Token[User | None]) -> None:
    _user.reset(token)


def with_user(config: JSON, stored: Any) -> JSON:
    """A RunnableConfig whose configurable has the stored user as nodes and factories expect it."""
    if not isinstance(stored, dict):
        return config
    return {**config, "configurable": {**(config.get("configurable") or {}), USER: User(cast("JSON", stored))}}


class Refused(Exception):
    """The user's code refused a request, or could not answer: the status, detail and headers to answer with."""

    def __init__(self, status: int, detail: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})


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
        if unknown := [each for each in _needed(handler) if each not in PARAMETERS]:
            detail = f"the authenticate handler of {place} takes {', '.join(unknown)}, which no server gives it"
            raise self._error("auth.path", detail, f"any of {', '.join(sorted(PARAMETERS))}")

    def _error(self, key: str, detail: str, hint: str | None = None) -> ConfigError:
        return ConfigError(detail, file=str(self._project.file), key=key, hint=hint)


def named(project: ProjectConfig, key: str, text: Any, shape: str) -> tuple[str, Any]:
    """``(place, object)`` of a ``./file.py:name`` or ``module:name``. Raises ConfigError, GraphImportError."""
    place, colon, attribute = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    if not colon or not place or not attribute.isidentifier():
        raise ConfigError(f"{text!r} does not name an object", file=str(project.file), key=key, hint=shape)
    file = None
    if "/" in place or place.endswith(".py"):
        file = (project.file.parent / place).resolve()
        if not file.is_file():
            raise ConfigError(f"there is no file {file}", file=str(project.file), key=key)
    module = import_module(project, key, file=file, module=place)
    if not hasattr(module, attribute):
        raise ConfigError(f"{file or place} has no {attribute!r}", file=str(project.file), key=key, hint=shape)
    return f"{file or place}:{attribute}", getattr(module, attribute)


class UserAuth:
    """Asks the user's handlers, on a loop of their own, within ``seconds`` each. Start it, stop it; call it from the
    serving loop. Raises Refused, and nothing else: what a handler gets wrong refuses the request."""

    def __init__(self, config: AuthConfig, *, seconds: float, same_loop: bool = False) -> None:
        self.openapi = config.openapi
        self._auth = config.auth
        self._seconds = seconds
        self._loop = SameLoop() if same_loop else GraphThread("treadle-auth")
        self._authenticate = cast("Callable[..., Any]", config.auth._authenticate_handler)  # pyright: ignore[reportPrivateUsage]
        self.wants = frozenset(_taken(self._authenticate)) & PARAMETERS

    def start(self) -> None:
        self._loop.start()

    def stop(self, timeout: float = 1.0) -> None:
        self._loop.stop(timeout)

    async def authenticate(self, given: Mapping[str, Any]) -> User:
        """Who asks. ``given`` holds the PARAMETERS that the handler ``wants``."""
        arguments = {name: given[name] for name in self.wants}
        found = await self._bounded(_called(self._authenticate, arguments), "authenticate")
        return _user_of(found)

    async def authorize(self, user: User, resource: str, action: str, value: JSON) -> JSON | None:
        """The filter to apply, None for no filter. The handler may change ``value``."""
        handler = self._handler(resource, action)
        if handler is None:
            return None
        context = AuthContext(
            permissions=user.permissions,
            user=cast("Any", user),
            resource=cast("Any", resource),
            action=cast("Any", action),
        )
        result = await self._bounded(handler(ctx=context, value=value), f"on.{resource}.{action}")
        if result is None or result is True:
            return None
        if result is False:
            raise Refused(403, "Forbidden")
        try:
            return filters.checked(result)
        except ValueError as error:
            logger.error("an auth handler gave something that is no filter", resource=resource, action=action)
            raise Refused(500, "Internal server error") from error

    def _handler(self, resource: str, action: str) -> Callable[..., Awaitable[Any]] | None:
        handlers = self._auth._handlers  # pyright: ignore[reportPrivateUsage]
        for key in ((resource, action), (resource, "*"), ("*", action)):
            if found := handlers.get(key):
                return found[-1]
        found = self._auth._global_handlers  # pyright: ignore[reportPrivateUsage]
        return found[-1] if found else None

    async def _bounded(self, work: Awaitable[T], name: str) -> T:
        timeout = asyncio.timeout(self._seconds)
        try:
            async with timeout:
                return await self._loop.submit(work)
        except Exception as error:
            if isinstance(error, TimeoutError) and timeout.expired():
                logger.error("an auth handler took too long", handler=name, at=blocked_on(self._loop.thread_id))
                raise Refused(503, f"Authentication took longer than {self._seconds:g} seconds") from None
            raise _refusal(error, name) from error


async def _called(handler: Callable[..., Any], arguments: JSON) -> Any:
    """A plain function may block: it gets a thread, so that others are not kept waiting."""
    target = handler if inspect.isroutine(handler) else cast("Any", type(handler)).__call__
    if inspect.iscoroutinefunction(target):
        return await handler(**arguments)
    result = await asyncio.to_thread(handler, **arguments)
    return await result if inspect.isawaitable(result) else result


def _refusal(error: Exception, name: str) -> Refused:
    """What the user's code raised, as an answer: an exception with a status says it, a failed assertion forbids."""
    if isinstance(error, Refused):
        return error
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and 300 <= status <= 599:
        return Refused(status, getattr(error, "detail", None) or _phrase(status), getattr(error, "headers", None))
    if isinstance(error, AssertionError):
        return Refused(403, str(error) or "Forbidden")
    logger.error("an auth handler failed", handler=name, exc_info=error)
    return Refused(500, "Internal server error")


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else "Refused"


def _user_of(found: Any) -> User:
    """A user from any form that a handler may give: text, a mapping, or an object with an identity."""
    fields: JSON = {"identity": found} if isinstance(found, str) else {}
    if isinstance(found, Mapping):
        fields = dict(cast("Mapping[str, Any]", found))
    elif not isinstance(found, str) and found is not None:
        fields = _fields(found)
    identity = fields.get("identity")
    if found is None or identity == "" or fields.get("is_authenticated") is False:
        raise Refused(401, "Unauthorized")
    if not isinstance(identity, str):
        logger.error("the authenticate handler gave no identity", user=type(found).__name__)
        raise Refused(500, "Internal server error")
    permissions = list(cast("Iterable[str]", fields.get("permissions") or ()))
    defaults = {"display_name": identity, "is_authenticated": True}
    return User({**defaults, **fields, "permissions": permissions})


def _fields(found: Any) -> JSON:
    """What an object says of itself: as a mapping, as a model, in its attributes."""
    fields: JSON = dict(getattr(found, "__dict__", {}))
    if hasattr(found, "model_dump"):
        fields |= found.model_dump()
    elif hasattr(found, "__iter__") and hasattr(found, "__getitem__"):
        fields |= {key: found[key] for key in found}
    fields |= {name: getattr(found, name) for name in _OWN if hasattr(found, name)}
    return {key: value for key, value in fields.items() if not key.startswith("_")}


def _taken(handler: Callable[..., Any]) -> list[str]:
    named = inspect.signature(handler).parameters.values()
    return [each.name for each in named if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]


def _needed(handler: Callable[..., Any]) -> list[str]:
    parameters = inspect.signature(handler).parameters
    return [name for name in _taken(handler) if parameters[name].default is inspect.Parameter.empty]


def _is_json(value: Any) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True
