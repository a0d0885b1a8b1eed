"""SipHash-2-4 with a key of zeros, as the engine's `sipHash64` is: slow here, so only for what is kept.

See https://www.aumasson.jp/siphash/siphash.pdf
"""

from __future__ import annotations

_MASK = (1 << 64) - 1


def _turned(number: int, bits: int) -> int:
    return (number << bits | number >> (64 - bits)) & _MASK


def _rounds(v0: int, v1: int, v2: int, v3: int, count: int) -> tuple[int, int, int, int]:
    for _ in range(count):
        v0 = (v0 + v1) & _MASK
        v2 = (v2 + v3) & _MASK
        v1, v3 = _turned(v1, 13) ^ v0, _turned(v3, 16) ^ v2
        v0 = (_turned(v0, 32) + v3) & _MASK
        v2 = (v2 + v1) & _MASK
        v3, v1 = _turned(v3, 21) ^ v0, _turned(v1, 17) ^ v2
        v2 = _turned(v2, 32)
    return v0, v1, v2, v3


def siphash64(text: bytes) -> int:
    """Return the hash of `text`, 64 bits."""
    v0, v1, v2, v3 = 0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573
    whole = len(text) & ~7
    last = int.from_bytes(text[whole:], "little") | (len(text) & 0xFF) << 56
    for word in (*(int.from_bytes(text[at : at + 8], "little") for at in range(0, whole, 8)), last):
        v0, v1, v2, v3 = _rounds(v0, v1, v2, v3 ^ word, 2)
        v0 ^= word
    v0, v1, v2, v3 = _rounds(v0, v1, v2 ^ 0xFF, v3, 4)
    return v0 ^ v1 ^ v2 ^ v3
