"""What stands on top of every page of an item: its name and state, what may be done with it, the tabs."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from quarterdeck.access.checks import may
from quarterdeck.inventory import queries
from quarterdeck.inventory.actions import UNCLAIMED, is_unclaimed
from quarterdeck.inventory.catalogue import catalogue
from quarterdeck.inventory.models import Item, Lifecycle
from quarterdeck.jobs.host_keys import queries as host_keys
from quarterdeck.web.pages import PageRequest

# What a sender of telemetry can be; see monitoring/senders.
SENDING_TYPES = frozenset({"host", "container", "service"})
_OF_SENDERS = ("logs", "requests", "errors")


def _open_differences(request: PageRequest, item: Item) -> int:
    return queries.drift(request.actor, f"id:{item.pk} lifecycle:*").count()


def _hidden(request: PageRequest, item: Item) -> set[str]:
    """Return the tabs that the actor may not open, or that say nothing of such an item."""
    found = set() if is_reachable(item) and may(request.actor, "jobs.view", item) else {"runs"}
    if not is_reachable(item) or not may(request.actor, "jobs.files", item):
        found |= {"files"}
    if not may(request.actor, "telemetry.query", item):
        return found | {"metrics", *_OF_SENDERS}
    return found if catalogue().by_id[item.type_id].code in SENDING_TYPES else found | set(_OF_SENDERS)


def is_reachable(item: Item) -> bool:
    """Whether such an item can be signed in on."""
    return "ssh_port" in catalogue().by_id[item.type_id].attributes


def _run_url(request: PageRequest, item: Item) -> str:
    """Return where something is run on the item, "" when the actor may not."""
    if not is_reachable(item) or not may(request.actor, "jobs.run", item):
        return ""
    return f"{reverse('web:run_new')}?q=id:{item.pk}"


def _terminal_url(request: PageRequest, item: Item) -> str:
    """Return where a terminal is opened on the item, "" when the actor may not."""
    if not is_reachable(item) or not may(request.actor, "jobs.terminal", item):
        return ""
    return f"{reverse('web:terminal_new')}?item={item.pk}"


def tabs(request: PageRequest, item: Item, current: str) -> list[dict[str, Any]]:
    """Return the tabs that the actor may open, with the number of open differences on Sources."""
    rows = [
        ("summary", _("Summary"), "web:item", "id", 0),
        ("metrics", _("Metrics"), "web:item_metrics", "chart-line", 0),
        ("logs", _("Logs"), "web:item_logs", "file-text", 0),
        ("requests", _("Requests"), "web:item_requests", "route", 0),
        ("errors", _("Errors"), "web:item_errors", "alert-circle", 0),
        ("runs", _("Runs"), "web:item_runs", "terminal-2", 0),
        ("files", _("Files"), "web:item_files", "folder", 0),
        ("relations", _("Relations"), "web:item_relations", "affiliate", 0),
        ("history", _("History"), "web:item_history", "history", 0),
        ("timeline", _("Timeline"), "web:item_timeline", "calendar-event", 0),
        ("sources", _("Sources"), "web:item_sources", "database-import", _open_differences(request, item)),
    ]
    hidden = _hidden(request, item)
    return [
        {"title": title, "url": reverse(name, args=[item.pk]), "icon": icon, "count": count, "current": code == current}
        for code, title, name, icon, count in rows
        if code not in hidden
    ]


def head(request: PageRequest, item: Item, current: str) -> dict[str, Any]:
    """Return the context of item/base.html."""
    return {
        "item": item,
        "spec": catalogue().by_id[item.type_id],
        "tabs": tabs(request, item, current),
        "is_active": item.lifecycle == Lifecycle.ACTIVE,
        "is_unclaimed": is_unclaimed(item),
        "unclaimed_query": UNCLAIMED,
        "undo": request.session.pop("undo", None),
        "key_alarms": [key for key in host_keys.of_item(request.actor, item) if key.is_alarm],
        "run_url": _run_url(request, item),
        "terminal_url": _terminal_url(request, item),
        "is_trashed": item.lifecycle == Lifecycle.TRASHED,
        "may_ask": catalogue().by_id[item.type_id].code == "host" and may(request.actor, "jobs.run", item),
        "may_edit": may(request.actor, "inventory.edit", item),
        "may_delete": may(request.actor, "inventory.delete", item),
        "may_merge": may(request.actor, "inventory.merge", item),
    }
