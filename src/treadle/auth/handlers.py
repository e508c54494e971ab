"""The user's ``Auth`` object (``langgraph_sdk.Auth``), and the event loop that runs its handlers.

Authentication identifies the user. Authorization calls the most specific handler: for the resource and action, then the
resource, then the action of any resource, then the global one. If none matches, the request is accepted, as
langgraph_sdk documents. A handler accepts (None, True), rejects (False) or returns a filter (auth/filters.py).
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar, cast

import structlog
from langgraph_sdk.auth.types import AuthContext

from treadle.auth import filters
from treadle.graph.user import User
from treadle.loops import GraphThread, SameLoop, blocked_on
from treadle.model import JSON
from treadle.project.auth import PARAMETERS, AuthConfig, parameter_names

T = TypeVar("T")

logger = structlog.get_logger("treadle.auth")
_OWN = ("identity", "display_name", "is_authenticated", "permissions")


class AuthRejected(Exception):
    """The user's code rejected a request or failed. Holds the status, detail and headers of the response."""

    def __init__(self, status: int, detail: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})


class UserAuth:
    """Call the user's handlers on their own event loop, with a time limit of ``seconds`` each.

    Start and stop it, and call it from the serving loop. It raises only AuthRejected: an error in a handler rejects the
    request.
    """

    def __init__(self, config: AuthConfig, *, seconds: float, same_loop: bool = False) -> None:
        self.openapi = config.openapi
        self._auth = config.auth
        self._seconds = seconds
        self._loop = SameLoop() if same_loop else GraphThread("treadle-auth")
        self._authenticate = cast("Callable[..., Any]", config.auth._authenticate_handler)  # pyright: ignore[reportPrivateUsage]
        self.wants = frozenset(parameter_names(self._authenticate)) & PARAMETERS

    def start(self) -> None:
        self._loop.start()

    def stop(self, timeout: float = 1.0) -> None:
        self._loop.stop(timeout)

    async def authenticate(self, given: Mapping[str, Any]) -> User:
        """Return the user. ``given`` has the PARAMETERS that the handler ``wants``."""
        arguments = {name: given[name] for name in self.wants}
        found = await self._bounded(_called(self._authenticate, arguments), "authenticate")
        return _user_of(found)

    async def authorize(self, user: User, resource: str, action: str, value: JSON) -> JSON | None:
        """Return the filter to apply, or None for no filter. The handler may change ``value``."""
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
            raise AuthRejected(403, "Forbidden")
        try:
            return filters.validate_filter(result)
        except ValueError as error:
            logger.error("an auth handler returned an invalid filter", resource=resource, action=action)
            raise AuthRejected(500, "Internal server error") from error

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
                raise AuthRejected(503, f"Authentication took longer than {self._seconds:g} seconds") from None
            raise _refusal(error, name) from error


async def _called(handler: Callable[..., Any], arguments: JSON) -> Any:
    """Await a coroutine function; run a plain one on a thread, because it may block."""
    target = handler if inspect.isroutine(handler) else cast("Any", type(handler)).__call__
    if inspect.iscoroutinefunction(target):
        return await handler(**arguments)
    result = await asyncio.to_thread(handler, **arguments)
    return await result if inspect.isawaitable(result) else result


def _refusal(error: Exception, name: str) -> AuthRejected:
    """The response for an error of the user's code: the exception's status if it has one, 403 for an assertion."""
    if isinstance(error, AuthRejected):
        return error
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and 300 <= status <= 599:
        return AuthRejected(status, getattr(error, "detail", None) or _phrase(status), getattr(error, "headers", None))
    if isinstance(error, AssertionError):
        return AuthRejected(403, str(error) or "Forbidden")
    logger.error("an auth handler failed", handler=name, exc_info=error)
    return AuthRejected(500, "Internal server error")


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else "AuthRejected"


def _user_of(found: Any) -> User:
    """Convert the result of a handler (text, a mapping, or an object with an identity) to a user."""
    fields: JSON = {"identity": found} if isinstance(found, str) else {}
    if isinstance(found, Mapping):
        fields = dict(cast("Mapping[str, Any]", found))
    elif not isinstance(found, str) and found is not None:
        fields = _fields(found)
    identity = fields.get("identity")
    if found is None or identity == "" or fields.get("is_authenticated") is False:
        raise AuthRejected(401, "Unauthorized")
    if not isinstance(identity, str):
        logger.error("the authenticate handler returned no identity", user=type(found).__name__)
        raise AuthRejected(500, "Internal server error")
    permissions = list(cast("Iterable[str]", fields.get("permissions") or ()))
    defaults = {"display_name": identity, "is_authenticated": True}
    return User({**defaults, **fields, "permissions": permissions})


def _fields(found: Any) -> JSON:
    """The fields of an object: as a mapping, as a model, or from its attributes."""
    fields: JSON = dict(getattr(found, "__dict__", {}))
    if hasattr(found, "model_dump"):
        fields |= found.model_dump()
    elif hasattr(found, "__iter__") and hasattr(found, "__getitem__"):
        fields |= {key: found[key] for key in found}
    fields |= {name: getattr(found, name) for name in _OWN if hasattr(found, name)}
    return {key: value for key, value in fields.items() if not key.startswith("_")}
