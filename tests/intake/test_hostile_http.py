"""HTTP as attackers and broken clients speak it: each is answered or cut off, and the next one is served."""

from __future__ import annotations

import contextlib
import gzip
import socket
import time
import zlib
from collections.abc import Iterator

import brotli
import cramjam
import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.intake.door import BODY_MAX_BYTES, CONTENT_MAX_BYTES, Attacked, attacked, read_all

from quarterdeck.core import bounded_http
from quarterdeck.intake import http


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    with attacked(tmp_path_factory.mktemp("spool")) as found:
        yield found


@pytest.fixture(autouse=True)
def _it_serves_afterwards(one: Attacked) -> Iterator[None]:
    yield
    assert one.post(b"still there")[0] == 200
    assert one.application._room.used_bytes == 0


def _status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def _is_cut_off(client: socket.socket, piece: bytes, times: int, pause_seconds: float = 0) -> bool:
    try:
        for _ in range(times):
            client.sendall(piece)
            time.sleep(pause_seconds)
    except (BrokenPipeError, ConnectionResetError):
        return True
    return False


def test_a_body_over_the_limit_is_refused(one: Attacked) -> None:
    status, body, _after = one.post(b"x" * (BODY_MAX_BYTES + 1))
    assert (status, b"larger than 1 MB" in body) == (413, True)


def test_a_chunked_body_without_end_is_refused(one: Attacked) -> None:
    with one.connect() as client:
        client.sendall(b"POST /plain HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
        for _ in range(40):
            client.sendall(chunk)
        assert b" 413 " in client.recv(65_536)


def test_dropping_what_comes_after_the_answer_has_an_end(one: Attacked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_http, "DROPPED_BYTES", 4 << 20)
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    with one.connect() as client:
        client.sendall(b"POST /plain HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert _is_cut_off(client, chunk, 2000)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd", "snappy", "br"])
def test_a_bomb_is_refused(one: Attacked, encoding: str) -> None:
    big = b"\0" * (CONTENT_MAX_BYTES * 4)
    packed = {
        "gzip": lambda: gzip.compress(big),
        "deflate": lambda: zlib.compress(big),
        "zstd": lambda: zstd.compress(big),
        "snappy": lambda: bytes(cramjam.snappy.compress_raw(big)),
        "br": lambda: brotli.compress(big, quality=1),
    }[encoding]()
    status, body, _after = one.post(packed, content_encoding=encoding)
    assert (status, b"larger than 4 MB" in body) == (413, True)


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "snappy", "br", "lzma", "gzip, br", "\xff", "identity, gzip"])
def test_a_lie_about_the_encoding_is_refused(one: Attacked, encoding: str) -> None:
    assert one.post(b"plain text that is not compressed", content_encoding=encoding)[0] in (400, 415)


@pytest.mark.parametrize("length", ["-1", "5x", "99999999999999999999999", "0x10", "1 2", "٣"])
def test_a_length_that_is_none_is_refused(one: Attacked, length: str) -> None:
    head = f"POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode()
    assert _status(one.raw(head + b"hello")) == 400


def test_two_lengths_are_refused(one: Attacked) -> None:
    """A proxy in front may believe the other one."""
    for second in (b"Content-Length: 6", b"Transfer-Encoding: chunked"):
        head = b"POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n" + second + b"\r\n\r\n"
        assert _status(one.raw(head + b"0\r\n\r\nxx")) == 400


def test_a_body_that_is_shorter_than_its_length_keeps_nothing(one: Attacked) -> None:
    before = len(one.contents())
    with one.connect() as client:
        client.sendall(b"POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\ntoo short")
    time.sleep(0.2)
    assert len(one.contents()) == before


def test_ten_thousand_headers_are_refused(one: Attacked) -> None:
    headers = b"".join(b"X-%d: y\r\n" % number for number in range(10_000))
    assert _status(one.raw(b"POST /plain HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n")) == 431


@pytest.mark.parametrize("piece", [b"X-Long: " + b"y" * 1000 + b"\r\n", b"X-Endless: " + b"y" * 5000, b"y" * 5000])
def test_a_head_without_end_is_cut_off(one: Attacked, piece: bytes) -> None:
    with one.connect() as client:
        client.sendall(b"POST /plain HTTP/1.1\r\nHost: x\r\nX-A: ")
        assert _is_cut_off(client, piece, 5000)


def test_a_huge_url_is_refused(one: Attacked) -> None:
    assert _status(one.raw(b"POST /plain/" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")) == 431


def test_a_query_of_many_fields_is_taken_within_its_size(one: Attacked) -> None:
    assert one.post(b"x", "/plain?" + "a&" * 20_000)[0] == 200


def test_extensions_of_chunks_and_trailers_have_an_end(one: Attacked) -> None:
    head = b"POST /plain HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    for tail in (b"1;" + b"e" * 500_000, b"1\r\nx\r\n0\r\n" + b"T: x\r\n" * 100_000):
        assert b" 200 " not in one.raw(head + tail)


def test_chunks_of_one_byte_are_taken(one: Attacked) -> None:
    head = b"POST /plain HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert _status(one.raw(head + b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n")) == 200
    assert b"x" * 100_000 in one.contents()


@pytest.mark.parametrize("path", [b"/\xff\xfe", b"/plain/\xc3\x28/x", b"/%ff%fe", b"/plain/%ff/%00", b"*", b"//", b""])
def test_strange_paths_are_answered(one: Attacked, path: bytes) -> None:
    answer = one.raw(b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx")
    assert _status(answer) in (200, 400, 404)


def test_invalid_utf8_in_headers_is_taken_as_bytes(one: Attacked) -> None:
    head = b"POST /plain HTTP/1.1\r\nHost: \xff\xfe\r\nX-\xe4: \xff\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"
    assert _status(one.raw(head)) in (200, 400)
    assert one.post(b"x", authorization="Basic \xff\xff")[0] == 200
    assert one.post(b"x", authorization="ApiKey /w==")[0] == 401


def test_an_unknown_path_names_a_near_one(one: Attacked) -> None:
    status, body, _after = one.post(b"x", "/plian")
    assert (status, b"/plain" in body) == (404, True)


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"])
def test_a_method_that_is_not_served_names_those_that_are(one: Attacked, method: str) -> None:
    answer = one.raw(f"{method} /plain HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert _status(answer) in (400, 405)
    assert _status(answer) == 400 or b"allow: POST, PUT" in answer


@pytest.mark.parametrize(
    "content", [b"\x16\x03\x01\x02\x00\x01\x00", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0" * 100, b"\r\n" * 9]
)
def test_what_is_no_http_is_cut_off(one: Attacked, content: bytes) -> None:
    one.raw(content, seconds=1)


def test_a_fault_of_a_receiver_is_told_in_its_way_and_counted(one: Attacked) -> None:
    status, body, _after = one.post(b"crash")
    assert (status, b"Traceback" in body) == (500, False)
    assert one.refused()["bug"] >= 1


def test_a_head_that_trickles_is_cut_off(one: Attacked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_http, "HEAD_SECONDS", 0.5)
    with one.connect() as client:
        before = time.monotonic()
        client.sendall(b"POST /plain HTTP/1.1\r\nHost: x\r\nX: ")
        assert _is_cut_off(client, b"y", 1000, pause_seconds=0.05)
        assert time.monotonic() - before < 10


def test_a_body_that_trickles_is_refused(one: Attacked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_BODY_WHOLE_SECONDS", 0.5)
    with one.connect() as client:
        client.sendall(b"POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        client.settimeout(0.05)
        answer = b""
        for _ in range(200):
            client.sendall(b"x")
            try:
                answer += client.recv(1000)
            except TimeoutError:
                continue
            break
        assert _status(answer) == 408


def test_bodies_that_wait_share_a_bounded_room(one: Attacked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one.application._room, "_max_bytes", 700_000)
    head = b"POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 600000\r\n\r\n"
    with one.connect() as slow:
        slow.sendall(head + b"x" * 500_000)
        while one.application._room.used_bytes < 400_000:
            time.sleep(0.01)
        status, body, after = one.post(b"y" * 400_000)
        assert (status, after, b"too many bodies" in body) == (503, "2", True)
        slow.sendall(b"x" * 100_000)
        assert _status(slow.recv(1000)) == 200


def test_a_client_that_reads_no_answers_holds_nobody(one: Attacked) -> None:
    request = b"POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"
    with one.connect(seconds=2) as client:
        with contextlib.suppress(TimeoutError):
            for _ in range(200):
                client.sendall(request * 500)
        assert one.post(b"meanwhile")[0] == 200


def test_a_connection_that_is_half_closed_gets_its_answer(one: Attacked) -> None:
    with one.connect() as client:
        client.sendall(b"POST /plain HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\nhalf")
        client.shutdown(1)
        assert _status(read_all(client)) == 200
    assert b"half" in one.contents()


@given(st.binary(max_size=400))
@settings(max_examples=60, deadline=None)
def test_any_bytes_leave_it_serving(one: Attacked, junk: bytes) -> None:
    with one.connect() as client:
        client.sendall(b"POST /plain HTTP/1.1\r\n" + junk)
