from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.backends.live.hints import (
    Appended,
    Cancel,
    DeliveryDue,
    Hint,
    HintBuffer,
    HintsDropped,
    QueueChanged,
    RunAt,
    RunRemoved,
    ThreadAt,
    ThreadTrimmed,
    coalesce,
    messages,
    size,
    without_events,
)
from treadle.backends.live.relay_postgres import channel, payloads

ids = st.sampled_from(["a", "b", "c"])
hints = st.lists(
    st.one_of(
        st.builds(QueueChanged),
        st.builds(DeliveryDue),
        st.builds(Cancel, ids, st.sampled_from(["interrupt", "rollback"])),
        st.builds(RunRemoved, ids),
        st.builds(ThreadTrimmed, ids, st.booleans()),
        st.builds(RunAt, ids, st.integers(1, 9)),
        st.builds(ThreadAt, ids, st.integers(1, 9)),
        st.builds(Appended, ids, st.integers(1, 9), ids, st.integers(1, 9), st.integers(1, 3), st.binary(max_size=999)),
    ),
    max_size=30,
)


def test_events_are_told_of_by_both_their_numbers() -> None:
    assert without_events([QueueChanged(), Appended("r", 3, "t", 30, 2, b"...")]) == [
        QueueChanged(),
        RunAt("r", 4),
        ThreadAt("t", 31),
    ]


def test_each_thing_is_said_once_and_last() -> None:
    said = [QueueChanged(), RunAt("r", 1), ThreadTrimmed("t", False), RunAt("s", 1), QueueChanged(), RunAt("r", 2)]
    assert coalesce(said) == [ThreadTrimmed("t", False), RunAt("s", 1), QueueChanged(), RunAt("r", 2)]


@given(hints)
def test_gathering_keeps_all_events_and_the_last_word_on_everything(said: list[Hint]) -> None:
    kept = coalesce(said)
    assert [hint for hint in kept if isinstance(hint, Appended)] == [h for h in said if isinstance(h, Appended)]
    assert _last_words(kept) == _last_words(said)
    assert coalesce(kept) == kept


def _last_words(said: list[Hint]) -> dict[object, Hint]:
    return {
        (type(hint), hint.run_id if isinstance(hint, RunAt) else hint.thread_id)
        if isinstance(hint, RunAt | ThreadAt)
        else hint: hint
        for hint in said
    }


@given(hints, st.integers(400, 2000))
def test_messages_hold_all_hints_in_order_and_no_more_than_fits(said: list[Hint], most: int) -> None:
    made = messages(said, most)
    assert all(message and sum(map(size, message)) <= most for message in made)
    fitting = [part for hint in said for part in ([hint] if size(hint) <= most else without_events([hint]))]
    assert [hint for message in made for hint in message] == fitting


@given(hints)
def test_payloads_fit_into_a_notification(said: list[Hint]) -> None:
    many = without_events(said) * 20
    assert all(len(payload) < 8000 for payload in payloads(many, b"0" * 16))


def test_what_fits_into_no_notification_is_something_missed() -> None:
    assert payloads([RunRemoved("x" * 9000)], b"name") == [b"name[[9]]"]


@pytest.mark.parametrize("namespace", ["db:public", "d" * 63 + ":" + "s" * 63, "größe:" + "ü" * 40])
def test_channels_have_names_that_postgres_takes(namespace: str) -> None:
    names = {channel(namespace, "control"), channel(namespace, "logs"), channel(namespace + "2", "logs")}
    assert len(names) == 3
    assert all(len(name.encode()) < 64 for name in names)


def test_when_nobody_takes_them_events_are_only_told_of() -> None:
    waiting = HintBuffer(most_bytes=100_000)
    for seq in range(1, 1001):
        waiting.put([Appended("r", seq, "t", seq + 7, 1, b"x" * 1000)])
    taken = waiting.drain()
    assert sum(map(size, taken)) <= 100_000
    reach = [hint for hint in without_events(taken) if isinstance(hint, RunAt)]
    assert reach[-1] == RunAt("r", 1000)


def test_when_nobody_takes_them_the_rest_is_something_missed() -> None:
    waiting = HintBuffer(most=100)
    for number in range(101):
        waiting.put([RunRemoved(str(number))])
    assert waiting.drain() == [HintsDropped()]


def test_what_could_not_be_sent_comes_first_again_without_its_events() -> None:
    waiting = HintBuffer()
    waiting.put([RunAt("r", 9), QueueChanged()])
    waiting.put_back([Cancel("s", "interrupt"), Appended("r", 7, "t", 7, 2, b"...")])
    assert waiting.drain() == [Cancel("s", "interrupt"), ThreadAt("t", 8), RunAt("r", 9), QueueChanged()]


def test_whoever_waits_for_hints_gets_what_is_there_and_in_the_end_nothing() -> None:
    waiting = HintBuffer()
    taken: list[list[Hint]] = []

    def take() -> None:
        while hints := waiting.take():
            taken.append(hints)

    thread = threading.Thread(target=take)
    thread.start()
    waiting.put([QueueChanged()])
    waiting.put([DeliveryDue()])
    waiting.close()
    thread.join(5)
    assert not thread.is_alive()
    assert [hint for hints in taken for hint in hints] == [QueueChanged(), DeliveryDue()]
