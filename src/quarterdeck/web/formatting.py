"""How values are written for people: units, durations, JSON. Numbers follow the active language."""

from __future__ import annotations

import json
import re
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
NOTHING = "–"


def short_number(value: float, digits: int = 1) -> str:
    """Write 12345.678 as "12,345.7" and 3.0 as "3"."""
    rounded = round(value, digits)
    return number_format(
        int(rounded) if rounded == int(rounded) else rounded, use_l10n=True, force_grouping=abs(value) >= 10000
    )


def in_bytes(value: float | None) -> str:
    """Write bytes in the largest binary unit that leaves at least 1: 17179869184 is "16 GiB"."""
    if value is None:
        return NOTHING
    amount, unit = float(value), 0
    while abs(amount) >= 1024 and unit < len(_BINARY) - 1:
        amount /= 1024
        unit += 1
    return f"{short_number(amount)} {_BINARY[unit]}"


def as_percent(ratio: float | None) -> str:
    """Write a ratio, 0 to 1, as "42 %"."""
    return NOTHING if ratio is None else f"{short_number(ratio * 100, 0 if ratio >= 0.1 else 1)}%"


def duration(seconds: float | None) -> str:
    """Write seconds in the two largest units: "3 d 4 h", "12 min", "0.4 s"."""
    if seconds is None:
        return NOTHING
    if seconds < 60:
        return f"{short_number(seconds)} s"
    parts = []
    rest = int(seconds)
    for size, unit in ((86400, _("d")), (3600, _("h")), (60, _("min")), (1, _("s"))):
        if rest >= size:
            parts.append(f"{rest // size} {unit}")
            rest %= size
    return " ".join(parts[:2])


_IN_UNIT = {
    "bytes": in_bytes,
    "B": in_bytes,
    "By": in_bytes,
    "seconds": duration,
    "s": duration,
    "ratio": as_percent,
}


def with_unit(value: object, unit: str) -> str:
    """Write a number with its unit; bytes, seconds and ratios in the size that reads best."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if unit in _IN_UNIT:
        return _IN_UNIT[unit](float(value))
    if unit.lower() in ("percent", "%"):
        return f"{short_number(value)}%"
    return f"{short_number(value, 2)} {unit}".strip()


def plain(value: object, unit: str = "") -> str:
    """Write any JSON value on one line; nothing is an en dash."""
    if value is None or value == "" or value == [] or value == {}:
        return NOTHING
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, int | float):
        return with_unit(value, unit)
    if isinstance(value, list) and all(isinstance(part, str | int | float) for part in value):
        return ", ".join(str(part) for part in value)
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def as_code(value: object) -> str:
    """Write what is a name rather than a quantity, such as a port or a process id: digits without grouping."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return ", ".join(map(str, value)) if isinstance(value, list) and value else plain(value)


def pretty_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True)


def capital(text: str) -> str:
    """Begin with a capital letter, unless the first word is a name such as cpu_count."""
    text = str(text).strip()
    return text[:1].upper() + text[1:] if text.partition(" ")[0].rstrip(",.:").isalpha() else text


_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
# Control characters except newline and tab, and what turns the direction of the text around it.
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def visible(text: object) -> str:
    """Write text that somebody sent so that all of it is seen: terminal colours go, an escape reads as "\\x1b"."""
    plain_text = _COLOUR.sub("", str(text)).replace("\r\n", "\n")
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), plain_text)


_UNITS_OF_TIME = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"))


def nanoseconds(value: float | None) -> str:
    """Write nanoseconds in the largest unit below a minute that leaves at least 1: 1500000 is "1.5 ms"."""
    if value is None:
        return NOTHING
    if value >= 60e9:
        return duration(value / 1e9)
    size, unit = next(((size, unit) for size, unit in _UNITS_OF_TIME if value >= size), (1, "ns"))
    return f"{short_number(value / size)} {unit}"


def signed_nanoseconds(value: float) -> str:
    """Write a difference with its sign: "+1.5 ms", "−20 s", "±0"."""
    if not value:
        return "±0"
    return f"{'+' if value > 0 else '−'}{nanoseconds(abs(value))}"


def in_sentences(*parts: str) -> str:
    """Join a message and its hint, which other readers get apart, into sentences of one paragraph.

    "no such type" and "did you mean host?" are 'No such type. Did you mean host?'.
    """
    text = ""
    for part in filter(None, map(capital, parts)):
        if text and text[-1] not in ".?!:。？！：":
            text += _(".")
        # Chinese punctuation carries its own space.
        text += part if not text or text[-1] in "。？！：" else f" {part}"
    return text


def how_many_items(count: int) -> str:
    return ngettext("%(count)s item", "%(count)s items", count) % {"count": number_format(count, force_grouping=True)}
