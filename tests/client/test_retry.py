"""The budget of tries and their pauses."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle import ConnectionFailed, RateLimitError, Retry
from treadle.client.retry import Tries, TryAgain, retry_after

DROPPED = TryAgain(ConnectionFailed("dropped"))


def test_pauses_double_up_to_a_ceiling() -> None:
    retry = Retry(first_seconds=1, max_seconds=5, random=lambda: 1.0)
    assert [retry.delay(n) for n in (1, 2, 3, 4, 1000)] == [1, 2, 4, 5, 5]


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_jitter_takes_at_most_half_of_a_pause(failures: int, chance: float) -> None:
    ceiling = Retry(random=lambda: 1.0).delay(failures)
    assert ceiling / 2 <= Retry(random=lambda: chance).delay(failures) <= ceiling <= 10


def test_the_budget_is_of_tries_in_a_row() -> None:
    tries = Tries(Retry(tries=2))
    for _ in range(5):
        tries.pause(DROPPED)
        tries.pause(DROPPED)
        tries.progress()
    tries.pause(DROPPED)
    tries.pause(DROPPED)
    with pytest.raises(ConnectionFailed):
        tries.pause(DROPPED)


def test_no_tries_means_no_retry() -> None:
    with pytest.raises(ConnectionFailed):
        Tries(Retry(tries=0)).pause(DROPPED)


def test_the_server_may_ask_for_more_time_but_not_for_any() -> None:
    tries = Tries(Retry(max_retry_after_seconds=60))
    assert tries.pause(TryAgain(RateLimitError("slow"), after=30)) == 30
    with pytest.raises(RateLimitError):
        tries.pause(TryAgain(RateLimitError("slow"), after=61))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("7", 7),
        (" 7 ", 7),
        ("soon", None),
        ("-1", None),
        ("Thu, 01 Jan 2026 00:00:30 GMT", 30),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, datetime(2026, 1, 1, tzinfo=UTC)) == seconds


@pytest.mark.parametrize("field", ["tries", "first_seconds", "max_seconds", "max_retry_after_seconds"])
def test_a_negative_setting_is_refused_by_name(field: str) -> None:
    with pytest.raises(ValueError, match=rf"Retry\.{field} must be 0 or more"):
        Retry(**{field: -1})
