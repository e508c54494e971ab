"""Bytes to model objects, strictly: what cannot be understood is refused, naming the field and what is allowed."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
import orjson
from msgspec import inspect
from starlette.datastructures import QueryParams
from starlette.requests import Request

from treadle.errors import BadRequestError, TooLargeError, UnprocessableError
from treadle.model import JSON

T = TypeVar("T")

MOST = 2**31 - 1
"""The largest integer a query parameter or a limit may be."""

_WRAPPING = 16
"""Levels that a request's JSON may come to lie under when it is stored and sent: orjson writes 254 in all."""


# --- bodies -----------------------------------------------------------------------------------------------------------


async def body(request: Request, type: type[T], *, limit: int) -> T:
    """The body as ``type``. The content type is ignored, as wire.md asks.

    Raises TooLargeError as soon as more than ``limit`` bytes are announced or read, UnprocessableError for what is not
    JSON or not a ``type``, BadRequestError for JSON nested too deeply.
    """
    return decode(await read(request, limit=limit), type)


async def read(request: Request, *, limit: int) -> bytes:
    """The raw body. Raises TooLargeError."""
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
    """JSON bytes as ``type``. Raises UnprocessableError or BadRequestError, see ``body``."""
    return convert(_json(data), type)


def convert(raw: Any, type: type[T]) -> T:
    """JSON that has been decoded as ``type``. Raises UnprocessableError naming the field."""
    try:
        return msgspec.convert(raw, type)
    except msgspec.ValidationError as error:
        raise _invalid(str(error), type) from None


def _json(data: bytes) -> Any:
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
    """Refuses JSON that could be read but never be written again: too deep, integers over 64 bits, lone surrogates."""
    for _ in range(_WRAPPING):
        raw = (raw,)
    try:
        orjson.dumps(raw)
    except orjson.JSONEncodeError as error:
        if "ecursion" in str(error):
            raise BadRequestError("Recursion limit reached") from None
        raise UnprocessableError(f"Invalid JSON in request body: {_lower(str(error))}") from None


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"Request body is larger than {limit} bytes", limit=limit)


# --- what a validation error says -------------------------------------------------------------------------------------


_STEP = re.compile(r"\.([^.\[]+)|\[([^\]]*)\]")
_NAMED = re.compile(r"field `([^`]+)`")


def _invalid(message: str, type: Any) -> UnprocessableError:
    problem, _, place = message.partition(" - at `$")
    path = place.removesuffix("`")
    found = _at(inspect.type_info(type), path)
    if named := _NAMED.search(problem):
        path = f"{path}.{named[1]}"
    field = path.removeprefix(".")
    text = f"{field or 'request body'}: {_lower(problem)}"
    if allowed := _allowed(problem, found):
        return UnprocessableError(f"{text}; allowed: {', '.join(allowed)}", field=field, allowed=allowed)
    return UnprocessableError(text, field=field)


def _allowed(problem: str, found: list[inspect.Type]) -> list[str]:
    """What may stand there instead, where msgspec tells only what was wrong."""
    if "enum value" in problem:
        return sorted({str(value) for info in found if isinstance(info, inspect.LiteralType) for value in info.values})
    if "unknown field" in problem:
        return sorted({f.encode_name for info in found if isinstance(info, inspect.StructType) for f in info.fields})
    return []


def _at(info: inspect.Type, path: str) -> list[inspect.Type]:
    """The types that may stand at ``path`` of ``info``, unions taken apart."""
    found = [info]
    for name, _ in _STEP.findall(path):
        found = [inner for outer in _flat(found) for inner in _inside(outer, name)]
    return list(_flat(found))


def _flat(infos: Iterable[inspect.Type]) -> Iterator[inspect.Type]:
    for info in infos:
        if isinstance(info, inspect.UnionType):
            yield from _flat(info.types)
        else:
            yield info


def _inside(info: inspect.Type, name: str) -> list[inspect.Type]:
    if name and isinstance(info, inspect.StructType):
        return [field.type for field in info.fields if field.encode_name == name]
    if not name and isinstance(info, inspect.ListType):
        return [info.item_type]
    return []


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


# --- paths ------------------------------------------------------------------------------------------------------------


def path_uuid(request: Request, name: str, kind: str) -> str:
    """The path parameter ``name`` in the canonical form of a UUID. ``kind`` is what the text calls it (``thread``)."""
    return uuid_text(request.path_params[name], kind)


def uuid_text(text: str, kind: str) -> str:
    """``text`` in the canonical form of a UUID, or UnprocessableError."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise UnprocessableError(f"Invalid {kind} ID: must be a UUID", field=f"{kind}_id") from None


# --- queries ----------------------------------------------------------------------------------------------------------


_FLAGS = {"1": True, "true": True, "0": False, "false": False}


class Query:
    """Typed access to query parameters. Every reader returns None or its default where the parameter is absent."""

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
        return None if text is None else _chosen(name, text, allowed)

    def items(self, name: str) -> list[str] | None:
        """A list, spelled in any of three ways: ``a=x&a=y``, ``a=["x","y"]`` or ``a=x,y``."""
        given = self._params.getlist(name)
        return [item for text in given for item in _split(name, text)] if given else None

    def choices(self, name: str, allowed: Sequence[T]) -> list[T] | None:
        """A list as in ``items``, of what is allowed."""
        given = self.items(name)
        return None if given is None else [_chosen(name, item, allowed) for item in given]

    def moment(self, name: str) -> datetime | None:
        """An ISO 8601 time; one without an offset is UTC."""
        text = self._params.get(name)
        if text is None:
            return None
        try:
            # A plus that was not percent-encoded arrives as a space.
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


def query(request: Request) -> Query:
    return Query(request.query_params)


def choices(name: str, given: Iterable[str] | None, allowed: Sequence[T]) -> list[T] | None:
    """A list of a body, checked like ``Query.choices``."""
    return None if given is None else [_chosen(name, item, allowed) for item in given]


def bounded(name: str, given: int | None, default: int, *, least: int = 0, most: int = MOST) -> int:
    """An integer of a body, checked like ``Query.integer``."""
    if given is None:
        return default
    if not least <= given <= most:
        raise _refused(name, str(given), f"an integer from {least} to {most}")
    return given


def _split(name: str, text: str) -> list[str]:
    if not text.lstrip().startswith("["):
        return [item for part in text.split(",") if (item := part.strip())]
    try:
        return decode(text.encode(), list[str])
    except (UnprocessableError, BadRequestError):
        raise _refused(name, text, 'a JSON array of strings, such as ["x","y"]') from None


def _chosen(name: str, text: str, allowed: Sequence[T]) -> T:
    for value in allowed:
        if value == text:
            return value
    raise _refused(name, text, "one of " + ", ".join(str(value) for value in allowed))


def _refused(name: str, text: str, allowed: str) -> UnprocessableError:
    shown = text if len(text) <= 80 else f"{text[:77]}..."
    return UnprocessableError(f"{name}: must be {allowed}, is {shown!r}", field=name)
