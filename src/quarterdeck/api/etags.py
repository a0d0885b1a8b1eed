"""Versions of items on the wire. See https://www.rfc-editor.org/rfc/rfc9110#section-13

`If-Match` is not required: a PATCH changes the named fields only, so two people who edit different fields do not lose
each other's work. With it, a write to an item that has moved on is refused (412). Weak tags are taken as well, because
a proxy that compresses must weaken them.
"""

from __future__ import annotations

import re

from django.http import HttpRequest
from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput, Stale

_TAG = re.compile(r'(?:W/)?"(\d{1,18})"')


def tag(version: int) -> str:
    return f'"{version}"'


def required_version(request: HttpRequest) -> int | None:
    """Return the version that the item must have, or None when any will do. Raises BadInput, or Stale for several tags
    (an item has one version, and a list of guesses is no precondition)."""
    given = request.headers.get("If-Match", "").strip()
    if given in ("", "*"):
        return None
    found = _TAG.fullmatch(given)
    if found is None and '"' in given:
        raise Stale(_("the item has another version"), hint=_("read the item again and send its ETag"))
    if found is None:
        raise BadInput(
            _("If-Match is not an ETag"), hint=_('send the ETag of the item, for example "7"'), field="If-Match"
        )
    return int(found[1])


def is_known(request: HttpRequest, version: int) -> bool:
    """Whether the client already has `version` (If-None-Match), so that 304 will do."""
    tags = _TAG.findall(request.headers.get("If-None-Match", ""))
    return str(version) in tags
