"""Decode a langgraph.json into ``schema.ProjectFile``, and turn each mistake into a ConfigError with its key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

from msgspec import ValidationError, convert, inspect

from treadle.errors import ConfigError
from treadle.model import JSON
from treadle.project.schema import ProjectFile

_STEP = re.compile(r"\.\.\.|[^.\[\]`]+")
_FIELD = re.compile(r"Object (missing required|contains unknown) field `(.+)`")
_EXPECTED = re.compile(r"Expected `([^`]+)`, got ")
_NAMES = {
    "object": "an object",
    "array": "a list",
    "str": "text",
    "bool": "true or false",
    "int": "an integer",
    "float": "a number",
    "null": "null",
}


def decode(raw: JSON, file: Path) -> ProjectFile:
    """Return the typed content of ``file``. Raises ConfigError naming the key and the allowed values."""
    try:
        return convert(raw, ProjectFile)
    except ValidationError as error:
        raise _config_error(str(error), raw, file) from None


def kind(value: Any) -> str:
    """Describe the type of a JSON value, such as "a list"."""
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _config_error(text: str, raw: JSON, file: Path) -> ConfigError:
    """Translate the text of a ValidationError, ``<message> - at `$.<path>` ``."""
    message, _, path = text.partition(" - at `$")
    key, value, type_ = [], cast("Any", raw), inspect.type_info(ProjectFile)
    for step in _STEP.findall(path):
        # msgspec writes "[...]" for the entry of an object with free names: find out which entry it was.
        key.append(_failing_entry(raw, key, value, text) if step == "..." else step)
        value = value[int(step)] if isinstance(value, list) else value[key[-1]]
        type_ = _type_of_entry(type_, step)
    detail, hint = f"must not be {value!r}", _hint(type_)
    if match := _EXPECTED.match(message):
        detail = f"must be {_expected(match[1])}, got {kind(value)}"
    elif match := _FIELD.match(message):
        key.append(match[2])
        known = match[1] == "missing required"
        detail = "is missing" if known else "is not a known key"
        hint = _hint(_type_of_entry(type_, match[2])) if known else f"one of {', '.join(_fields(type_))}"
    return ConfigError(detail, file=str(file), key=".".join(key) or None, hint=hint)


def _expected(types: str) -> str:
    names = [_NAMES[name] for name in types.split(" | ") if name != "null"]
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _failing_entry(raw: JSON, path: list[str], entries: JSON, text: str) -> str:
    """Return the first of ``entries`` that gives the same error when it is the only entry."""
    return next(name for name in entries if _error_text(_with_only(raw, path, name)) == text)


def _with_only(value: JSON, path: list[str], name: str) -> JSON:
    if not path:
        return {name: value[name]}
    return {**value, path[0]: _with_only(value[path[0]], path[1:], name)}


def _error_text(raw: JSON) -> str | None:
    try:
        convert(raw, ProjectFile)
    except ValidationError as error:
        return str(error)
    return None


def _members(type_: inspect.Type) -> list[inspect.Type]:
    """The alternatives of a type, without its annotations."""
    if isinstance(type_, inspect.Metadata):
        return _members(type_.type)
    if isinstance(type_, inspect.UnionType):
        return [member for each in type_.types for member in _members(each)]
    return [type_]


def _fields(type_: inspect.Type) -> dict[str, inspect.Type]:
    structs = [each for each in _members(type_) if isinstance(each, inspect.StructType)]
    return {field.encode_name: field.type for struct in structs for field in struct.fields}


def _type_of_entry(type_: inspect.Type, name: str) -> inspect.Type:
    for each in _members(type_):
        if isinstance(each, inspect.DictType):
            return each.value_type
        if isinstance(each, inspect.ListType):
            return each.item_type
    return _fields(type_)[name]


def _hint(type_: inspect.Type) -> str | None:
    """Return the description of a type or of the first of its alternatives that has one."""
    if isinstance(type_, inspect.Metadata):
        return (type_.extra_json_schema or {}).get("description")
    if isinstance(type_, inspect.UnionType):
        return next(filter(None, map(_hint, type_.types)), None)
    if isinstance(type_, inspect.LiteralType):
        return f"one of {', '.join(map(str, type_.values))}"
    return None
