"""Series that are known are sent on without their labels: what comes out is the same whichever way they took."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import orjson
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from tests.receivers.prometheus_remote_write.messages import write_request
from tests.receivers.requests import NOW_MS

from quarterdeck.telemetry.receivers.prometheus_remote_write import reading, taken
from quarterdeck.telemetry.receivers.prometheus_remote_write.known import Known
from quarterdeck.telemetry.receivers.prometheus_remote_write.siphash import siphash64
from quarterdeck.telemetry.receivers.prometheus_remote_write.statements import SAMPLES, SERIES
from quarterdeck.telemetry.receiving import Refused, Taken

Series = tuple[Mapping[str, str], Sequence[tuple[float, int]]]
_HOUR_MS = 3_600_000
_ROW, _SAMPLE = struct.Struct("<QQ"), struct.Struct("<3sdc6s")


def _take(body: bytes, known: Known, key: int = 0, now_s: float = 0.0) -> Taken:
    return taken(reading.read(body, known), key, known, now_s)


def _named(found: Taken) -> dict[tuple[int, int], dict[str, str]]:
    frames = [frame for frame in found.frames if frame.stream == SERIES]
    lines = [orjson.loads(line) for frame in frames for line in frame.content.split(b"\n")]
    return {(line[0], line[1]): line[5] for line in lines}


def _samples(found: Taken) -> list[tuple[tuple[int, int], float, int]]:
    """Read RowBinary: a series' number, how many samples follow, the samples."""
    rows = []
    [content] = [frame.content for frame in found.frames if frame.stream == SAMPLES] or [b""]
    at = 0
    while at < len(content):
        number = _ROW.unpack_from(content, at)
        at += _ROW.size + 1
        for _ in range(content[at - 1]):
            tags, value, tag, varint = _SAMPLE.unpack_from(content, at)
            assert (tags, tag) == (b"\x12\x10\x09", b"\x10")
            rows.append((number, value, sum((byte & 127) << 7 * place for place, byte in enumerate(varint))))
            at += _SAMPLE.size
    return rows


def _as_sent(found: Taken, names: Mapping[tuple[int, int], Mapping[str, str]]) -> list[object]:
    # Values as bits: not a number is not equal to itself.
    return sorted((sorted(names[n].items()), struct.pack("<d", v), at) for n, v, at in _samples(found))


def _expected(series: Sequence[Series]) -> list[object]:
    return sorted(
        (sorted((n, v) for n, v in labels.items() if v), struct.pack("<d", value), at)
        for labels, samples in series
        for value, at in samples
    )


_VALUES = st.one_of(st.just(0.0), st.floats(width=64), st.integers(-5, 5).map(float))
# Labels that look like samples, and times on both sides of a period's end.
_TEXTS = st.sampled_from(["", "x", "\x12\x10\t", "\x12\x07\x10", "\x12\x07\x10" * 3, "华东", "a" * 200])
_TIMES = st.integers(NOW_MS - 3 * _HOUR_MS, NOW_MS)


@st.composite
def _requests(draw: st.DrawFn) -> list[Series]:
    count = draw(st.integers(1, 3))
    names = draw(st.lists(st.sampled_from(["up", "cpu", "go_gc"]), min_size=1, max_size=6))
    return [
        (
            {"__name__": name, "instance": draw(_TEXTS), "job": draw(_TEXTS)},
            draw(st.lists(st.tuples(_VALUES, _TIMES), min_size=count, max_size=draw(st.integers(count, 4)))),
        )
        for name in names
    ]


@seed(2)
@settings(max_examples=300, deadline=None, database=None)
@given(_requests())
def test_a_known_series_brings_the_same_samples(series: list[Series]) -> None:
    known, body = Known(), write_request(series).SerializeToString()
    first = _take(body, known)
    names = _named(first)
    assert _as_sent(first, names) == _expected(series)
    assert first.when_kept is not None
    first.when_kept()
    again = _take(body, known)
    assert _as_sent(again, names) == _expected(series)
    # The frames are the same ones: sent again by a client that saw no answer, they count once.
    assert again.frames[-1].content == first.frames[-1].content
    assert not again.refused


def _one(value: float = 1.0, at: int = NOW_MS, **labels: str) -> bytes:
    content: bytes = write_request([({"__name__": "up", **labels}, [(value, at)])]).SerializeToString()
    return content


def test_a_series_is_named_until_its_name_is_on_the_disk_then_once_in_a_period() -> None:
    known = Known()
    kept = _take(_one(), known)
    assert _named(kept)
    assert _named(_take(_one(2.0), known)), "the frames of the first one may have been lost"
    assert kept.when_kept is not None
    kept.when_kept()
    assert not _named(_take(_one(3.0), known))
    assert _named(_take(_one(3.0), known, key=7)), "another key has other labels"
    assert _named(_take(_one(4.0, NOW_MS - 2 * _HOUR_MS), known))


def test_the_times_of_a_name_cover_what_comes_in_its_period() -> None:
    found = _take(_one(1.0, NOW_MS), Known())
    line = orjson.loads(found.frames[0].content)
    assert line[6] == NOW_MS
    assert line[7] == (NOW_MS >> 22 << 22) + (1 << 22) - 1


def test_a_sender_is_seen_each_minute() -> None:
    known = Known()
    both = write_request([({"__name__": n, "instance": "a:1"}, [(1.0, NOW_MS)]) for n in ("up", "cpu")])
    body = both.SerializeToString()
    kept = _take(body, known, now_s=1000.0)
    assert kept.when_kept is not None
    kept.when_kept()
    assert not _named(_take(body, known, now_s=1030.0))
    assert len(_named(_take(body, known, now_s=1090.0))) == 1


def test_it_leaves_out_times_that_nobody_has() -> None:
    series = [({"__name__": "up"}, [(1.0, at) for at in (0, -5, 2**62, -(2**62), NOW_MS)])]
    found = _take(write_request(series).SerializeToString(), Known())
    assert [at for _number, _value, at in _samples(found)] == [NOW_MS]
    assert found.refused == {"bad_time": 4}


def test_labels_in_another_order_and_empty_ones_are_the_same_series() -> None:
    known = Known()
    bodies = [
        write_request([(labels, [(1.0, NOW_MS)])]).SerializeToString()
        for labels in (
            {"__name__": "up", "a": "1", "b": "2"},
            {"b": "2", "__name__": "up", "a": "1"},
            {"__name__": "up", "a": "1", "b": "2", "c": ""},
        )
    ]
    assert len({_samples(_take(body, known))[0][0] for body in bodies}) == 1


def test_an_archive_is_taken_without_being_remembered() -> None:
    known = Known()
    series = [({"__name__": "up"}, [(1.0, NOW_MS - day * 24 * _HOUR_MS) for day in range(20)])]
    body = write_request(series).SerializeToString()
    for _ in range(2):
        found = _take(body, known)
        assert len(_samples(found)) == 20
        assert len(_named(found)) == 1
        assert found.when_kept is not None
        found.when_kept()


def test_more_samples_than_a_row_holds() -> None:
    series = [({"__name__": "up"}, [(float(n), NOW_MS + n) for n in range(1000)])]
    found = _take(write_request(series).SerializeToString(), Known())
    assert [(value, at) for _number, value, at in _samples(found)] == [(float(n), NOW_MS + n) for n in range(1000)]


@pytest.mark.parametrize("labels", [b"\xff\xfe", b"\x0a\x02\xff\xfe"])
def test_labels_that_are_no_text_are_refused(labels: bytes) -> None:
    series = b"\x0a" + bytes((len(labels),)) + labels + b"\x12\x07\x10\x80\x80\x80\x80\x80\x40"
    with pytest.raises(Refused):
        _take(b"\x0a" + bytes((len(series),)) + series, Known())


@pytest.mark.parametrize(
    ("text", "number"),
    [("", 2202906307356721367), ("node_cpu_seconds_total", 16683754226582389088), ("订单", 16415619204225579525)],
)
def test_the_hash_is_the_engines(text: str, number: int) -> None:
    assert siphash64(text.encode()) == number
