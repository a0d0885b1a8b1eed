"""What the records database's own errors mean to a person."""

from __future__ import annotations

from django.db import OperationalError
from django.utils.translation import gettext as _

from quarterdeck.core.errors import Unavailable

# SQLite's SQLITE_FULL, and what PostgreSQL passes on from its operating system.
_FULL = ("disk is full", "No space left on device")


def trouble(error: OperationalError) -> Unavailable:
    """Return the trouble as a sentence with the next step."""
    if any(words in str(error) for words in _FULL):
        return Unavailable(
            _("the disk of the records is full: nothing can be written"),
            hint=_("free space; `quarterdeck doctor` tells how much is left"),
        )
    return Unavailable(_("the records database does not answer now"), hint=_("try again"))
