"""Compressed bodies: as clients send them, with a limit on what comes out."""

from __future__ import annotations

import gzip
import random
import time
import zlib

import brotli
import cramjam
import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from quarterdeck.telemetry.decoding import decode
from quarterdeck.telemetry.receiving import Refused

LIMIT = 1 << 20
CONTENT = b"hello " * 1000
_BARE = zlib.compressobj(wbits=-15)
PACKED = {
    "gzip": gzip.compress(CONTENT),
    "deflate": zlib.compress(CONTENT),
    "zstd": zstd.compress(CONTENT),
    "snappy": bytes(cramjam.snappy.compress_raw(CONTENT)),
    "br": brotli.compress(CONTENT),
    "identity": CONTENT,
    "": CONTENT,
}


@pytest.mark.parametrize("encoding", PACKED)
def test_it_decodes(encoding: str) -> None:
    assert decode(PACKED[encoding], encoding, LIMIT) == CONTENT


def test_it_decodes_deflate_without_a_header() -> None:
    assert decode(_BARE.compress(CONTENT) + _BARE.flush(), "deflate", LIMIT) == CONTENT


def test_it_looks_at_the_bytes_when_a_client_names_the_wrong_encoding() -> None:
    assert decode(PACKED["deflate"], "gzip,deflate", LIMIT) == CONTENT
    assert decode(PACKED["gzip"], "deflate", LIMIT) == CONTENT


def test_members_of_gzip_may_follow_one_another() -> None:
    assert decode(PACKED["gzip"] * 2, "gzip", LIMIT) == CONTENT * 2


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd", "snappy", "br"])
def test_a_bomb_is_refused_before_it_unfolds(encoding: str) -> None:
    big = b"\0" * (64 << 20)
    packed = {
        "gzip": lambda: gzip.compress(big),
        "deflate": lambda: zlib.compress(big),
        "zstd": lambda: zstd.compress(big),
        "snappy": lambda: bytes(cramjam.snappy.compress_raw(big)),
        "br": lambda: brotli.compress(big, quality=1),
    }[encoding]()
    with pytest.raises(Refused) as refused:
        decode(packed, encoding, LIMIT)
    assert refused.value.status == 413


def test_many_small_members_do_not_get_around_the_limit() -> None:
    member = gzip.compress(b"\0" * 65_536)
    with pytest.raises(Refused):
        decode(member * 100, "gzip", LIMIT)


def test_a_snappy_block_that_claims_a_gigabyte_is_refused_at_once() -> None:
    with pytest.raises(Refused):
        decode(b"\x80\x80\x80\x80\x04" + b"\0" * 10, "snappy", LIMIT)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd", "snappy", "br"])
def test_what_is_cut_off_is_refused(encoding: str) -> None:
    with pytest.raises(Refused):
        decode(PACKED[encoding][:-5], encoding, LIMIT)


def test_an_unknown_encoding_names_the_known_ones() -> None:
    with pytest.raises(Refused, match="is not one of gzip"):
        decode(CONTENT, "lzma", LIMIT)


@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate", "zstd", "snappy", "br", "gzip, br"]))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_decoded_or_refused(body: bytes, encoding: str) -> None:
    try:
        found = decode(body, encoding, LIMIT)
    except Refused:
        return
    assert len(found) <= LIMIT


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_a_million_empty_streams_are_refused_quickly(encoding: str) -> None:
    one = {"gzip": gzip.compress(b""), "deflate": zlib.compress(b""), "zstd": zstd.compress(b"")}[encoding]
    before = time.monotonic()
    with pytest.raises(Refused):
        decode(one * ((16 << 20) // len(one)), encoding, LIMIT)
    assert time.monotonic() - before < 2


def test_frames_of_zstd_may_follow_one_another() -> None:
    assert decode(PACKED["zstd"] * 2, "zstd", LIMIT) == CONTENT * 2


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd", "br"])
def test_a_body_that_is_cut_off_is_malformed_not_too_large(encoding: str) -> None:
    with pytest.raises(Refused) as refused:
        decode(PACKED[encoding][:-5], encoding, LIMIT)
    assert refused.value.status == 400


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd", "br"])
def test_large_content_comes_out_whole(encoding: str) -> None:
    content = random.Random(5).randbytes(400_000) + CONTENT * 50
    packed = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstd.compress, "br": brotli.compress}[encoding]
    assert decode(packed(content), encoding, LIMIT) == content
