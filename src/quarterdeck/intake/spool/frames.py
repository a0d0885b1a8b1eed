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
    inner = file.read(_INNER.size)
    records, key, received_ms, protocol, stream = _INNER.unpack(inner)
    content_bytes = length - _INNER.size - protocol - stream
    if content_bytes < 0:
        return None
    # Content is read by itself: cut out of the frame it would be copied once more.
    names, content = file.read(protocol + stream), file.read(content_bytes)
    if zlib.crc32(content, zlib.crc32(names, zlib.crc32(inner))) != checksum:
        return None
    try:
        return Entry(names[:protocol].decode(), key, received_ms, Frame(names[protocol:].decode(), content, records))
    except UnicodeDecodeError:
        return None


def _left(file: BinaryIO) -> int:
    """Return how many bytes follow: what a garbled length claims is not asked of the memory."""
    return os.fstat(file.fileno()).st_size - file.tell()
