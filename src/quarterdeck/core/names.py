"""Near names, for errors that say "did you mean"."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from django.utils.translation import gettext as _


def did_you_mean(found: str, allowed: Iterable[str]) -> str:
    """Return `did you mean "cpu"?` for the nearest allowed name, or "" when none is near."""
    near = get_close_matches(found, list(allowed), n=1, cutoff=0.6)
    return _('did you mean "%(name)s"?') % {"name": near[0]} if near else ""
