"""A connection of a CAT client, which only sends: frames with their length before them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from quarterdeck.telemetry.receivers.cat import binary, router, text
from quarterdeck.telemetry.receivers.cat.rows import Batch, add_bag, add_tree
from quarterdeck.telemetry.receiving import Answer, Peer, Refused, Taken

_LENGTH = struct.Struct(">I")
_MAGIC_BYTES = 3


_FORMATS: dict[bytes, Callable[[Batch, bytes], None]] = {
    b"NT1": lambda batch, content: add_tree(batch, binary.tree_of(content)),
    b"PT1": lambda batch, content: add_tree(batch, text.tree_of(content, batch.now_ms)),
    b"NM1": lambda batch, content: add_bag(batch, binary.bag_of(content)),
    b"NB1": lambda batch, content: add_bag(batch, binary.bag_of(content)),
}


class Session:
    """One connection. A frame that cannot be read is counted and left out: the next one begins where it ends."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._frame_max_bytes = int(peer.settings.get("intake_body_max_mb", 32)) << 20
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Taken]:
        self._buffer += data
        if router.is_http(bytes(self._buffer[:4])):
            yield from self._route()
            return
        batch = Batch(round(self._peer.now().timestamp() * 1000))
        try:
            for content in self._frames():
                _take(batch, content)
        finally:
            # What came before a frame that ends the connection is kept.
            frames = batch.frames()
            if frames or batch.refused:
                yield Taken(frames, None, batch.refused)

    def _route(self) -> Iterator[Taken]:
        head, end, _ = self._buffer.partition(b"\r\n\r\n")
        if len(head) > router.REQUEST_MAX_BYTES:
            raise Refused("a request is too long", reason="too_large")
        if end:
            self._buffer.clear()
            answer = router.answer_to(bytes(head), self._peer.local, self._peer.settings)
            yield Taken((), Answer(answer), is_last=True)

    def end(self) -> Iterator[Taken]:
        if self._buffer:
            raise Refused("the connection ended within a frame", reason="truncated")
        return iter(())

    def _frames(self) -> Iterator[bytes]:
        at = 0
        try:
            while len(self._buffer) - at >= _LENGTH.size:
                (length,) = _LENGTH.unpack_from(self._buffer, at)
                if length > self._frame_max_bytes:
                    raise Refused(f"a frame has {length} bytes, at most {self._frame_max_bytes}", reason="too_large")
                if len(self._buffer) - at - _LENGTH.size < length:
                    return
                at += _LENGTH.size + length
                yield bytes(memoryview(self._buffer)[at - length : at])
        finally:
            del self._buffer[:at]


def _take(batch: Batch, content: bytes) -> None:
    add = _FORMATS.get(content[:_MAGIC_BYTES])
    if add is None:
        batch.refuse("format")
        return
    try:
        add(batch, content)
    except Refused as error:
        batch.refuse(error.reason)
