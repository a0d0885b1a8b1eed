"""Near names, for errors that say "did you mean"."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from django.utils.translation import gettext as _


def nearest(found: str, allowed: Iterable[str]) -> str:
    """Return the allowed name that is nearest to what was found, or "" when none is near."""
    near = get_close_matches(found, list(allowed), n=1, cutoff=0.6)
    return near[0] if near else ""


def did_you_mean(found: str, allowed: Iterable[str]) -> str:
    """Return `did you mean "cpu"?` for the nearest allowed name, or "" when none is near."""
    near = nearest(found, allowed)
    return _('did you mean "%(name)s"?') % {"name": near} if near else ""
