"""Decode JSON into the caller's types: TypedDict, dataclass, msgspec Struct, pydantic model, and their unions."""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
import typing_extensions

from treadle.errors import DecodeError

T = TypeVar("T")
Shape = Callable[[bytes], T]
"""Decodes and validates the bytes of one JSON value. Raises DecodeError."""


def shape(kind: Any, *, partial: bool = False) -> Shape[Any]:
    """The decoder for ``kind``; None accepts anything. Raises TypeError for a type that cannot be decoded.

    ``partial`` makes the keys of a TypedDict optional, since a graph's state lacks those that no node has written yet.
    Keys that are present are validated.
    """
    if kind is None:
        return msgspec.json.decode
    try:
        target: Any = _partial(kind) if partial and typing_extensions.is_typeddict(kind) else kind
        return _checked(_decoder(target), kind)
    except NameError as error:
        text = f"{kind}: an annotation cannot be resolved ({error}); types to decode into belong at the top of a module"
        raise TypeError(text) from error


def _decoder(target: Any) -> Callable[[bytes], Any]:
    try:
        return msgspec.json.Decoder(target, dec_hook=_validate).decode
    except TypeError as unsupported:
        return _by_pydantic(target, unsupported)


def _checked(decode: Callable[[bytes], Any], kind: Any) -> Shape[Any]:
    name = getattr(kind, "__name__", None) or str(kind)

    def checked(data: bytes) -> Any:
        try:
            return decode(data)
        except ValueError as error:
            raise DecodeError(f"the data does not fit {name}: {error}", data=data) from error

    return checked


def _validate(kind: type[Any], value: Any) -> Any:
    """msgspec's hook for unknown types: pydantic models are recognised by their method, without importing pydantic."""
    validate = getattr(kind, "model_validate", None)
    if validate is None:
        raise TypeError(f"{kind.__name__} is not a TypedDict, a dataclass, a msgspec Struct or a pydantic model")
    return validate(value)


def _by_pydantic(kind: Any, unsupported: TypeError) -> Callable[[bytes], Any]:
    """Use pydantic, if installed, for types that msgspec does not support (several models in one union)."""
    try:
        from pydantic import TypeAdapter
        from pydantic.errors import PydanticUserError
    except ImportError:
        raise unsupported from None
    try:
        return TypeAdapter(kind).validate_json
    except PydanticUserError as error:
        raise TypeError(f"{kind} cannot be decoded into: {unsupported}; {error}") from error


def _partial(kind: Any) -> Any:
    hints = typing_extensions.get_type_hints(kind, include_extras=True)
    # Use the TypedDict of typing_extensions, which pydantic accepts on every Python version.
    make: Any = typing_extensions.TypedDict
    return make(kind.__name__, {name: _bare(hint) for name, hint in hints.items()}, total=False)


def _bare(hint: Any) -> Any:
    while typing_extensions.get_origin(hint) in _QUALIFIERS:
        (hint,) = typing_extensions.get_args(hint)
    return hint


_QUALIFIERS = frozenset(
    {typing.Required, typing.NotRequired, typing_extensions.ReadOnly}
    | {typing_extensions.Required, typing_extensions.NotRequired}
)
