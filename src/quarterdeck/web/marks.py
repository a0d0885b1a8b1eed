"""What happened to items, as lines on their charts: deployments, runs, changes. See islands/marks.ts."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.access.checks import may
from quarterdeck.audit.actor import Actor
from quarterdeck.inventory import queries
from quarterdeck.inventory.models import Item
from quarterdeck.inventory.queries import Moment
from quarterdeck.tracing.queries import deployments, items_of_services
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


def marks_between(actor: Actor, items: Collection[Item], since: datetime, until: datetime) -> list[list[Any]]:
    """Return what happened in [`since`, `until`), oldest first: to `items`, or without any to all that the actor sees.

    Deployments are versions of services that were seen for the first time.
    """
    marks = []
    if may(actor, "inventory.view"):
        found = queries.moments(actor, items or None, since=since, before=until, limit=MARKS_MAX)
        has_names = len(items) != 1
        marks = [mark(one.at, one.severity, _named(one.item_name if has_names else "", _text(one))) for one in found]
    ids = {item.pk for item in items}
    services = [name for name, item in items_of_services(actor).items() if item.pk in ids] if items else None
    if services is None or services:
        versions = deployments(actor, since, until, services=services, limit=MARKS_MAX)
        marks += [mark(one.first_seen, "info", _named(one.service, version_text(one.version))) for one in versions]
    return sorted(marks)[-MARKS_MAX:]


def version_text(name: str) -> str:
    return _("version %(name)s") % {"name": name}


def _named(item: str, text: str) -> str:
    return f"{item}: {text}" if item else text


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
