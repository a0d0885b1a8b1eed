"""Bodies as clients compress them, with a limit on what comes out: a small body must not unfold into all memory."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import brotli
import cramjam
from backports import zstd

from quarterdeck.telemetry.receiving import Refused

_PIECE_BYTES = 64 << 10
# Block-compressed gzip (BGZF) has a member for each 64 KB.
_STREAMS_MAX = 8192


def _too_large(limit: int) -> Refused:
    return Refused(f"the body is larger than {limit >> 20} MB", reason="too_large", status=413)


def _streams(make: Callable[[], Any], feed: Callable[[Any, bytes, int], bytes]) -> Callable[[bytes, int], bytes]:
    """Return a decoder for bodies in which several compressed streams may follow one another.

    The body is fed in pieces, since a decoder copies what is behind its stream's end: 32 MB of empty streams would be
    copied a million times.
    """

    def decode(body: bytes, limit: int) -> bytes:
        found: list[bytes] = []
        size = streams = 0
        decoder = None
        for start in range(0, len(body), _PIECE_BYTES):
            piece = body[start : start + _PIECE_BYTES]
            while piece:
                if decoder is None:
                    piece = piece.lstrip(b"\0") if streams else piece
                    if not piece:
                        break
                    streams += 1
                    if streams > _STREAMS_MAX:
                        raise Refused(f"the body is made of more than {_STREAMS_MAX} streams", reason="malformed")
                    decoder = make()
                found.append(feed(decoder, piece, limit + 1 - size))
                size += len(found[-1])
                if size > limit:
                    raise _too_large(limit)
                piece, decoder = (decoder.unused_data, None) if decoder.eof else (b"", decoder)
        if decoder is not None:
            raise Refused("the compressed body ends too early", reason="malformed")
        return b"".join(found)

    return decode


def _inflate(window_bits: int) -> Callable[[bytes, int], bytes]:
    """Members of a gzip body may follow one another (RFC 1952, 2.2)."""
    return _streams(
        lambda: zlib.decompressobj(window_bits), lambda decoder, piece, most: decoder.decompress(piece, most)
    )


def _deflate(body: bytes, limit: int) -> bytes:
    """HTTP's deflate is zlib's format (RFC 9110, 8.4.1.2); some clients send the bare stream."""
    is_zlib = len(body) >= 2 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
    return _inflate(15 if is_zlib else -15)(body, limit)


# Frames may follow one another as well (RFC 8878, 3.1).
_zstd = _streams(zstd.ZstdDecompressor, lambda decoder, piece, most: decoder.decompress(piece, max_length=most))


def snappy(body: bytes, limit: int) -> bytes:
    """Decode snappy's block format, as Prometheus and Loki send it. Its first bytes say how long the content is."""
    try:
        length = cramjam.snappy.decompress_raw_len(body)
        if length > limit:
            raise _too_large(limit)
        return bytes(cramjam.snappy.decompress_raw(body))
    except (cramjam.DecompressionError, ValueError, OverflowError) as error:
        raise Refused(f"the body is no snappy block: {error}", reason="malformed") from error


def _brotli(body: bytes, limit: int) -> bytes:
    decoder = brotli.Decompressor()
    found = [bytes(decoder.process(body, output_buffer_limit=limit + 1))]
    while not decoder.can_accept_more_data() and sum(map(len, found)) <= limit:
        found.append(bytes(decoder.process(b"", output_buffer_limit=limit + 1)))
    if sum(map(len, found)) > limit:
        raise _too_large(limit)
    if not decoder.is_finished():
        raise Refused("the compressed body ends too early", reason="malformed")
    return b"".join(found)


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _inflate(31),
    "x-gzip": _inflate(31),
    "deflate": _deflate,
    "zstd": _zstd,
    "snappy": snappy,
    "br": _brotli,
}


def decode(body: bytes, encoding: str, limit: int) -> bytes:
    """Return the body as `Content-Encoding: encoding` says; at most `limit` bytes. Raises Refused.

    Clients are known to name gzip where the body is zlib's, or several encodings where one was used: what the first
    bytes say counts.
    """
    name = encoding.strip().lower()
    if name in ("", "identity") or not body:
        if len(body) > limit:
            raise _too_large(limit)
        return body
    if "," in name or name in ("gzip", "x-gzip", "deflate"):
        name = "gzip" if body[:2] == b"\x1f\x8b" else "deflate"
    decoder = _DECODERS.get(name)
    if decoder is None:
        raise Refused(
            f'Content-Encoding "{encoding[:40]}" is not one of {", ".join(_DECODERS)}', reason="encoding", status=415
        )
    try:
        return decoder(body, limit)
    except (zlib.error, zstd.ZstdError, brotli.error, EOFError, cramjam.DecompressionError) as error:
        raise Refused(f"the body cannot be decompressed: {error}", reason="malformed") from error
