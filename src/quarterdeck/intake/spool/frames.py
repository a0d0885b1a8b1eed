"""How a frame lies in a segment's file.

    length u32 | crc32 u32 | records u32 | key u32 | received_ms u64 | protocol u8 | stream u8 | names | content

All little-endian. `length` and `crc32` are of everything behind the first eight bytes, so that a frame which a crash
cut off, or a disk garbled, is known as such.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from quarterdeck.telemetry.receiving import Frame

_OUTER = struct.Struct("<II")
_INNER = struct.Struct("<IIQBB")
# No request is larger than the intake's own limit; a greater number is not a length.
_LENGTH_MAX = 1 << 30


@dataclass(frozen=True, slots=True)
class Entry:
    """A frame with where it came from; `received_ms` is the time of arrival (Unix, milliseconds)."""

    protocol: str
    key: int
    received_ms: int
    frame: Frame


def encode(entry: Entry) -> list[bytes]:
    """Return the frame as it is written, in two pieces so that the content is not copied."""
    protocol, stream = entry.protocol.encode(), entry.frame.stream.encode()
    inner = _INNER.pack(entry.frame.records, entry.key, entry.received_ms, len(protocol), len(stream))
    head = inner + protocol + stream
    content = entry.frame.content
    outer = _OUTER.pack(len(head) + len(content), zlib.crc32(content, zlib.crc32(head)))
    return [outer + head, content]


def read(path: Path) -> Iterator[Entry]:
    """Yield the frames of a file up to its end, or to the first one that is not whole."""
    with path.open("rb") as file:
        while (entry := _next(file)) is not None:
            yield entry


def whole_bytes(path: Path) -> int:
    """Return how many bytes of the file are whole frames."""
    with path.open("rb") as file:
        end = 0
        while _next(file) is not None:
            end = file.tell()
    return end


def tail(path: Path) -> bytes:
    """Return what is behind the whole frames: empty but for a file that was garbled after it was written."""
    with path.open("rb") as file:
        file.seek(whole_bytes(path))
        return file.read()


def _next(file: BinaryIO) -> Entry | None:
    outer = file.read(_OUTER.size)
    if len(outer) < _OUTER.size:
        return None
    length, checksum = _OUTER.unpack(outer)
    if not _INNER.size <= length <= _LENGTH_MAX:
        return None
    if length > _left(file):
        return None
    rest = file.read(length)
    if len(rest) < length or zlib.crc32(rest) != checksum:
        return None
    records, key, received_ms, protocol, stream = _INNER.unpack_from(rest)
    names = _INNER.size + protocol
    content = names + stream
    try:
        frame = Frame(rest[names:content].decode(), rest[content:], records)
        return Entry(rest[_INNER.size : names].decode(), key, received_ms, frame)
    except UnicodeDecodeError:
        return None


def _left(file: BinaryIO) -> int:
    """Return how many bytes follow: what a garbled length claims is not asked of the memory."""
    return os.fstat(file.fileno()).st_size - file.tell()
