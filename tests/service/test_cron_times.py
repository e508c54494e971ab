"""When crons come due: dates around the changes of the clocks, and what holds for any of them."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.errors import UnprocessableError
from treadle.service.cron_times import next_run

BERLIN = "Europe/Berlin"
NEW_YORK = "America/New_York"


def dates(schedule: str, timezone: str | None, after: str, count: int) -> list[str]:
    """The next ``count`` dates after a moment of UTC, as times of day and date in UTC."""
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)
    found: list[str] = []
    for _ in range(count):
        due = next_run(schedule, timezone, moment)
        assert due is not None
        moment = due
        found.append(moment.strftime("%m-%d %H:%M"))
    return found


@pytest.mark.parametrize(
    ("schedule", "timezone", "after", "expected"),
    [
        ("0 0 1 1 *", None, "2026-11-22T15:05", ["01-01 00:00"]),
        ("0 0 1 1 *", "Europe/Paris", "2026-11-22T15:05", ["12-31 23:00"]),
        ("*/15 * * * *", None, "2026-11-22T15:05", ["11-22 15:15", "11-22 15:30"]),
        ("*/15 * * * *", None, "2026-11-22T15:15", ["11-22 15:30"]),
        ("0 12 * * MON", "UTC", "2026-11-22T15:05", ["11-23 12:00", "11-30 12:00"]),
        ("0 9 29 2 *", None, "2026-01-01T00:00", ["02-29 09:00"]),
        ("30 9 L * *", None, "2027-02-01T00:00", ["02-28 09:30", "03-31 09:30"]),
        # Spring: 02:00 becomes 03:00. What would be at 02:30 comes right after the gap, and the next day at its time.
        ("30 2 * * *", BERLIN, "2026-03-27T12:00", ["03-28 01:30", "03-29 01:00", "03-30 00:30"]),
        ("0 3 * * *", BERLIN, "2026-03-28T12:00", ["03-29 01:00", "03-30 01:00"]),
        ("0 * * * *", BERLIN, "2026-03-28T23:30", ["03-29 00:00", "03-29 01:00", "03-29 02:00"]),
        ("30 2 * * *", NEW_YORK, "2026-03-07T12:00", ["03-08 07:00", "03-09 06:30"]),
        # Autumn: 03:00 becomes 02:00. A fixed hour comes once, every hour and every few minutes go on.
        ("30 2 * * *", BERLIN, "2026-10-24T12:00", ["10-25 00:30", "10-26 01:30"]),
        ("30 1 * * *", NEW_YORK, "2026-10-31T12:00", ["11-01 05:30", "11-02 06:30"]),
        ("0 * * * *", BERLIN, "2026-10-24T23:30", ["10-25 00:00", "10-25 01:00", "10-25 02:00"]),
        ("*/30 * * * *", BERLIN, "2026-10-25T00:00", ["10-25 00:30", "10-25 01:00", "10-25 01:30", "10-25 02:00"]),
        ("0 12 * * *", "Asia/Kolkata", "2026-11-22T00:00", ["11-22 06:30", "11-23 06:30"]),
    ],
)
def test_dates(schedule: str, timezone: str | None, after: str, expected: list[str]) -> None:
    assert dates(schedule, timezone, after, len(expected)) == expected


def test_a_cron_that_is_asked_in_the_repeated_hour_is_not_early() -> None:
    """At 02:10 for the second time, a cron of 02:45 has had its date of that day."""
    second = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    assert next_run("45 2 * * *", BERLIN, second) == datetime(2026, 10, 26, 1, 45, tzinfo=UTC)


@pytest.mark.parametrize(
    "schedule",
    [
        *("bogus", "", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *"),
        *("* * * * 8", "5-1 * * * *", "*/0 * * * *", "@daily", "a b c d e", "1,,2 * * * *", "- * * * *", "0 0 30 2 *"),
        *(", ".join(["*"] * 200) + " * * * *", "² * * * *", "* * * * L", "* * * * 1#9"),
    ],
)
def test_bad_schedules_are_refused_with_an_example(schedule: str) -> None:
    with pytest.raises(UnprocessableError, match=r"Invalid cron schedule: .*Example: '\*/5 \* \* \* \*'") as caught:
        next_run(schedule, None, datetime(2026, 1, 1, tzinfo=UTC))
    assert caught.value.data["field"] == "schedule"


@pytest.mark.parametrize(
    "timezone", ["Mars/X", "", "../etc/passwd", "/etc/passwd", "Europe", "\0", "x" * 5000, "utc+1", "posix/.."]
)
def test_bad_zones_are_refused(timezone: str) -> None:
    with pytest.raises(UnprocessableError, match="Invalid timezone") as caught:
        next_run("* * * * *", timezone, datetime(2026, 1, 1, tzinfo=UTC))
    assert caught.value.data["field"] == "timezone"


FIELDS = st.sampled_from(["*", "*/2", "*/7", "0", "1", "5,30", "2-6", "10-20/3"])
HOURS = st.sampled_from(["*", "*/2", "*/5", "0", "1", "2", "3", "1-3", "23"])
DAYS = st.sampled_from(["*", "1", "15", "28-31", "L", "*/9"])
MONTHS = st.sampled_from(["*", "3", "10", "1-6", "*/5"])
WEEKDAYS = st.sampled_from(["*", "0", "7", "MON-FRI", "1,4", "5L", "2#1"])
SCHEDULES = st.builds(" ".join, st.tuples(FIELDS, HOURS, DAYS, MONTHS, WEEKDAYS))
ZONES = st.sampled_from([None, "UTC", BERLIN, NEW_YORK, "Australia/Lord_Howe", "Asia/Kolkata", "America/Sao_Paulo"])
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))


@given(SCHEDULES, ZONES, MOMENTS)
def test_dates_only_ever_grow(schedule: str, timezone: str | None, after: datetime) -> None:
    moments = [after]
    for _ in range(8):
        due = next_run(schedule, timezone, moments[-1])
        if due is None:
            break
        assert due.tzinfo is UTC
        assert due.second == due.microsecond == 0
        moments.append(due)
    assert all(early < late for early, late in pairwise(moments))


@given(SCHEDULES, ZONES, MOMENTS, st.floats(0, 1, exclude_max=True))
def test_between_two_dates_there_is_none(schedule: str, timezone: str | None, after: datetime, part: float) -> None:
    """Asked at any moment before it, the next date is the same: a server that was away finds the one it would have."""
    due = next_run(schedule, timezone, after)
    if due is not None:
        between = after + timedelta(seconds=int((due - after).total_seconds() * part))
        zone = ZoneInfo(timezone or "UTC")
        changes = between.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset()
        if not changes:
            assert next_run(schedule, timezone, between) == due


@given(st.text(max_size=40))
def test_any_text_is_a_schedule_or_refused(text: str) -> None:
    with suppress(UnprocessableError):
        next_run(text, None, datetime(2026, 1, 1, tzinfo=UTC))


@given(st.lists(st.text("0123456789*,-/#LWMONa", max_size=8), min_size=5, max_size=5))
def test_any_fields_are_a_schedule_or_refused(fields: list[str]) -> None:
    with suppress(UnprocessableError):
        next_run(" ".join(fields), None, datetime(2026, 1, 1, tzinfo=UTC))
