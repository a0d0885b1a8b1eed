"""What a request of Loki's API asks for, and how it is told what is wrong: in text, as Loki does."""

from __future__ import annotations

import math
import re
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from quarterdeck.api.prometheus.parameters import text
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, BadQuery, OpsError, TooMany, Unauthenticated
from quarterdeck.logs.logql.parsing import duration_ns

NS = 1_000_000_000
HOUR_NS = 3600 * NS
_LAST_NS = (2**32 - 1) * NS
_LIMIT_USUAL = 100


def failure(error: OpsError) -> HttpResponse:
    status = 400 if isinstance(error, BadInput | BadQuery) else error.status
    said = f"{error.message} ({error.hint})" if error.hint else str(error.message)
    response = HttpResponse(said, status=status, content_type="text/plain; charset=utf-8")
    if isinstance(error, TooMany):
        response["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, Unauthenticated):
        response["WWW-Authenticate"] = 'Bearer realm="quarterdeck"'
    return response


def moment_ns(request: HttpRequest, name: str, usual: int) -> int:
    """Return a time: Unix nanoseconds, Unix seconds with a fraction or of ten digits, or RFC 3339."""
    given = text(request, name)
    if not given:
        return usual
    if re.fullmatch(r"\d{11,19}", given):
        return min(int(given), _LAST_NS)
    try:
        seconds = float(given)
    except ValueError:
        try:
            seconds = datetime.fromisoformat(given).timestamp()
        except (ValueError, OverflowError):
            raise _wrong(name, given) from None
    if not math.isfinite(seconds):
        raise _wrong(name, given)
    return max(0, min(round(seconds * NS), _LAST_NS))


def length_ns(request: HttpRequest, name: str, usual: int) -> int:
    """Return a length of time: seconds, or `1h30m`."""
    given = text(request, name)
    if not given:
        return usual
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", given):
        return round(float(given) * NS)
    if not re.fullmatch(r"(\d{1,9}(\.\d{1,9})?(ns|us|µs|ms|s|m|h|d|w|y))+", given):
        raise _wrong(name, given)
    return duration_ns(given)


def _wrong(name: str, given: str) -> BadInput:
    return BadInput(f'could not parse "{name}" parameter: "{given[:60]}"', field=name)


def time_range(request: HttpRequest) -> tuple[int, int]:
    until = moment_ns(request, "end", round(now().timestamp() * NS))
    after = moment_ns(request, "start", until - length_ns(request, "since", HOUR_NS))
    if after > until:
        raise BadInput(_("end timestamp must not be before start time"), field="end")
    # A start belongs to the time that is asked for.
    return after - 1, until


def limit(request: HttpRequest) -> int:
    given = text(request, "limit", str(_LIMIT_USUAL))
    if not re.fullmatch(r"\d{1,9}", given) or not int(given):
        raise _wrong("limit", given)
    return int(given)


def is_forward(request: HttpRequest) -> bool:
    given = text(request, "direction", "backward").lower()
    if given not in ("forward", "backward"):
        raise _wrong("direction", given)
    return given == "forward"
