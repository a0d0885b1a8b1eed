"""What a request asks for, from its address or the form in its body."""

from __future__ import annotations

import math
import re
from datetime import datetime
from itertools import chain

from django.http import HttpRequest
from django.utils.translation import gettext as _

from quarterdeck.core.clock import now
from quarterdeck.telemetry.promql.errors import BadExpression

# The years that the engine's timestamps reach.
_EARLIEST_MS, _LATEST_MS = -2_208_988_800_000, 10_413_791_999_000
_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?")
_UNITS_MS = (31_536_000_000, 604_800_000, 86_400_000, 3_600_000, 60_000, 1000, 1)


def text(request: HttpRequest, name: str, default: str = "") -> str:
    return str(request.POST.get(name) or request.GET.get(name) or default)


def texts(request: HttpRequest, name: str) -> list[str]:
    return list(chain(request.GET.getlist(name), request.POST.getlist(name)))


def moment_ms(request: HttpRequest, name: str, *, required: bool = False) -> int:
    """Return a time, Unix seconds or RFC 3339, in milliseconds; now when it is left out. Raises BadExpression."""
    given = text(request, name)
    if not given and not required:
        return round(now().timestamp() * 1000)
    found = _moment_ms(given)
    if found is None or not _EARLIEST_MS <= found <= _LATEST_MS:
        raise _invalid(name, _('cannot parse "%(text)s" to a valid timestamp') % {"text": given[:100]})
    return found


def _moment_ms(given: str) -> int | None:
    try:
        seconds = float(given)
    except ValueError:
        try:
            return round(datetime.fromisoformat(given).timestamp() * 1000)
        except (ValueError, OverflowError):
            return None
    return round(seconds * 1000) if math.isfinite(seconds) else None


def duration_ms(request: HttpRequest, name: str, default: str = "") -> int:
    """Return a length of time, seconds or `1h30m`, in milliseconds. Raises BadExpression."""
    given = text(request, name, default)
    try:
        seconds = float(given)
    except ValueError:
        match = _DURATION.fullmatch(given)
        if not given or match is None:
            raise _invalid(name, _('cannot parse "%(text)s" to a valid duration') % {"text": given[:100]}) from None
        return sum(int(part or 0) * unit for part, unit in zip(match.groups(), _UNITS_MS, strict=True))
    if not math.isfinite(seconds) or abs(seconds) > 1e9:
        raise _invalid(name, _('cannot parse "%(text)s" to a valid duration') % {"text": given[:100]})
    return round(seconds * 1000)


def whole(request: HttpRequest, name: str) -> int:
    """Return a number that is not negative; 0 when it is left out. Raises BadExpression."""
    given = text(request, name, "0")
    if not given.isdecimal() or len(given) > 9:
        raise _invalid(name, _("a whole number is expected"))
    return int(given)


def _invalid(name: str, words: str) -> BadExpression:
    return BadExpression(_('invalid parameter "%(name)s": %(words)s') % {"name": name, "words": words}, field=name)
