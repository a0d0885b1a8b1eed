"""Numbers of 64 bits between the engine, where they have no sign, and the records, where they have one."""

from __future__ import annotations

_TOP = 1 << 63
_ALL = 1 << 64


def signed(number: int) -> int:
    """Return what the records keep of the engine's number."""
    return number - _ALL if number >= _TOP else number


def unsigned(number: int) -> int:
    """Return the engine's number of what the records keep."""
    return number + _ALL if number < 0 else number
