"""The SSE decoder: however the bytes are cut and lines are ended, the same frames."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from treadle.sse import HEARTBEAT, Decoder, Frame, encode, event_id, parse_event_id

names = st.from_regex(r"[a-z/|:\-]{1,12}", fullmatch=True)
payloads = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])).map(str.encode)
ids = st.none() | st.builds(event_id, st.integers(0, 2**45), st.integers(1, 2**40))
frames = st.lists(st.builds(Frame, names, payloads, ids), max_size=6)


def decode(chunks: list[bytes]) -> list[Frame]:
    decoder = Decoder()
    return [frame for chunk in chunks for frame in decoder.feed(chunk)]


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:stop] for start, stop in pairwise(edges)]


@given(frames, st.lists(st.integers(0, 10_000), max_size=12), st.sampled_from([b"\n", b"\r\n"]))
def test_any_cutting_of_any_frames_gives_the_same_frames(sent: list[Frame], places: list[int], ending: bytes) -> None:
    data = b"".join(encode(*frame) + HEARTBEAT for frame in sent).replace(b"\r\n", ending)
    assert decode(cut(data, places)) == sent


@given(frames, st.lists(st.integers(0, 10_000), max_size=12))
def test_bare_carriage_returns_end_lines_too(sent: list[Frame], places: list[int]) -> None:
    # What follows tells the last CR from the first half of a CRLF.
    data = b"".join(encode(*frame) for frame in sent).replace(b"\r\n", b"\r") + b": more\r\r"
    assert decode(cut(data, places)) == sent


@given(frames.filter(bool))
def test_byte_by_byte_is_the_hardest_cutting(sent: list[Frame]) -> None:
    data = b"".join(encode(*frame) for frame in sent)
    assert decode([data[i : i + 1] for i in range(len(data))]) == sent


def test_an_unfinished_frame_is_not_delivered() -> None:
    data = encode("values", b'{"a":1}', "1-1")
    assert decode([data[:-2]]) == []


def test_data_of_several_lines_is_joined_and_comments_are_counted() -> None:
    decoder = Decoder()
    assert decoder.feed(b": hi\nevent: x\ndata: a\ndata:b\nid: 1-2\nretry: 5\n\n") == [Frame("x", b"a\nb", "1-2")]
    assert (decoder.comments, decoder.last_id) == (1, "1-2")


@given(st.text(max_size=50))
def test_an_event_id_is_read_or_refused_but_never_raises(text: str) -> None:
    parsed = parse_event_id(text)
    assert parsed is None or all(part >= 0 for part in parsed)
