"""How many requests a caller may make in a minute, counted across all web processes.

A process leases a twentieth of the minute's allowance from the database at a time and spends it from memory, so that
one request in twenty or more writes, and the sum over processes never exceeds the limit. The answer's headers follow
https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

from django.conf import settings
from django.db import OperationalError
from django.db.models import F
from django.utils.translation import gettext as _

from quarterdeck.api.models import RateWindow
from quarterdeck.core.clock import now
from quarterdeck.core.errors import TooMany

WINDOW_SECONDS = 60
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of `limit` requests until `reset_seconds` have passed."""

    limit: int
    remaining: int
    reset_seconds: int

    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Policy": f'"default";q={self.limit};w={WINDOW_SECONDS}',
            "RateLimit": f'"default";r={self.remaining};t={self.reset_seconds}',
        }


@dataclass(slots=True)
class _Lease:
    window: int
    left: int
    unleased: int


_leases: dict[str, _Lease] = {}
_lock = threading.Lock()


def _take(caller: str, window: int, wanted: int, limit: int) -> _Lease:
    """Lease up to `wanted` requests; a lease of 0 means that the window is used up. Compare-and-set, no lock held."""
    while True:
        row = RateWindow.objects.filter(caller=caller).first()
        if row is None:
            row, _created = RateWindow.objects.get_or_create(caller=caller, defaults={"window": window, "used": 0})
        used = row.used if row.window == window else 0
        granted = max(0, min(wanted, limit - used))
        same = RateWindow.objects.filter(pk=row.pk, window=row.window, used=row.used)
        change = {"window": window, "used": F("used") + granted if row.window == window else granted}
        if not granted or same.update(**change):
            return _Lease(window, granted, limit - used - granted)


def _take_if_possible(caller: str, window: int, wanted: int, limit: int) -> _Lease:
    """As `_take`; when nothing can be written, as on a full disk, reading must go on: the lease is given uncounted."""
    try:
        return _take(caller, window, wanted, limit)
    except OperationalError:
        _log.warning("the rate of %s cannot be counted", caller, exc_info=True)
        return _Lease(window, wanted, 0)


def spend(caller: str) -> Allowance:
    """Count one request of `caller` ("token:7"). Raises TooMany when the minute's allowance is used up."""
    limit = int(settings.QD["api_rate_per_minute"])
    at = int(now().timestamp())
    window, reset_seconds = at // WINDOW_SECONDS, WINDOW_SECONDS - at % WINDOW_SECONDS
    with _lock:
        lease = _leases.get(caller)
        if lease is None or lease.window != window or lease.left == 0:
            if len(_leases) > 10_000:
                _leases.clear()
            lease = _leases[caller] = _take_if_possible(caller, window, max(1, limit // 20), limit)
        if lease.left == 0:
            raise TooMany(
                _("more than %(limit)d requests in a minute") % {"limit": limit},
                hint=_("wait, or raise the setting api_rate_per_minute"),
                retry_after_seconds=reset_seconds,
            )
        lease.left -= 1
        return Allowance(limit, lease.left + lease.unleased, reset_seconds)


def forget() -> None:
    """Drop this process's leases, as a new process would begin."""
    with _lock:
        _leases.clear()
