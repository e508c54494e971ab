"""Any state a graph can hold to compact JSON bytes, and never an exception.

What JSON has no word for is written like this: sets, deques and other collections as arrays; bytes as base64 text;
named tuples, dataclasses, Structs and pydantic models as objects; enums as their value; times in ISO 8601, durations in
seconds; Decimal, paths and addresses as text; exceptions as ``{"error", "message"}``; classes as their dotted name; NaN
and the infinities as null; keys that are no strings as their text; anything else, and what is too deep, as its repr.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, cast
from uuid import UUID

import msgspec
import orjson
from langchain_core.messages import BaseMessage
from langgraph.types import Send

from treadle.message_cache import MessageCache, is_conversation

OPTIONS = orjson.OPT_SERIALIZE_NUMPY

_DEEPEST = 200  # orjson gives up at 254 levels; what the hook adds has to fit as well
_LONGEST_REPR = 2_000
_WRAPPED = 3
"""Levels of a value down to which long lists of messages are looked for."""
_AS_TEXT = (
    Decimal,
    PurePath,
    UUID,
    ipaddress.IPv4Address,
    ipaddress.IPv6Address,
    ipaddress.IPv4Network,
    ipaddress.IPv6Network,
)


class Encoder:
    """Encodes the state of one run; belongs to one run and one thread.

    The JSON of a message is kept for as long as the encoder lives and the message stays as it is, so a state of 1,000
    messages costs what is new in it.
    """

    def __init__(self) -> None:
        self._messages = MessageCache(self._anew)

    def encode(self, value: Any) -> bytes:
        """``value`` as compact JSON on one line."""
        return self._dump(value, value)

    def encode_state(self, value: Any) -> bytes:
        """``encode`` for a state, or what wraps one."""
        return self._dump(self._with_conversations(value), value)

    def _dump(self, prepared: Any, value: Any) -> bytes:
        try:
            return orjson.dumps(prepared, self._default, OPTIONS)
        except (TypeError, ValueError):
            # orjson refuses the whole value for one key, number or string in it, so it is made plain piece by piece.
            return orjson.dumps(_plain(value, self._reduce, 0), option=OPTIONS)

    def _anew(self, message: BaseMessage) -> bytes:
        fields = self._reduce(message)
        return self._dump(fields, fields)

    def _with_conversations(self, value: Any, depth: int = 0) -> Any:
        """``value`` with the JSON of its long lists of messages in their place: at the top of a state, or where the
        modes that wrap states have them."""
        if type(value) is list:
            messages = cast("list[Any]", value)
            return self._conversation(messages) if is_conversation(messages) else messages
        if type(value) is not dict or depth == _WRAPPED:
            return value
        state, found = cast("dict[Any, Any]", value), dict[Any, Any]()
        for key, each in state.items():
            if type(each) is list or type(each) is dict:
                prepared = self._with_conversations(each, depth + 1)
                if prepared is not each:
                    found[key] = prepared
        return {**state, **found} if found else state

    def _conversation(self, messages: list[BaseMessage]) -> orjson.Fragment:
        return orjson.Fragment(b"[%b]" % b",".join(self._messages.all(messages)))

    def plain(self, value: Any) -> Any:
        """``value`` as the data that its JSON decodes to."""
        return orjson.loads(self.encode(value))

    def raw(self, value: Any) -> msgspec.Raw:
        """The JSON of ``value`` in the form a Struct embeds without decoding it."""
        return msgspec.Raw(self.encode(value))

    def _default(self, value: Any) -> Any:
        return _message_fields(value) if isinstance(value, BaseMessage) else self._reduce(value)

    def _reduce(self, value: Any) -> Any:
        """One step towards JSON: ``value`` in terms of simpler ones."""
        try:
            return _reduced(value)
        except Exception:  # code of the user's own types ran: whatever it raised, the state must still be shown
            return safe_repr(value)


def describe_error(error: BaseException) -> dict[str, str]:
    """``{"error": class name, "message": text}``, the shape of every failure on the wire."""
    try:
        message = str(error)
    except Exception:  # __str__ is the user's
        message = safe_repr(error)
    return {"error": type(error).__name__, "message": message}


def safe_repr(value: Any) -> str:
    """``repr(value)``, cut to a sane length, also for objects whose repr fails."""
    try:
        text = repr(value)
    except Exception:  # __repr__ is the user's
        text = object.__repr__(value)
    return text if len(text) <= _LONGEST_REPR else text[:_LONGEST_REPR] + "…"


def _message_fields(message: BaseMessage) -> dict[str, Any]:
    """What ``model_dump`` gives, without its cost for the classes of langchain itself, which have plain fields only."""
    if not type(message).__module__.startswith("langchain_core.messages."):
        return message.model_dump(warnings=False)
    return {**message.__dict__, **(message.__pydantic_extra__ or {})}


def _reduced(value: Any) -> Any:
    for kinds, reduce in _REDUCERS:
        if isinstance(value, kinds):
            return reduce(value)
    kind = cast("type[Any]", type(value))
    if hasattr(kind, "model_dump"):
        return _dump_pydantic(value)
    if hasattr(kind, "__fields__") and callable(getattr(kind, "dict", None)):
        return value.dict()
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value) if hasattr(value, field.name)}
    if kind.__module__.startswith("numpy") and hasattr(value, "tolist"):
        return value.tolist()
    return safe_repr(value)


def _dump_pydantic(model: Any) -> Any:
    try:
        return model.model_dump(warnings=False)
    except Exception:  # a serializer of the user's failed; the fields are still there
        return dict(model.__dict__)


def _reduce_tuple(value: tuple[Any, ...]) -> Any:
    return value._asdict() if hasattr(value, "_asdict") else list(value)  # pyright: ignore


def _dotted_name(kind: type[Any]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


_REDUCERS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (BaseMessage, _message_fields),
    (type, _dotted_name),
    (msgspec.Struct, msgspec.structs.asdict),
    (msgspec.Raw, lambda value: orjson.Fragment(bytes(value))),
    (tuple, _reduce_tuple),
    (Mapping, dict),
    ((Set, deque, range), list),
    ((bytes, bytearray, memoryview), lambda value: base64.b64encode(value).decode()),
    (BaseException, describe_error),
    (Send, lambda value: {"node": value.node, "arg": value.arg}),
    (Enum, lambda value: value.value),
    ((datetime, date, time), lambda value: value.isoformat()),
    (timedelta, timedelta.total_seconds),
    (_AS_TEXT, str),
    (re.Pattern, lambda value: value.pattern),
    (Sequence, list),
)
"""In order: the first that fits. The abstract kinds come after the exact ones that they would swallow."""


def _plain(value: Any, reduce: Callable[[Any], Any], depth: int) -> Any:
    """``value`` as dicts, lists and scalars that orjson takes as they are."""
    if value is None or isinstance(value, (bool, float, orjson.Fragment)):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int) and not isinstance(value, Enum):
        return _number(value)
    if depth >= _DEEPEST:
        return _text(safe_repr(value))
    if isinstance(value, dict):
        items = list(cast("dict[Any, Any]", value).items())
        return {_key(key): _plain(item, reduce, depth + 1) for key, item in items}
    if isinstance(value, list):
        return [_plain(item, reduce, depth + 1) for item in list(cast("list[Any]", value))]
    return _plain(reduce(value), reduce, depth + 1)


def _text(value: str) -> str:
    """Lone surrogates, which UTF-8 has no bytes for, become their escapes."""
    return value.encode("utf-8", "backslashreplace").decode()


def _number(value: int) -> Any:
    if -(2**63) <= value < 2**64:
        return int(value)
    try:
        return orjson.Fragment(int.__repr__(value))
    except ValueError:  # more digits than Python converts
        return hex(value)


def _key(key: Any) -> str:
    if isinstance(key, str):
        return _text(key)
    if isinstance(key, Enum):
        return _key(key.value)
    if key is None or isinstance(key, (bool, float)):
        return orjson.dumps(key).decode()
    if isinstance(key, (datetime, date, time)):
        return key.isoformat()
    if isinstance(key, int):
        return orjson.dumps(_number(key)).decode().strip('"')
    if isinstance(key, UUID):
        return str(key)
    return _text(safe_repr(key))
