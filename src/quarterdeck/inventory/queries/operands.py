"""Values of a query read as numbers, times, addresses and patterns. What cannot be read is BadQuery."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadQuery
from quarterdeck.core.query import Match, Op, Value, wildcards
from quarterdeck.inventory.values import moment
from quarterdeck.inventory.writing.derived import address_key

_RELATIVE = re.compile(r"(?P<sign>[-+])?(?P<count>\d{1,6})(?P<unit>[smhdw]|mo|y)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604_800, "mo": 2_592_000, "y": 31_536_000}
# Powers of 1024 for sizes in bytes, as people write them: disk:>=100G.
_SIZES = {"k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4, "p": 1024**5}
_NUMBER = re.compile(r"(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?)(?P<unit>[kKmMgGtTpP])?(?:i?[bB])?")


def _wrong(match: Match, value: Value, expected: str) -> BadQuery:
    return BadQuery(
        _('%(field)s cannot be compared with "%(value)s".') % {"field": match.field, "value": value.text[:60]},
        hint=expected,
        field=match.field,
        position=match.position,
    )


def as_number(value: Value, match: Match) -> float | int:
    """Return `8`, `1.5e3` or `16G` (powers of 1024) as a number."""
    found = _NUMBER.fullmatch(value.text.strip())
    if found is None or value.is_pattern:
        raise _wrong(match, value, _("Write a number such as 8, 1.5 or 16G."))
    text = found["number"]
    if len(text) > 100:
        raise _wrong(match, value, _("The number is too large."))
    number: float | int = int(text) if re.fullmatch(r"[-+]?\d+", text) else float(text)
    number *= _SIZES[found["unit"].lower()] if found["unit"] else 1
    if abs(number) >= 2**63:
        raise _wrong(match, value, _("The number is too large."))
    return number


def as_time(value: Value, match: Match) -> datetime:
    """Return `-1d` (a day ago), `now`, `today` or an ISO date or time in UTC."""
    text = value.text.strip().lower()
    relative = _RELATIVE.fullmatch(text)
    if text == "now":
        return now()
    if text == "today":
        return now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        if relative:
            seconds = int(relative["count"]) * _SECONDS[relative["unit"]]
            return now() + timedelta(seconds=seconds if relative["sign"] == "+" else -seconds)
        return moment(value.text)
    except (ValueError, OverflowError):
        raise _wrong(match, value, _("Write a time such as -1d, -2h, 2026-05-01 or 2026-05-01T12:30.")) from None


def as_pattern(value: Value) -> re.Pattern[str]:
    """Return the wildcard pattern as an anchored regular expression in lower case."""
    return re.compile(f"^{wildcards(value)}$", re.IGNORECASE)


def as_regex(value: Value) -> str:
    """Return the wildcard pattern as the anchored regular expression of the records database, in lower case."""
    return f"^{wildcards(value, vendor=connection.vendor)}$"


def as_address_range(value: Value, match: Match) -> tuple[str, str]:
    """Return the first and last key of an address, a network or `10.0.*`."""
    text = value.text.strip()
    if value.is_pattern:
        text = _network_of_pattern(value, match)
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise _wrong(match, value, _("Write an address, a network such as 10.0.0.0/8, or 10.0.*.")) from None
    return address_key(str(network[0])), address_key(str(network[-1]))


def _network_of_pattern(value: Value, match: Match) -> str:
    octets = re.fullmatch(r"((?:\d{1,3}\.){1,3})\*(?:\.\*)*", value.raw)
    if octets is None:
        raise _wrong(match, value, _("A wildcard stands for whole numbers at the end: 10.0.*."))
    given = octets[1].rstrip(".").split(".")
    return ".".join(given + ["0"] * (4 - len(given))) + f"/{8 * len(given)}"


def bounds(match: Match, read: Callable[[Value], Any]) -> tuple[Any, Any, bool, bool]:
    """Return `(low, high, low is excluded, high is excluded)` of a comparison or a range; None is an open side."""
    if match.op is Op.BETWEEN:
        low, high = (None if value.raw == "*" and not value.quoted else read(value) for value in match.values)
        return low, high, False, False
    value = read(match.values[0])
    if match.op in (Op.GT, Op.GE):
        return value, None, match.op is Op.GT, False
    return None, value, False, match.op is Op.LT
