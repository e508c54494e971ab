"""Encode any graph state as compact JSON bytes, without ever raising.

Values without a JSON type are encoded as follows. Sets, deques and other collections become arrays; bytes become
base64; named tuples, dataclasses, Structs and pydantic models become objects; enums become their value; times become
ISO 8601, durations seconds; Decimals, paths and addresses become text; exceptions become ``{"error", "message"}``;
classes become their dotted name; NaN and infinities become null; other keys become text. Anything else, and nesting
that is too deep, becomes its repr.
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

_DEEPEST = 200  # orjson fails at 254 levels, and the default hook adds levels of its own
_LONGEST_REPR = 2_000
_WRAPPED = 3
"""Depth to which long lists of messages are searched for."""
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
    """Encodes the state of one run. Belongs to one run and one thread.

    The JSON of a message is cached while the message does not change, so encoding a state of 1,000 messages costs only
    the new ones.
    """

    def __init__(self) -> None:
        self._messages = MessageCache(self._anew)

    def encode(self, value: Any) -> bytes:
        """Encode ``value`` as compact JSON on one line."""
        return self._dump(value, value)

    def encode_state(self, value: Any) -> bytes:
        """Encode a state, or a value that wraps one."""
        return self._dump(self._with_conversations(value), value)

    def _dump(self, prepared: Any, value: Any) -> bytes:
        try:
            return orjson.dumps(prepared, self._default, OPTIONS)
        except (TypeError, ValueError):
            # orjson rejects the whole value for one invalid key, number or string, so convert it piece by piece.
            return orjson.dumps(_plain(value, self._reduce, 0), option=OPTIONS)

    def _anew(self, message: BaseMessage) -> bytes:
        fields = self._reduce(message)
        return self._dump(fields, fields)

    def _with_conversations(self, value: Any, depth: int = 0) -> Any:
        """Replace the long lists of messages in ``value`` by their JSON: at the top of a state, or inside the wrappers
        that some stream modes add."""
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
        """The JSON of ``value`` in a form that a Struct embeds without decoding it."""
        return msgspec.Raw(self.encode(value))

    def _default(self, value: Any) -> Any:
        return _message_fields(value) if isinstance(value, BaseMessage) else self._reduce(value)

    def _reduce(self, value: Any) -> Any:
        """One step towards JSON: ``value`` in terms of simpler values."""
        try:
            return _reduced(value)
        except Exception:  # the user's own types ran code: the state must be shown despite any error
            return safe_repr(value)


def describe_error(error: BaseException) -> dict[str, str]:
    """``{"error": class name, "message": text}``, the shape of every failure on the wire."""
    try:
        message = str(error)
    except Exception:  # __str__ is user code
        message = safe_repr(error)
    return {"error": type(error).__name__, "message": message}


def safe_repr(value: Any) -> str:
    """``repr(value)``, shortened; also works if the object's repr raises."""
    try:
        text = repr(value)
    except Exception:  # __repr__ is user code
        text = object.__repr__(value)
    return text if len(text) <= _LONGEST_REPR else text[:_LONGEST_REPR] + "…"


def _message_fields(message: BaseMessage) -> dict[str, Any]:
    """The result of ``model_dump``, computed faster for langchain's own classes, which only have plain fields."""
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
    except Exception:  # the user's serializer failed, but the fields are still available
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
"""The first match applies. Exact types come before the abstract ones that include them."""


def _plain(value: Any, reduce: Callable[[Any], Any], depth: int) -> Any:
    """``value`` as dicts, lists and scalars that orjson accepts."""
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
    """Replace lone surrogates, which UTF-8 cannot encode, by their escapes."""
    return value.encode("utf-8", "backslashreplace").decode()


def _number(value: int) -> Any:
    if -(2**63) <= value < 2**64:
        return int(value)
    try:
        return orjson.Fragment(int.__repr__(value))
    except ValueError:  # too many digits for Python to convert
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
