"""Translate SQLite's SQL to PostgreSQL's. Pure.

SQL for PostgreSQL only is in a comment, ``/*pg: FOR UPDATE */``. Hints for SQLite's planner are removed: ``CROSS``
before a join with a condition, ``INDEXED BY``, and a unary plus. The first migration defines SQLite's functions that
PostgreSQL lacks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

_TOKEN = re.compile(
    r"(?P<text>'(?:[^']|'')*')"
    r"|/\*pg:(?P<own>.*?)\*/"
    r"|(?P<cast>::)"
    r"|\?(?P<number>\d*)"
    r"|:(?P<name>[a-z_]+)"
    r"|CROSS (?P<join>JOIN) (?!json_each)"
    r"|(?P<index> INDEXED BY [a-z_]+)"
    r"|(?<=[ (])\+(?P<column>[a-z])",
    re.DOTALL,
)
_WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE)")


class Statement(NamedTuple):
    """``names`` are the named parameters in order, if any. ``writes`` is whether it changes rows."""

    text: bytes
    names: Sequence[str] | None
    writes: bool

    def bind(self, parameters: Sequence[Any] | Mapping[str, Any]) -> Sequence[Any]:
        if self.names is None:
            assert not isinstance(parameters, Mapping), "the statement numbers its parameters"
            return parameters
        assert isinstance(parameters, Mapping), "the statement names its parameters"
        return [parameters[name] for name in self.names]


def postgres(sql: str) -> Statement:
    names: list[str] = []
    counted = 0

    def replaced(token: re.Match[str]) -> str:
        nonlocal counted
        if (name := token["name"]) is not None:
            if name not in names:
                names.append(name)
            return f"${names.index(name) + 1}"
        if (number := token["number"]) is not None:
            counted += 1
            return f"${number or counted}"
        if token["join"]:
            return "JOIN "
        if token["index"]:
            return ""
        return token["own"] or token["column"] or token[0]

    text = _TOKEN.sub(replaced, sql)
    return Statement(text.encode(), names or None, _WRITES.match(sql) is not None)
