"""Cache values computed from the messages of a conversation, while the messages do not change.

A state of 1,000 messages is streamed and saved after every step, although a step adds one. User code may change
messages in place at any depth. A cached value is therefore reused only for the same object, with the same objects in
its fields and the same content in the mutable ones. All messages of a conversation are compared in bulk, which makes
the comparison cheaper than the computation.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import chain, islice
from operator import attrgetter, is_
from typing import Any, Generic, NamedTuple, TypeVar, cast

import orjson
from langchain_core.messages import BaseMessage

T = TypeVar("T")

_LONG = 8
_ROWS = 4
"""Conversations of one run that are cached at once."""
_CHANGEABLE = {dict, list}
_KNOWN = {*_CHANGEABLE, type(None), str, int, float, bool}
_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
_fields_of, _extra_of = attrgetter("__dict__"), attrgetter("__pydantic_extra__")


def is_conversation(value: Any) -> bool:
    """Whether it is a list of messages that is long enough to be worth caching."""
    if type(value) is not list:
        return False
    each = cast("list[Any]", value)
    return len(each) >= _LONG and isinstance(each[0], BaseMessage) and all(isinstance(one, BaseMessage) for one in each)


class MessageCache(Generic[T]):
    """Caches the results of ``make`` for messages. Belongs to one run, and is used by one thread at a time."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._rows: dict[int, _Row[T]] = {}  # by the id of the first message, which the row keeps alive

    def all(self, messages: Sequence[Any]) -> list[T]:
        """The result of ``make`` for each of the messages, of which there is at least one."""
        row = self._rows.get(id(messages[0]))
        if row is None:
            row = self._begun(messages[0])
        count = row.unchanged(messages)
        if count < len(messages):
            row.cut(count)
            row.extend(messages[count:], self._make)
        made = row.made[: len(messages)]
        for hole in row.holes:
            if hole < count:
                made[hole] = self._make(messages[hole])
        return made

    def _begun(self, first: Any) -> _Row[T]:
        while len(self._rows) >= _ROWS:
            del self._rows[next(iter(self._rows))]
        row = self._rows[id(first)] = _Row[T]()
        return row


class _Row(Generic[T]):
    """The last version of a conversation. ``holes`` are the messages that cannot be cached.

    The lists from ``solid`` on describe the other messages: their field values, their extra fields, the mutable values
    among them, and snapshots of those.
    """

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.made: list[T] = []
        self.holes: list[int] = []
        self.solid: list[Any] = []
        self.values: list[Any] = []
        self.extras: list[Any] = []
        self.changeable: list[Any] = []
        self.pictures: list[bytes] = []  # one for each message of ``solid``
        self._picture = b"[]"

    def unchanged(self, messages: Sequence[Any]) -> int:
        """The number of leading ``messages`` that are unchanged since this version."""
        if len(messages) >= len(self.messages) and all(map(is_, self.messages, messages)) and self._is_as_it_was():
            return len(self.messages)
        return self._found_unchanged(messages)

    def _is_as_it_was(self) -> bool:
        return (
            _same(list(chain.from_iterable(map(dict.values, map(_fields_of, self.solid)))), self.values)
            and _same(list(map(_extra_of, self.solid)), self.extras)
            and _picture(self.changeable) == self._picture
        )

    def _found_unchanged(self, messages: Sequence[Any]) -> int:
        solid = dict(zip(map(id, self.solid), zip(self.extras, self.pictures, strict=True), strict=True))
        held = iter(self.values)
        for number, (message, before) in enumerate(zip(messages, self.messages, strict=False)):
            if message is not before:
                return number
            if (known := solid.get(id(message))) is not None:
                values = [*message.__dict__.values(), message.__pydantic_extra__]
                if not all(map(is_, values, chain(islice(held, len(values) - 1), known[:1]))):
                    return number
                if _picture(_changeable(values)) != known[1]:
                    return number
        return min(len(messages), len(self.messages))

    def cut(self, count: int) -> None:
        """Forget all but the first ``count`` messages."""
        if count < len(self.messages):
            messages, made = self.messages[:count], iter(self.made[:count])
            self.__init__()
            self.extend(messages, lambda _: next(made))

    def extend(self, messages: Sequence[Any], make: Callable[[Any], T]) -> None:
        try:
            for message in messages:
                # Take the snapshot before computing, so that a concurrent change by another thread is noticed later.
                look = _look(message)
                self.made.append(make(message))
                self.messages.append(message)
                self._add(message, look)
        finally:
            del self.made[len(self.messages) :]
            self._picture = b"[%b]" % b",".join([picture[1:-1] for picture in self.pictures if picture != b"[]"])

    def _add(self, message: Any, look: _Look | None) -> None:
        if look is None:
            self.holes.append(len(self.messages) - 1)
            return
        self.solid.append(message)
        self.values += look.values
        self.extras.append(look.extra)
        self.changeable += look.changeable
        self.pictures.append(look.picture)


class _Look(NamedTuple):
    values: list[Any]
    extra: Any
    changeable: list[Any]
    picture: bytes


def _look(message: Any) -> _Look | None:
    """None for messages that cannot be cached: those of user classes, and those with mutable values of unknown
    types."""
    if not _is_langchains(message):
        return None
    values, extra = list(message.__dict__.values()), message.__pydantic_extra__
    changeable = _changeable([*values, extra])
    picture = _picture(changeable) if _KNOWN.issuperset(map(type, values)) else None
    # If the snapshot does not round-trip, it could miss mutations, so do not cache the message.
    if picture is None or orjson.loads(picture) != changeable:
        return None
    return _Look(values, extra, changeable, picture)


def _is_langchains(message: Any) -> bool:
    return type(message).__module__.startswith("langchain_core.messages.")


def _changeable(values: Collection[Any]) -> list[Any]:
    return [value for value in values if type(value) in _CHANGEABLE]


def _same(values: Collection[Any], before: Collection[Any]) -> bool:
    """Whether they are the same objects."""
    return len(values) == len(before) and all(map(is_, values, before))


def _picture(changeable: list[Any]) -> bytes | None:
    """A snapshot that distinguishes different values, even 1, 1.0 and true. None for values that cannot be encoded."""
    try:
        return orjson.dumps(changeable, option=_OPTIONS)
    except (TypeError, RecursionError):  # orjson's own error is a TypeError
        return None
