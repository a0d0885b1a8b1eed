"""What happened to an item, as lines on its charts: deployments, runs, changes. See islands/chart.ts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.audit.actor import Actor
from quarterdeck.inventory import queries
from quarterdeck.inventory.models import Item
from quarterdeck.inventory.queries import Moment
from quarterdeck.web.items.titles import titles_of

# More lines than these hide the curve; the newest are drawn, the timeline has them all.
MARKS_MAX = 60
_FIELDS_SHOWN = 4
_TEXT_MAX = 200


def mark(at: datetime, severity: str, text: str) -> list[Any]:
    """Return `[ms since 1970, severity, text]`."""
    return [at.timestamp() * 1000, severity, text[:_TEXT_MAX]]


def marks_of(actor: Actor, item: Item, since: datetime) -> list[list[Any]]:
    """Return what happened to `item` from `since` on, oldest first."""
    found = queries.moments(actor, item, since=since, limit=MARKS_MAX)
    return [mark(one.at, one.severity, _text(one)) for one in reversed(found)]


def _text(moment: Moment) -> str:
    if moment.kind == "inventory.created":
        return _("appeared")
    if moment.kind != "inventory.change":
        return moment.title
    if moment.detail.get("lifecycle") == "trashed":
        return _("moved to the trash")
    titles = titles_of(moment.detail["fields"])
    fields = ", ".join(titles[:_FIELDS_SHOWN]) + (" …" if len(titles) > _FIELDS_SHOWN else "")
    return f"{_('changed')}: {fields}"
