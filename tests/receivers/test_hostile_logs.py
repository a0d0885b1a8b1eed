"""Bytes that nobody should send to the receivers of logs: each is refused or taken, none breaks them."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import cramjam
import msgpack
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.lab.requests import NOW, request, targets_beside

from quarterdeck.telemetry.receivers import fluent, gelf, loki
from quarterdeck.telemetry.receivers.elasticsearch import bulk
from quarterdeck.telemetry.receiving import Peer, Refused, Taken

_HERE = Path(__file__).parent
_TARGETS = {
    name: target
    for directory in ("elasticsearch", "fluent", "gelf", "lines", "loki")
    for name, target in targets_beside(str(_HERE / directory / "test.py")).items()
}
_DEEP = b'{"a":' * 3000 + b"1" + b"}" * 3000
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode())


_LINES = st.lists(st.binary(max_size=20) | st.just(b'{"index":{}}'), max_size=6).map(b"\n".join)


def _bulk(*documents: bytes) -> bytes:
    return b"".join(b'{"create":{}}\n' + document + b"\n" for document in documents)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(
    st.binary(max_size=200) | st.lists(st.binary(max_size=20) | st.just(b'{"index":{}}'), max_size=6).map(b"\n".join)
)
@example(_DEEP)
@example(_bulk(_DEEP, b'{"a":1}'))
@example(b'{"index":{"_id":99999999999999999999}}\n{}\n')
@example(b'{"index":{"_index":"\\ud800","_id":"a\\tb\\n"}}\n{}\n')
@example(b'{"short_message":"x","timestamp":1e308,"_a":' + _DEEP[:500])
@example(b'{"short_message":[1],"host":{"a":1},"level":[],"timestamp":"x"}')
@example(b'{"streams":[{"stream":{"a":"b"},"values":[["99999999999999999999999","x"],["1",{}]]}]}')
@example(gzip.compress(b"\0" * (256 << 20), 1))
@example(b"\x91" * 5000)
@example(msgpack.packb(["t", [[1, {"a": 2**64 - 1, "b": -(2**63), "c": float("nan"), "d": float("inf")}]]]))
@example(msgpack.packb(["t", b"\xc1\xc1", {"compressed": "gzip"}]))
@example(msgpack.packb(["t", gzip.compress(b"\x93" * 100), {"compressed": "gzip"}]))
def test_no_bytes_break_them(data: bytes) -> None:
    for target in _TARGETS.values():
        with suppress(Refused):
            target(data)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(_JSON)
def test_no_json_breaks_them(data: bytes) -> None:
    for target in _TARGETS.values():
        with suppress(Refused):
            target(data)


_PACKED = st.recursive(
    st.none() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.binary(max_size=9) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=9,
)


@settings(max_examples=100, derandomize=True, deadline=None)
@given(_PACKED)
def test_no_message_breaks_fluent(value: object) -> None:
    for message in (value, ["t", value], ["t", 1, value], ["t", [[1, value]], value], ["t", [value]]):
        for name in ("fluent connection", "fluent with a shared key"):
            with suppress(Refused):
                _TARGETS[name](msgpack.packb(message))


def _only(taken: Taken) -> list[bytes]:
    [frame] = taken.frames
    assert frame.content.count(b"\n") == frame.records - 1
    return frame.content.split(b"\n")


@pytest.mark.parametrize("documents", [[b'{"a":1}'], [b'{ "a" :\t1 }', b"{}\r"], [b'{"a":"\xff"}', b'{"a":"x\\ny"}']])
def test_each_document_is_one_line_for_the_engine(documents: list[bytes]) -> None:
    assert len(_only(bulk.take_bulk(request(_bulk(*documents))))) == len(documents)


def test_a_document_over_two_lines_stays_one() -> None:
    assert _only(bulk.take_document(request(b'{"a":\r\n1}', index="i"))) == [b'i\t{"a":  1}']


def test_two_documents_on_a_line_do_not_shift_the_others() -> None:
    taken = bulk.take_bulk(request(_bulk(b'{"a":1}{"b":2}', b'{"c":3}')))
    assert _only(taken) == [b'\t{"c":3}']
    assert taken.refused == {"malformed": 1}


def _shared_key(nonce: bytes, key: bytes) -> bytes:
    digest = hashlib.sha512(b"salt" + b"me" + nonce + key).hexdigest()
    packed: bytes = msgpack.packb(["PING", "me", b"salt", digest, "", ""])
    return packed


def test_fluent_asks_for_the_shared_key() -> None:
    peer = Peer("192.0.2.7", 0, lambda: NOW, {"intake_fluent_shared_key": "right"})
    event = msgpack.packb(["t", 1, {"a": 1}])
    session = fluent.Connection(peer)
    [hello] = session.begin()
    assert hello.answer
    nonce = msgpack.unpackb(hello.answer.body)[1]["nonce"]
    [pong, kept] = session.feed(_shared_key(nonce, b"right") + event)
    assert pong.answer
    assert msgpack.unpackb(pong.answer.body)[:2] == ["PONG", True]
    assert [frame.records for frame in kept.frames] == [1]
    for wrong in (event, _shared_key(nonce, b"wrong")):
        other = fluent.Connection(peer)
        list(other.begin())
        with pytest.raises(Refused):
            list(other.feed(wrong))


def _chunks(content: bytes, count: int) -> list[bytes]:
    size = -(-len(content) // count)
    head = b"\x1e\x0f" + b"messages"
    return [head + bytes([at, count]) + content[at * size : (at + 1) * size] for at in range(count)]


def test_gelf_puts_128_chunks_together_in_any_order() -> None:
    chunks = gelf.Chunks()
    content = bytes(range(256)) * 40
    found = [chunks.add("a", chunk) for chunk in reversed(_chunks(content, 128))]
    assert found[:-1] == [None] * 127
    assert found[-1] == content


def test_gelf_forgets_chunks_after_five_seconds_and_keeps_senders_apart() -> None:
    clock = [0.0]
    chunks = gelf.Chunks(lambda: clock[0])
    first, second = _chunks(b"ab", 2)
    assert chunks.add("a", first) is None
    assert chunks.add("b", second) is None
    clock[0] = 4.9
    assert chunks.add("a", second) == b"ab"
    clock[0] = 5.1
    assert chunks.add("b", first) is None


def test_gelf_keeps_no_more_than_it_may() -> None:
    chunks = gelf.Chunks(lambda: 0.0)
    for number in range(2000):
        chunks.add("a", b"\x1e\x0f" + number.to_bytes(8, "big") + b"\0\2" + b"x" * 60_000)
    assert chunks._bytes <= 64 << 20


@pytest.mark.parametrize(
    "packed",
    [gzip.compress(b"\0" * (8 << 20), mtime=0), zlib.compress(b"\0" * (8 << 20))],
    ids=["gzip", "zlib"],
)
def test_gelf_does_not_unfold_bombs(packed: bytes) -> None:
    with pytest.raises(Refused, match="larger"):
        list(gelf.Datagram(Peer("a", 0, lambda: datetime.now(UTC))).feed(packed))


@pytest.mark.parametrize("labels", ["{", '{a="b', "a", '{a="b" c="d"}', "{a=b}"])
def test_loki_refuses_what_are_no_labels(labels: str) -> None:
    push = loki._PUSH()
    push.streams.add(labels=labels).entries.add(line="x")
    body = bytes(cramjam.snappy.compress_raw(push.SerializeToString()))
    with pytest.raises(Refused, match="no labels"):
        loki._take(request(body))


def test_loki_takes_many_labels() -> None:
    labels = "{" + ", ".join(f'l{at}="{at}"' for at in range(10_000)) + "}"
    assert len(loki._labels(labels)) == 10_000
