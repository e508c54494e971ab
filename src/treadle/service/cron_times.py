"""Compute when a cron is due, from an expression, a time zone and an instant. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from treadle.errors import UnprocessableError

_LONGEST = 255
_FORMAT = (
    "Ensure the schedule uses the standard cron format (minute hour day_of_month month day_of_week)."
    " Example: '*/5 * * * *' for every 5 minutes."
)


def next_run(schedule: str, timezone: str | None, after: datetime) -> datetime | None:
    """The first due time after ``after`` (aware), in UTC, or None if there is none within 50 years.

    When clocks go forward, times within the gap are due right after it. When they go back, a fixed hour is due once,
    while a schedule of every few minutes or every hour continues. Raises UnprocessableError for an invalid schedule or
    zone.
    """
    zone = zone_of(timezone)
    try:
        moments = CronSim(_five_fields(schedule), after.astimezone(zone))
    except CronSimError as error:
        raise _bad(schedule, str(error)) from None
    # In the repeated hour, the first candidates may be before ``after``.
    return next((due for moment in moments if (due := moment.astimezone(UTC)) > after), None)


def zone_of(name: str | None) -> tzinfo:
    """The zone of an IANA name, or UTC for None. Raises UnprocessableError."""
    if name is None:
        return UTC
    try:
        zone = ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, not a valid name, or a directory of zones
        raise UnprocessableError(
            f"Invalid timezone: {name[:80]!r}. Use IANA timezone format (e.g. 'America/New_York').", field="timezone"
        ) from None
    return UTC if name in ("UTC", "Etc/UTC") else zone


def _five_fields(schedule: str) -> str:
    if len(schedule) > _LONGEST:
        raise _bad(schedule, f"longer than {_LONGEST} characters")
    if len(schedule.split()) != 5:
        raise _bad(schedule, "must have five fields")
    return schedule


def _bad(schedule: str, reason: str) -> UnprocessableError:
    return UnprocessableError(
        f"Invalid cron schedule: {schedule[:80]!r}. Reason: {reason}. {_FORMAT}", field="schedule"
    )
