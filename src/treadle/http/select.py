"""Select parts of results: ``select`` columns, ``values.<key>`` of a state, and ``extract`` paths into a thread's
values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import orjson
from msgspec import UNSET, Raw, Struct

from treadle.errors import UnprocessableError
from treadle.http import parse
from treadle.http.responses import encode
from treadle.model import JSON, Assistant, Thread, ThreadState

ASSISTANT_COLUMNS = Assistant.__struct_fields__
THREAD_COLUMNS = (*Thread.__struct_fields__, "context")
"""The SDK's list includes ``context``, which no thread has: it is accepted and omitted."""
STATE_COLUMNS = ThreadState.__struct_fields__

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(-?\d{1,9})\]", re.ASCII)


def columns(value: Struct, names: Sequence[str] | None) -> Any:
    """``value``, or an object of its requested fields."""
    if not names:
        return value
    return {name: field for name in names if (field := getattr(value, name, UNSET)) is not UNSET}


def state_columns(names: Sequence[str] | None) -> list[str] | None:
    """Check the requested columns of a state: its fields and ``values.<key>``."""
    if names is None:
        return None
    fields = [name for name in names if not name.startswith("values.")]
    parse.choices("select", fields, (*STATE_COLUMNS, "values.<key>"))
    return list(names)


def state(value: ThreadState, names: Sequence[str] | None) -> Any:
    """The columns of ``value``; ``values.<key>`` selects single keys of the values."""
    if not names:
        return value
    picked: JSON = columns(value, [name for name in names if not name.startswith("values.")]) if names else {}
    keys = [name.removeprefix("values.") for name in names if name.startswith("values.")]
    if keys and "values" not in names:
        values: Any = plain(value.values)
        picked = _fields(picked) | {"values": {k: values[k] for k in keys if isinstance(values, dict) and k in values}}
    return picked


def extracted(thread: Thread, paths: dict[str, str]) -> JSON:
    """``{alias: value}`` for paths such as ``values.messages[-1].content``; missing values are null."""
    whole = {"values": plain(thread.values), "metadata": thread.metadata}
    return {alias: _follow(whole, path) for alias, path in paths.items()}


def check_paths(paths: dict[str, str]) -> dict[str, str]:
    """Check ``extract`` of a request. Raises UnprocessableError, which names the alias."""
    for alias, path in paths.items():
        if "".join(match[0] for match in _STEP.finditer(path)) != path or _root(path) not in ("values", "metadata"):
            raise UnprocessableError(
                f"extract.{alias}: must be a path from values or metadata, such as values.messages[-1]",
                field=f"extract.{alias}",
            )
    return paths


def plain(value: Any) -> Any:
    """The data of JSON that is stored as bytes."""
    return orjson.loads(encode(value)) if isinstance(value, (orjson.Fragment, Raw)) else value


def _root(path: str) -> str:
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def _follow(value: Any, path: str) -> Any:
    for name, index in _STEP.findall(path):
        value = _item(value, int(index)) if index else value.get(name) if isinstance(value, dict) else None
    return value


def _item(value: Any, index: int) -> Any:
    return value[index] if isinstance(value, list) and -len(value) <= index < len(value) else None


def _fields(value: Any) -> JSON:
    return value if isinstance(value, dict) else {}
