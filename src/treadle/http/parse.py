"""Strict parsing of bodies, paths and queries; errors name the field and the allowed values."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

import msgspec
import orjson
from msgspec import inspect
from starlette.datastructures import QueryParams
from starlette.requests import Request

from treadle.errors import BadRequestError, TooLargeError, UnprocessableError
from treadle.model import JSON

T = TypeVar("T")

MOST = 2**31 - 1
"""The largest integer that a query parameter accepts."""

_ENCLOSING_LEVELS = 16
"""Levels of nesting that storing or sending a request's JSON may add; orjson encodes 254 levels in total."""


# --- bodies -----------------------------------------------------------------------------------------------------------


class Body(NamedTuple):
    """A request body: decoded JSON, and its conversion to the declared type. All are None for a request without one."""

    raw: Any
    value: Any
    type: Any


async def body(request: Request, type: Any, *, limit: int, rename: Callable[[Any], Any] | None = None) -> Body:
    """Read the body as ``type`` (None: leave it unread), regardless of its content type.

    ``rename`` maps alternative field names to those of the wire. Raises TooLargeError as soon as more than ``limit``
    bytes are announced or read, UnprocessableError for a body that is not JSON or not a ``type``, BadRequestError for
    JSON nested too deeply.
    """
    if type is None:
        return Body(None, None, None)
    raw = json(await read(request, limit=limit))
    if rename is not None:
        raw = rename(raw)
    return Body(raw, convert(raw, type), type)


async def read(request: Request, *, limit: int) -> bytes:
    """Read the body's bytes. Raises TooLargeError."""
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and (len(announced) > 18 or int(announced) > limit):
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def decode(data: bytes, type: type[T]) -> T:
    """Decode JSON bytes to ``type``. Raises as ``body`` does."""
    return convert(json(data), type)


def convert(raw: Any, type: type[T]) -> T:
    """Convert decoded JSON to ``type``. Raises UnprocessableError naming the field."""
    try:
        return msgspec.convert(raw, type)
    except msgspec.ValidationError as error:
        raise _invalid(str(error), type) from None


def json(data: bytes) -> Any:
    """Decode JSON bytes. Raises UnprocessableError or BadRequestError, also for JSON that cannot be encoded again."""
    try:
        raw = msgspec.json.decode(data)
    except RecursionError:
        raise BadRequestError("Recursion limit reached") from None
    except msgspec.ValidationError as error:
        raise UnprocessableError(f"Invalid JSON in request body: {_lower(str(error).partition(' - at')[0])}") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UnprocessableError("Invalid JSON in request body") from None
    _check_writable(raw)
    return raw


def _check_writable(raw: Any) -> None:
    """Refuse JSON that orjson cannot encode: nested too deeply, integers over 64 bits, lone surrogates.

    Such a value would be accepted now and then fail every later read of the row that stores it.
    """
    for _ in range(_ENCLOSING_LEVELS):
        raw = (raw,)
    try:
        orjson.dumps(raw)
    except orjson.JSONEncodeError as error:
        if "ecursion" in str(error):
            raise BadRequestError("Recursion limit reached") from None
        raise UnprocessableError(f"Invalid JSON in request body: {_lower(str(error))}") from None


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"Request body is larger than {limit} bytes", limit=limit)


# --- validation errors ------------------------------------------------------------------------------------------------


_STEP = re.compile(r"\.([^.\[]+)|\[([^\]]*)\]")
_NAMED = re.compile(r"field `([^`]+)`")


def _invalid(message: str, type: Any) -> UnprocessableError:
    problem, _, place = message.partition(" - at `$")
    path = place.removesuffix("`")
    types = _types_at(inspect.type_info(type), path)
    if named := _NAMED.search(problem):
        path = f"{path}.{named[1]}"
    field = path.removeprefix(".")
    text = f"{field or 'request body'}: {_lower(problem)}"
    if allowed := _allowed(problem, types):
        return UnprocessableError(f"{text}; allowed: {', '.join(allowed)}", field=field, allowed=allowed)
    return UnprocessableError(text, field=field)


def _allowed(problem: str, types: list[inspect.Type]) -> list[str]:
    """The allowed enum values or field names, which msgspec's message leaves out."""
    if "enum value" in problem:
        return sorted({str(value) for info in types if isinstance(info, inspect.LiteralType) for value in info.values})
    if "unknown field" in problem:
        return sorted({f.encode_name for info in types if isinstance(info, inspect.StructType) for f in info.fields})
    return []


def _types_at(info: inspect.Type, path: str) -> list[inspect.Type]:
    """The types allowed at ``path`` within ``info``, with unions flattened."""
    types = [info]
    for name, _ in _STEP.findall(path):
        types = [inner for outer in _flatten(types) for inner in _children(outer, name)]
    return list(_flatten(types))


def _flatten(infos: Iterable[inspect.Type]) -> Iterator[inspect.Type]:
    for info in infos:
        if isinstance(info, inspect.UnionType):
            yield from _flatten(info.types)
        else:
            yield info


def _children(info: inspect.Type, name: str) -> list[inspect.Type]:
    if name and isinstance(info, inspect.StructType):
        return [field.type for field in info.fields if field.encode_name == name]
    if not name and isinstance(info, inspect.ListType):
        return [info.item_type]
    return []


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


# --- ids --------------------------------------------------------------------------------------------------------------


def uuid_text(text: str, kind: str) -> str:
    """Return ``text`` as a canonical UUID. ``kind`` (such as ``thread``) names it in the error.

    Raises UnprocessableError."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise UnprocessableError(f"Invalid {kind} ID: must be a UUID", field=f"{kind}_id") from None


# --- queries ----------------------------------------------------------------------------------------------------------


_FLAGS = {"1": True, "true": True, "0": False, "false": False}


class Query:
    """Typed access to query parameters. Every method returns None or its default if the parameter is absent."""

    def __init__(self, params: QueryParams) -> None:
        self._params = params

    def text(self, name: str) -> str | None:
        return self._params.get(name)

    def integer(self, name: str, default: int, *, least: int = 0, most: int = MOST) -> int:
        text = self._params.get(name)
        if text is None:
            return default
        if not re.fullmatch(r"-?[0-9]{1,19}", text, re.ASCII) or not least <= int(text) <= most:
            raise _refused(name, text, f"an integer from {least} to {most}")
        return int(text)

    def flag(self, name: str, default: bool = False) -> bool:
        text = self._params.get(name)
        if text is None:
            return default
        if text.lower() not in _FLAGS:
            raise _refused(name, text, "true, false, 1 or 0")
        return _FLAGS[text.lower()]

    def choice(self, name: str, allowed: Sequence[T]) -> T | None:
        text = self._params.get(name)
        return None if text is None else _choice(name, text, allowed)

    def items(self, name: str) -> list[str] | None:
        """A list in one of three forms: ``a=x&a=y``, ``a=["x","y"]`` or ``a=x,y``."""
        texts = self._params.getlist(name)
        return [item for text in texts for item in _split(name, text)] if texts else None

    def choices(self, name: str, allowed: Sequence[T]) -> list[T] | None:
        """A list as in ``items``, limited to the ``allowed`` values."""
        return choices(name, self.items(name), allowed)

    def moment(self, name: str) -> datetime | None:
        """An ISO 8601 time in UTC; UTC is also assumed if it has no offset."""
        text = self._params.get(name)
        if text is None:
            return None
        try:
            # Clients that do not percent-encode the plus of an offset send a space.
            moment = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            raise _refused(name, text, "an ISO 8601 date and time") from None

    def object(self, name: str) -> JSON | None:
        """A JSON object."""
        text = self._params.get(name)
        if text is None:
            return None
        try:
            return decode(text.encode(), JSON)
        except (UnprocessableError, BadRequestError):
            raise _refused(name, text, "a JSON object") from None


def choices(name: str, items: Iterable[str] | None, allowed: Sequence[T]) -> list[T] | None:
    """The list ``items``, which the request calls ``name``, limited to the ``allowed`` values."""
    return None if items is None else [_choice(name, item, allowed) for item in items]


def _split(name: str, text: str) -> list[str]:
    if not text.lstrip().startswith("["):
        return [item for part in text.split(",") if (item := part.strip())]
    try:
        return decode(text.encode(), list[str])
    except (UnprocessableError, BadRequestError):
        raise _refused(name, text, 'a JSON array of strings, such as ["x","y"]') from None


def _choice(name: str, text: str, allowed: Sequence[T]) -> T:
    for value in allowed:
        if value == text:
            return value
    raise _refused(name, text, "one of " + ", ".join(str(value) for value in allowed))


def _refused(name: str, text: str, allowed: str) -> UnprocessableError:
    shown = text if len(text) <= 80 else f"{text[:77]}..."
    return UnprocessableError(f"{name}: must be {allowed}, is {shown!r}", field=name)
