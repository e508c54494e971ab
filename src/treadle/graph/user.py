"""The user of a request or run, as authentication returned it and as nodes see it."""

from __future__ import annotations

import contextvars
from typing import Any, cast

import orjson

from treadle.model import JSON

USER = "langgraph_auth_user"
"""The key of a run's configurable under which nodes find the user."""


_user: contextvars.ContextVar[User | None] = contextvars.ContextVar("treadle_user", default=None)


class User(dict[str, Any]):
    """The authenticated user: a dict whose keys are also attributes (langgraph_sdk's BaseUser)."""

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
        """The part of it that JSON can represent, for the run's row."""
        return {key: value for key, value in self.items() if _is_json(value)}


def current_user() -> User | None:
    """The user of the current request; None without authentication or outside a request."""
    return _user.get()


def set_user(user: User | None) -> contextvars.Token[User | None]:
    """Set the user of the current context. Undo it with ``reset_user``."""
    return _user.set(user)


def reset_user(token: contextvars.Token[User | None]) -> None:
    _user.reset(token)


def with_user(config: JSON, stored: Any) -> JSON:
    """A RunnableConfig whose configurable has the stored user in the form that nodes and factories expect."""
    if not isinstance(stored, dict):
        return config
    return {**config, "configurable": {**(config.get("configurable") or {}), USER: User(cast("JSON", stored))}}


def _is_json(value: Any) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True
