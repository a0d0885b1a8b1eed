"""Times as people write them."""

from __future__ import annotations

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds_of(text: str) -> float:
    """Return the seconds of "90", "30s", "5m", "2h", "1d". Raises ValueError."""
    number = text.strip().rstrip("smhd")
    unit = text.strip()[len(number) :]
    if unit not in _UNITS:
        raise ValueError(f'"{unit}" is no unit of time')
    return float(number) * _UNITS[unit]
