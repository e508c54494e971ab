"""Check ``limit`` and ``offset`` of paged requests."""

from __future__ import annotations

from treadle.errors import UnprocessableError

MOST = 1000
FURTHEST = 2**31 - 1


def limit_of(given: int | None, default: int, *, least: int = 1) -> int:
    """The ``limit`` of a request, from ``least`` to 1000."""
    return _within("limit", given, default, least, MOST)


def offset_of(given: int | None) -> int:
    """The ``offset`` of a request, at least 0."""
    return _within("offset", given, 0, 0, FURTHEST)


def _within(name: str, given: int | None, default: int, least: int, most: int) -> int:
    value = default if given is None else given
    if not least <= value <= most:
        raise UnprocessableError(f"{name}: must be from {least} to {most}, is {value}", field=name)
    return value
