"""One item: summary, history, timeline."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_GET

from quarterdeck.access.checks import may
from quarterdeck.core.errors import Unavailable
from quarterdeck.inventory import queries
from quarterdeck.inventory.catalogue import TypeSpec, catalogue
from quarterdeck.inventory.models import Change, ChangeSet, Item
from quarterdeck.jobs.facts.actions import package_count
from quarterdeck.jobs.host_keys import queries as host_keys
from quarterdeck.telemetry import queries as telemetry
from quarterdeck.web.differences import Part, difference
from quarterdeck.web.items.figures import SPARKS
from quarterdeck.web.items.heads import head
from quarterdeck.web.items.panels import layout
from quarterdeck.web.items.titles import title_of
from quarterdeck.web.pages import PageRequest, page

HISTORY_ROWS = 100
TIMELINE_ROWS = 50
RELATED_ROWS = 6
MAX_RELATIONS = 1000


def sparks(request: PageRequest, item: Item) -> list[tuple[str, Any]]:
    """Return the sparklines that the item has metrics for; none when the engine does not answer: the page stands."""
    if not may(request.actor, "telemetry.query", item):
        return []
    try:
        names = {metric.name for metric in telemetry.metrics_of(request.actor, item)}
    except Unavailable:
        return []
    return [(code, one) for code, one in SPARKS.items() if one.sources[0].metric in names]


def related(request: PageRequest, item: Item) -> list[dict[str, Any]]:
    """Return direct neighbours by type: `[{"spec": TypeSpec, "rows": [Item], "more": 3}]`."""
    groups: dict[int, dict[int, Item]] = {}
    for row in queries.relations(request.actor, item)[:MAX_RELATIONS]:
        other = row.dst if row.src_id == item.pk else row.src
        groups.setdefault(other.type_id, {})[other.pk] = other
    types = catalogue().by_id
    ordered = sorted(groups.items(), key=lambda entry: types[entry[0]].title)
    return [
        {"spec": types[pk], "rows": list(rows.values())[:RELATED_ROWS], "more": max(0, len(rows) - RELATED_ROWS)}
        for pk, rows in ordered
    ]


@require_GET
@page("inventory.view")
def summary(request: PageRequest, pk: int) -> HttpResponse:
    """All values, laid out; figures of now; what it is related to by kind; the last events."""
    item = queries.get_item(request.actor, pk)
    context = head(request, item, "summary")
    context |= {
        "layout": layout(context["spec"], item.attributes, item.desired),
        "identities": queries.identities(item),
        "package_count": package_count(item),
        "host_keys": host_keys.of_item(request.actor, item),
        "sparks": sparks(request, item),
        "related": related(request, item),
        "moments": queries.moments(request.actor, item, limit=6),
    }
    return render(request, "web/items/summary.html", context)


@dataclass(frozen=True, slots=True)
class ShownChange:
    """One field of a change set, in parts that can be marked."""

    title: str
    parts: list[Part]


def _readable(value: Any, field: str) -> Any:
    """Of the other end of a relation, `{"id": 7, "name": "db1"}`, return the name; hidden ones keep their number."""
    if field.startswith("relation.") and isinstance(value, dict):
        return value.get("name") or f"#{value.get('id')}"
    return value


def shown_changes(spec: TypeSpec, changes: Iterable[Change]) -> list[ShownChange]:
    """Return changes of one item for people to read; that it was created is not one."""
    return [
        ShownChange(
            title_of(spec, change.field),
            difference(
                _readable(change.old, change.field),
                _readable(change.new, change.field),
                spec.attributes[change.field].unit if change.field in spec.attributes else "",
            ),
        )
        for change in changes
        if change.field
    ]


def change_sets(spec: TypeSpec, changes: Iterable[Change]) -> list[tuple[ChangeSet, bool, list[ShownChange]]]:
    """Group changes, newest first, by the call that made them: `(change set, created the item?, fields)`."""
    result = []
    for _pk, group in groupby(changes, key=lambda change: change.change_set_id):
        rows = list(group)
        result.append((rows[0].change_set, any(not row.field for row in rows), shown_changes(spec, rows)))
    return result


@require_GET
@page("inventory.view")
def history(request: PageRequest, pk: int) -> HttpResponse:
    """Field-level changes, newest first."""
    item = queries.get_item(request.actor, pk)
    context = head(request, item, "history")
    after = request.GET.get("after", "")
    found = queries.history(request.actor, item, int(after) if after.isdecimal() else None, HISTORY_ROWS + 1)
    context["change_sets"] = change_sets(context["spec"], found[:HISTORY_ROWS])
    context["next_cursor"] = str(found[HISTORY_ROWS - 1].pk) if len(found) > HISTORY_ROWS else ""
    return render(request, "web/items/history.html", context)


def moment_of(text: str) -> datetime | None:
    """Read a cursor of a timeline; anything else is the newest page."""
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    return found if found and found.tzinfo else None


@require_GET
@page("inventory.view")
def timeline(request: PageRequest, pk: int) -> HttpResponse:
    """What happened to the item, newest first."""
    item = queries.get_item(request.actor, pk)
    before = moment_of(request.GET.get("after", ""))
    moments = queries.moments(request.actor, item, before=before, limit=TIMELINE_ROWS + 1)
    context = head(request, item, "timeline") | {
        "moments": moments[:TIMELINE_ROWS],
        "next_cursor": moments[TIMELINE_ROWS - 1].at.isoformat() if len(moments) > TIMELINE_ROWS else "",
    }
    return render(request, "web/items/timeline.html", context)
