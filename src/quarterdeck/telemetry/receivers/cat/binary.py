"""CAT's binary formats: NT1 (a message tree) and NM1 or NB1 (a bag of metrics).

Numbers are base 128, low bits first; texts have their length before them. See encoder_binary.c and
NativeMetricBagEncoder.java of https://github.com/dianping/cat
"""

from __future__ import annotations

import math
import struct

from quarterdeck.telemetry.receivers.cat.trees import Bag, BagMetric, Header, Message, Transaction, Tree
from quarterdeck.telemetry.receiving import Refused

_HEADER_FIELDS = 10
_BAG_HEADER_FIELDS = 3
_LEAVES = frozenset(b"EMHL")
_BEGIN, _END = b"tT"
_NUMBER_MAX_BITS = 64
_MAGIC_BYTES = 3
# Shortest metric: a byte for each of its six fields.
_METRIC_MIN_BYTES = 6


class _Reader:
    """Reads from a frame. Raises IndexError at its end, Refused for numbers of more than 64 bits."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = _MAGIC_BYTES

    @property
    def left(self) -> int:
        return len(self._content) - self._at

    def byte(self) -> int:
        value = self._content[self._at]
        self._at += 1
        return value

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift >= _NUMBER_MAX_BITS:
                raise Refused("a number has more than 64 bits")
        return value & 0xFFFFFFFFFFFFFFFF

    def text(self) -> str:
        length = self.number()
        if length > self.left:
            raise IndexError("a text is longer than what is left")
        found = self._content[self._at : self._at + length]
        self._at += length
        return found.decode(errors="replace")


def tree_of(content: bytes) -> Tree:
    """Return the tree in an NT1 frame. Raises Refused."""
    reader = _Reader(content)
    try:
        tree = Tree(Header(*(reader.text() for _ in range(_HEADER_FIELDS))))
        while reader.left:
            _read_message(reader, tree)
    except IndexError as error:
        raise Refused("a message tree ends too early") from error
    if not tree.is_complete:
        raise Refused("a transaction does not end")
    return tree


def _read_message(reader: _Reader, tree: Tree) -> None:
    kind = reader.byte()
    if kind == _BEGIN:
        tree.begin(Transaction(reader.number(), reader.text(), reader.text()))
    elif kind == _END:
        tree.end(reader.text(), reader.text(), reader.number())
    elif kind in _LEAVES:
        tree.log(Message(chr(kind), reader.number(), reader.text(), reader.text(), reader.text(), reader.text()))
    else:
        raise Refused(f"a message has the unknown kind {kind}")


def bag_of(content: bytes) -> Bag:
    """Return the metrics in an NM1 frame. Raises Refused."""
    reader = _Reader(content)
    try:
        header = Header(*(reader.text() for _ in range(_BAG_HEADER_FIELDS)))
        count = reader.number()
        if count > reader.left // _METRIC_MIN_BYTES:
            raise IndexError("more metrics than there is room for")
        return Bag(header, [_read_metric(reader) for _ in range(count)])
    except IndexError as error:
        raise Refused("a bag of metrics ends too early") from error


def _read_metric(reader: _Reader) -> BagMetric:
    at_ms, name, kind, count = reader.number(), reader.text(), reader.text(), reader.number()
    (total,) = struct.unpack("<d", reader.number().to_bytes(8, "little"))
    return BagMetric(at_ms, name, kind, count, total if math.isfinite(total) else 0.0, reader.number())
