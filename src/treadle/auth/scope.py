"""The scope of a request: its user, and the resources that the request may see."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

from treadle.auth.filters import equalities, permits
from treadle.graph.user import User, reset_user, set_user
from treadle.ids import system_id
from treadle.model import JSON, Assistant

T = TypeVar("T")

Filters = Sequence[JSON]
Filtered = Literal["threads", "assistants", "crons"]
FILTERED: tuple[Filtered, ...] = ("threads", "assistants", "crons")


@dataclass
class Scope:
    """The resources that one request may see.

    ``filters`` holds per resource the filters that metadata must pass; a resource without an entry is invisible.
    ``owner_metadata`` is added to threads that a run or a copy creates. ``created`` holds the ids that this request
    created, which it may see although their metadata may not pass the filters. With ``system_assistants``, the default
    assistant of each graph is visible despite the filters."""

    user: User
    filters: Mapping[str, Filters]
    owner_metadata: JSON = field(default_factory=dict[str, object])
    system_assistants: bool = False
    created: set[str] = field(default_factory=set[str])

    def permits(self, resource: Filtered, id: str, metadata: JSON | None) -> bool:
        if metadata is None or resource not in self.filters:
            return False
        return id in self.created or permits(self.filters[resource], metadata)

    def permits_assistant(self, assistant: Assistant) -> bool:
        if self.system_assistants and assistant.assistant_id == system_id(assistant.graph_id):
            return True
        return self.permits("assistants", assistant.assistant_id, assistant.metadata)


INTERNAL = Scope(User(identity=""), {})
"""The scope of the server's own work, which is not restricted."""

_scope: ContextVar[Scope | None] = ContextVar("treadle_scope", default=None)


def current_scope() -> Scope | None:
    return _scope.get()


@contextmanager
def request_scope(scope: Scope) -> Generator[None]:
    """Restrict the records to ``scope`` for the current context."""
    scope_token, user_token = _scope.set(scope), set_user(scope.user)
    try:
        yield
    finally:
        reset_user(user_token)
        _scope.reset(scope_token)


class Requester(Struct, frozen=True):
    """The user that a run is created for, as JSON, and the ``owner_metadata`` of a thread that the run creates.

    A run of a cron has the requester that created the cron."""

    user: JSON
    owner_metadata: JSON = msgspec.field(name="marks")  # its name in the rows of crons


def requester() -> Requester | None:
    """Return the requester of the current request, None without authentication."""
    scope = _scope.get()
    return None if scope is None or scope is INTERNAL else Requester(scope.user.stored(), scope.owner_metadata)


def sees_all(resource: Filtered) -> bool:
    """Whether no filter restricts ``resource`` for the current request."""
    scope = _scope.get()
    return scope is None or scope is INTERNAL or not any(scope.filters.get(resource, [{"": ""}]))


def unrestricted(call: Callable[[], Awaitable[T]]) -> Callable[[], Awaitable[T]]:
    """Wrap ``call`` as the server's own work, which may see all records."""

    async def unguarded() -> T:
        token = _scope.set(INTERNAL)
        try:
            return await call()
        finally:
            _scope.reset(token)

    return unguarded


def owner_metadata(filter: JSON | None, before: JSON, after: JSON) -> JSON:
    """Return the metadata that marks a thread as its creator's: the equalities of the filter, and the entries that the
    handler added to the metadata of the request."""
    added = {key: value for key, value in after.items() if key not in before or before[key] != value}
    return equalities(filter or {}) | added
