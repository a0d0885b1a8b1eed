"""How long uploads are kept: pieces a day, source maps until nothing needed them for a time."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings
from django.db import OperationalError

from quarterdeck.core.clock import now
from quarterdeck.errors.models import Bundle, Chunk

_log = logging.getLogger(__name__)
_PIECES = timedelta(days=1)
_TOUCHED = timedelta(days=1)


def forget() -> int:
    """Delete what is over its time; return how many uploads."""
    at = now()
    Chunk.objects.filter(created_at__lt=at - _PIECES).delete()
    days = int(settings.QD["artifacts_retention_days"])
    return Bundle.objects.filter(used_at__lt=at - timedelta(days=days)).delete()[1].get("errors.Bundle", 0)


def touch(bundle: Bundle) -> None:
    """Note that a bundle was needed, once a day at most: reading a page should seldom write."""
    at = now()
    if bundle.used_at >= at - _TOUCHED:
        return
    try:
        Bundle.objects.filter(pk=bundle.pk).update(used_at=at)
    except OperationalError:
        # On a full disk reading goes on.
        _log.warning("it cannot be noted that %s was used", bundle, exc_info=True)
