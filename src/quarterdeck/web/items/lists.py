"""The list of items with its query box, facets, export and live figures."""

from __future__ import annotations

from dataclasses import asdict
from tempfile import TemporaryFile
from urllib.parse import urlencode

from django.http import FileResponse, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from quarterdeck.access.checks import may, visible
from quarterdeck.core.errors import BadInput, BadQuery
from quarterdeck.inventory import queries
from quarterdeck.inventory.actions import UNCLAIMED, is_unclaimed
from quarterdeck.inventory.catalogue import catalogue
from quarterdeck.inventory.exchange.detect import formats
from quarterdeck.inventory.exchange.exporting import export as write_export
from quarterdeck.inventory.models import Item
from quarterdeck.telemetry import queries as telemetry
from quarterdeck.web.items.columns import available, labels_in
from quarterdeck.web.items.figures import USAGE_METRICS
from quarterdeck.web.items.figures import usage as usage_of
from quarterdeck.web.items.listing import PAGE_ROWS, facets, listing, marked
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.viewing import within_selector

PICKED = 8


@require_GET
@page("inventory.view")
def items(request: PageRequest) -> HttpResponse:
    """The list. With a query that does not compile: the error at its place, status 400, and no rows."""
    found = listing(request)
    shown = {column.code for column in found.columns}
    # The labels of the page rather than of all items: those cost a step in the index each.
    columns = available(catalogue(), labels_in(shown).union(*(item.labels for item in found.items)))
    context = {
        "listing": found,
        "sort": found.sort,
        "next_cursor": found.next_cursor,
        "query_error": found.error,
        "marked": marked(found.query, found.error) if found.error else None,
        "all_columns": columns.values(),
        "editable": [column for column in columns.values() if column.is_editable],
        "facets_query": urlencode({"q": found.query}),
        "shown": shown,
        "views": queries.views(request.actor),
        "formats": {name: one.title for name, one in formats().items()},
        "types": catalogue().types,
        "may": {verb: may(request.actor, f"inventory.{verb}") for verb in ("edit", "delete", "export", "import")}
        | {"run": may(request.actor, "jobs.run")},
        "is_plain": not found.query and not found.view and not request.GET.get("after"),
        "undo": request.session.pop("undo", None),
        "unclaimed_query": UNCLAIMED,
        "has_unclaimed": any(map(is_unclaimed, found.items)),
    }
    return render(request, "web/items/list.html", context, status=400 if found.error else 200)


@require_GET
@page("inventory.view")
def trash(request: PageRequest) -> HttpResponse:
    """What was put into the trash, to restore or to purge."""
    rows, cursor = queries.page(
        queries.items(request.actor, "lifecycle:trashed", "-updated_at"), request.GET.get("after", ""), PAGE_ROWS
    )
    context = {"items": rows, "next_cursor": cursor, "types": catalogue().types}
    return render(request, "web/items/trash.html", context | {"may_delete": may(request.actor, "inventory.delete")})


@require_GET
@page("inventory.view")
def completions(request: PageRequest) -> JsonResponse:
    """What may stand at the cursor: `[{"text": "env:", "kind": "field", "hint": "", "start": 0, "end": 2}]`."""
    text = request.GET.get("text", "")
    cursor = request.GET.get("cursor", "")
    found = queries.completions(request.actor, text, int(cursor) if cursor.isdecimal() else None)
    return JsonResponse([asdict(one) for one in found], safe=False)


@require_GET
@page("inventory.view")
def item_facets(request: PageRequest) -> HttpResponse:
    """The facets of `?q=`, asked for after the list so that the list does not wait."""
    query = request.GET.get("q", "")
    try:
        found, total = facets(request, query)
    except BadQuery:
        # The list says what is wrong with the query.
        found, total = [], 0
    return render(request, "web/items/facets.html", {"facets": found, "total": total})


@require_GET
@page("telemetry.query")
def usage(request: PageRequest) -> HttpResponse:
    """CPU and memory of `?id=1&id=2` now, as fragments that htmx puts into the rows."""
    ids = [int(pk) for pk in request.GET.getlist("id")[:PAGE_ROWS] if pk.isdecimal()]
    items = visible(request.actor, "telemetry.query", Item.objects.filter(pk__in=ids))
    latest = telemetry.latest(request.actor, items, USAGE_METRICS)
    rows = [{"id": pk, **usage_of(values)} for pk, values in latest.items()]
    return render(request, "web/items/usage.html", {"rows": rows})


@require_GET
@page("inventory.export")
def export(request: PageRequest) -> FileResponse:
    """The items of `?q=` or of the chosen `?id=` as a file in `?format=`."""
    name = request.GET.get("format", "csv")
    if name not in formats():
        raise BadInput(_('There is no format "%(name)s".') % {"name": name[:40]}, hint=", ".join(formats()))
    ids = [pk for pk in request.GET.getlist("id") if pk.isdecimal()]
    query = f"id:({' OR '.join(ids)})" if ids else within_selector(request, request.GET.get("q", ""))
    stream = TemporaryFile()  # noqa: SIM115 - the answer closes it after the last byte
    try:
        write_export(request.actor, query, name, stream)
    except BaseException:
        stream.close()
        raise
    stream.seek(0)
    suffix = formats()[name].suffixes[0]
    return FileResponse(stream, as_attachment=True, filename=f"items{suffix}")


@require_GET
@page("inventory.view")
def pick(request: PageRequest) -> HttpResponse:
    """Items whose name begins like what was typed, as radio buttons named `?name=`; with `?type=` of that type only."""
    text = request.GET.get("text", "").strip()
    without = request.GET.get("without", "")
    kind = request.GET.get("type", "")
    # Looked at further than shown, since what is of another type does not count.
    rows = queries.search(request.actor, text, 100 if kind else PICKED + 1) if text else []
    found = [item for item in rows if str(item.pk) != without and kind in ("", item.type.code)]
    context = {
        "found": found[:PICKED],
        "name": request.GET.get("name", "target"),
        "text": text,
        "types": catalogue().types,
    }
    return render(request, "web/items/picked.html", context)
