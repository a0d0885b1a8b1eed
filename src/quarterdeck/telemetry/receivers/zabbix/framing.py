"""Zabbix' frames: `ZBXD`, flags, two lengths, then the message, which may be compressed.

See https://www.zabbix.com/documentation/current/en/manual/appendix/protocols/header_datalen
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from quarterdeck.telemetry.receiving import Refused

MAGIC = b"ZBXD"
_PROTOCOL, _COMPRESSED, _LARGE = 0x01, 0x02, 0x04
_SHORT = struct.Struct("<II")
_LONG = struct.Struct("<QQ")
_HEAD_BYTES = len(MAGIC) + 1
# What Zabbix itself takes at most.
MESSAGE_MAX_BYTES = 1 << 30


def frame(message: bytes) -> bytes:
    """Return the message in a frame that agents of every version read: not compressed."""
    if len(message) > 0xFFFFFFFF:
        raise ValueError("a message of more than 4 GB")
    return MAGIC + bytes((_PROTOCOL,)) + _SHORT.pack(len(message), 0) + message


class Decoder:
    """Takes a connection's bytes and yields its messages.

    A frame that says it is longer than `frame_max_bytes`, or unfolds to more than `message_max_bytes`, is refused when
    its head is read, so that nobody can make us keep what will be refused.
    """

    def __init__(self, frame_max_bytes: int, message_max_bytes: int) -> None:
        self._frame_max_bytes = min(frame_max_bytes, MESSAGE_MAX_BYTES)
        self._message_max_bytes = min(message_max_bytes, MESSAGE_MAX_BYTES)
        self._buffer = bytearray()

    @property
    def is_empty(self) -> bool:
        return not self._buffer

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield each message that is complete. Raises Refused."""
        self._buffer += data
        while (head := self._head()) is not None:
            start, length, unfolded, is_compressed = head
            if len(self._buffer) < start + length:
                return
            content = bytes(memoryview(self._buffer)[start : start + length])
            del self._buffer[: start + length]
            yield _unfold(content, unfolded) if is_compressed else content

    def _head(self) -> tuple[int, int, int, bool] | None:
        """Return `(where the content starts, its length, length when unfolded, whether it is compressed)`."""
        buffer = self._buffer
        if buffer[: len(MAGIC)] != MAGIC[: len(buffer)]:
            raise Refused("this is not Zabbix' protocol: the frame does not begin with ZBXD")
        if len(buffer) < _HEAD_BYTES:
            return None
        flags = buffer[len(MAGIC)]
        if not flags & _PROTOCOL or flags & ~(_PROTOCOL | _COMPRESSED | _LARGE):
            raise Refused(f"the frame has unknown flags 0x{flags:02x}", reason="flags")
        lengths = _LONG if flags & _LARGE else _SHORT
        start = _HEAD_BYTES + lengths.size
        if len(buffer) < start:
            return None
        length, unfolded = lengths.unpack_from(buffer, _HEAD_BYTES)
        is_compressed = bool(flags & _COMPRESSED)
        self._check(length, unfolded if is_compressed else 0)
        return start, length, unfolded, is_compressed

    def _check(self, length: int, unfolded: int) -> None:
        for size, limit in ((length, self._frame_max_bytes), (unfolded, self._message_max_bytes)):
            if size > limit:
                raise Refused(f"the message has {size} bytes, at most {limit} are taken", reason="too_large")


def _unfold(content: bytes, length: int) -> bytes:
    """Return the zlib content, which must have exactly the length that its head says."""
    decoder = zlib.decompressobj()
    try:
        found = decoder.decompress(content, length + 1)
    except zlib.error as error:
        raise Refused(f"the message cannot be decompressed: {error}") from error
    if len(found) != length or not decoder.eof:
        raise Refused("the compressed message has not the length that its head says")
    return found
