"""A series' bytes on the wire, taken apart: its labels, and its samples in one fixed form.

A sample in the fixed form has 18 bytes: `12 10 09`, the value (8 bytes, IEEE 754, little-endian), `10`, the time in
milliseconds as a varint of 6 bytes, which is one between 1971 and 2109. Writers leave out a value of 0.0, and so make
9 bytes of such a sample: `12 07 10` and the time. See https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

SAMPLE_BYTES = 18
VALUE = b"\x12\x10\x09"
ZERO = b"\x12\x07\x10"
ZERO_BYTES = 9
# A sample of 0.0 is in the fixed form once this stands in place of ZERO.
NOUGHT = VALUE + bytes(8) + b"\x10"
_LABEL, _SAMPLE = 0x0A, 0x12
_PERIOD_BITS = 22
# Times with six bytes in a varint, in milliseconds.
_OLDEST_MS, _NEWEST_MS = 1 << 35, (1 << 42) - 1
_VALUE_PACK = struct.Struct("<d")
_TO_ASCII = bytes(byte ^ 0x80 for byte in range(256))


def fixed(samples: Iterable[tuple[float, int]]) -> bytes:
    """Return `[(value, Unix time in ms)]` in the fixed form; times that have none in it, which are nobody's, left out.

    Not a number is kept by its bits, as `struct` does.
    """
    return b"".join(
        VALUE + _VALUE_PACK.pack(value) + b"\x10" + _varint(at)
        for value, at in samples
        if _OLDEST_MS <= at <= _NEWEST_MS
    )


def _varint(number: int) -> bytes:
    """Return the six bytes of a time."""
    return bytes(number >> 7 * at & 127 | (0x80 if at < 5 else 0) for at in range(6))


def are_fixed(samples: bytes) -> bool:
    """Whether this is nothing but samples in the fixed form: every byte that is no value or time is what it has to be."""
    if len(samples) % SAMPLE_BYTES:
        return False
    count = len(samples) // SAMPLE_BYTES
    marks = ((0, b"\x12"), (1, b"\x10"), (2, b"\x09"), (11, b"\x10"))
    return (
        all(samples[at::SAMPLE_BYTES].count(mark) == count for at, mark in marks)
        and samples[17::SAMPLE_BYTES].isascii()
        and all(samples[at::SAMPLE_BYTES].translate(_TO_ASCII).isascii() for at in range(12, 17))
    )


def periods_of(samples: bytes) -> set[int]:
    """Return in which periods of 70 minutes (2^22 ms since 1970) samples in the fixed form are."""
    low, middle, high = (samples[at::SAMPLE_BYTES] for at in (15, 16, 17))
    first = samples[15:18]
    if all(column.count(byte) == len(column) for column, byte in zip((low, middle, high), first, strict=True)):
        return {_period(*first)} if first else set()
    return {_period(*parts) for parts in set(zip(low, middle, high, strict=True))}


def _period(low: int, middle: int, high: int) -> int:
    return ((low & 127) | (middle & 127) << 7 | high << 14) >> 1


def oldest_ms(samples: bytes) -> int:
    """Return the earliest time in samples of the fixed form."""
    # The last byte of a varint weighs most.
    oldest = min([samples[at : at - 6 : -1] for at in range(17, len(samples), SAMPLE_BYTES)])
    number = 0
    for byte in oldest:
        number = number << 7 | byte & 127
    return number


def period_end_ms(period: int) -> int:
    return ((period + 1) << _PERIOD_BITS) - 1


def labels_end(series: bytes) -> int:
    """Return where the samples begin, 0 where labels and samples are mixed, or something else is between them.

    `series` is a message that was read.
    """
    at = end = 0
    while at < len(series):
        kind = series[at]
        if kind == _LABEL and end == at:
            length, at = _length(series, at + 1)
            at += length
            end = at
        elif kind == _SAMPLE:
            length, at = _length(series, at + 1)
            at += length
        else:
            return 0
    return end


def _length(text: bytes, at: int) -> tuple[int, int]:
    """Return the varint at `at`, and where it ends."""
    number = shift = 0
    while True:
        byte = text[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return number, at
