"""The audit log: search, one record, export, and the check that the chain is whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from quarterdeck.access import auditing
from quarterdeck.access.checks import may
from quarterdeck.audit.models import AuditEvent
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadQuery, NotFound
from quarterdeck.web.audit.filters import RESULTS, SPANS, Filters
from quarterdeck.web.audit.titles import choices
from quarterdeck.web.pages import PageRequest, page

_SIBLINGS = 50


@require_GET
@page("audit.view")
def audit(request: PageRequest) -> HttpResponse:
    return render(request, "web/audit/list.html", _list_context(request))


def _list_context(request: PageRequest) -> dict[str, Any]:
    filters = Filters.of(request)
    context: dict[str, Any] = {
        "filters": filters,
        "query": filters.query,
        "results": RESULTS,
        "spans": SPANS,
        "verbs": choices(),
        "may_export": may(request.actor, "audit.export"),
    }
    after = request.GET.get("after", "")
    try:
        events, next_seq = auditing.read(
            request.actor, filters.whole, before_seq=int(after) if after.isdecimal() else None
        )
    except BadQuery as error:
        return context | {"query_error": error}
    return context | {"events": events, "next_cursor": next_seq}


@require_GET
@page("audit.view")
def event_page(request: PageRequest, seq: int) -> HttpResponse:
    """One record with what it changed, and what else the same request did."""
    event = AuditEvent.objects.filter(seq=seq).first()
    if event is None:
        raise NotFound(
            _("There is no record %(seq)s in the log.") % {"seq": seq},
            hint=_("It may be in an archived segment; see the folder audit/archive of the data directory."),
        )
    siblings = AuditEvent.objects.filter(request_id=event.request_id).exclude(seq=seq).order_by("seq")
    context = {
        "event": event,
        "changes": _changes(event),
        "siblings": siblings[:_SIBLINGS] if event.request_id else (),
    }
    return render(request, "web/audit/event.html", context)


def _changes(event: AuditEvent) -> list[dict[str, Any]]:
    """Return `[{"field": "role", "before": "web", "after": "db", "changed": True}]`."""
    before, after = event.before or {}, event.after or {}
    return [
        {
            "field": field,
            "before": before.get(field),
            "after": after.get(field),
            "changed": before.get(field) != after.get(field),
        }
        for field in sorted({*before, *after})
    ]


@require_POST
@page("audit.view")
def verify(request: PageRequest) -> HttpResponse:
    """Walk the whole chain. Reads 50,000 records a second or more, so even a large log is done while one waits."""
    verdict = auditing.verify(request.actor)
    if request.htmx:
        return render(request, "web/audit/verdict.html", {"verdict": verdict})
    return render(request, "web/audit/list.html", _list_context(request) | {"verdict": verdict})


@require_GET
@page("audit.export")
def export(request: PageRequest, form: str) -> HttpResponseBase:
    """The selected records, oldest first, streamed."""
    lines: Iterator[bytes] = auditing.export(request.actor, Filters.of(request).whole, form)
    media = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}[form]
    response = StreamingHttpResponse(lines, content_type=media)
    response.headers["Content-Disposition"] = f'attachment; filename="audit-{now():%Y%m%d-%H%M%S}.{form}"'
    return response
