"""Microseconds of a transaction to the datetimes of the model."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
