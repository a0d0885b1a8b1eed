"""The page of one issue, with one of its events; the list of its events; its tags."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET

from quarterdeck.core.errors import NotFound, Unavailable
from quarterdeck.errors import events as reading
from quarterdeck.errors import queries
from quarterdeck.errors.artifacts.resolving import resolved
from quarterdeck.errors.events import Counts, Event
from quarterdeck.errors.grouping import explained
from quarterdeck.errors.health import suspect_release
from quarterdeck.errors.models import Issue, TraitName
from quarterdeck.errors.origins import origin_of
from quarterdeck.errors.performance import evidence_of
from quarterdeck.errors.reading import read
from quarterdeck.errors.scope import may_edit
from quarterdeck.web.issues.drawing import trend_of
from quarterdeck.web.issues.titles import ICONS, SECTIONS, TAGS, sentence, state_title, state_tone
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.viewing import range_of

BARS = 60
EVENT_ROWS = 100
_SHOWN_TRAITS = 8


@require_GET
@page("telemetry.query")
def issue(request: PageRequest, pk: int) -> HttpResponse:
    """An issue with its newest event, or that of `?event=`."""
    found = queries.get_issue(request.actor, pk)
    if found.pk != pk:
        return HttpResponseRedirect(reverse("web:issue", args=[found.pk]))
    context, status = _head(request, found), 200
    try:
        context |= _event(request, found)
    except NotFound as error:
        context["no_event"] = error
    except Unavailable as error:
        context["unavailable"], status = error, error.status
    return render(request, "web/issues/issue.html", context, status=status)


def _head(request: PageRequest, found: Issue) -> dict[str, Any]:
    is_editor = may_edit(request.actor, found)
    groups = list(found.hashes.order_by("pk").values_list("grouping_hash", flat=True))
    return {
        "issue": found,
        "state": state_title(found),
        "tone": state_tone(found),
        "may_edit": is_editor,
        "people": queries.people() if is_editor else [],
        "releases": queries.releases_of(found, _SHOWN_TRAITS),
        "environments": _traits(found, TraitName.ENVIRONMENT),
        "services": _traits(found, TraitName.SERVICE),
        "suspect": suspect_release(found.project, found.first_release),
        "groups": [f"{number & (2**64 - 1):016x}" for number in groups],
        "activity": [
            (ICONS.get(one.kind, "circle-dashed"), sentence(one), one)
            for one in queries.activities(request.actor, found)
        ],
    }


def _traits(found: Issue, name: str) -> list[str]:
    return list(found.traits.filter(name=name).order_by("-last_seen").values_list("value", flat=True)[:_SHOWN_TRAITS])


def _event(request: PageRequest, found: Issue) -> dict[str, Any]:
    event = reading.get_event(request.actor, found, request.GET.get("event", "")[:64])
    window = queries.last(range_of(request).seconds)
    counted = reading.counts(request.actor, [found.pk], window, bars=BARS).get(found.pk, Counts())
    source = resolved(event.payload, event.project)
    parts = read(source.payload)
    return {
        "event": event,
        "parts": parts,
        "contexts": [(SECTIONS.get(one.name, one.name), one.pairs) for one in parts.contexts],
        "request_parts": [(SECTIONS.get(one.name, one.name), one.pairs) for one in parts.request.sections]
        if parts.request
        else [],
        "beside": reading.neighbours(request.actor, found, event),
        "counts": counted,
        "trend": trend_of(counted.bars, 40),
        "why": explained(source.payload),
        "source": source,
        "evidence": evidence_of(event.payload),
        "origin": origin_of(found, event, parts),
        "attachments": reading.attachments(event),
        "feedback": reading.feedback(event),
        "trace_url": _address("web:trace", event.trace_id),
        "logs_url": _logs_url(event),
    }


def _address(name: str, argument: str) -> str:
    """Return a page's address, "" without an argument or while there is no such page."""
    try:
        return reverse(name, args=[argument]) if argument else ""
    except NoReverseMatch:
        return ""


def _logs_url(event: Event) -> str:
    """Return the address of the lines of the event's trace, else of its service around its time."""
    try:
        address = reverse("web:logs")
    except NoReverseMatch:
        return ""
    at_ms = int(event.ts.timestamp() * 1000)
    query = f"trace:{event.trace_id}" if event.trace_id else f'service:"{event.service}"'
    around = {"q": query, "since": str(at_ms - 300_000), "until": str(at_ms + 300_000)}
    return f"{address}?{urlencode(around)}"


@require_GET
@page("telemetry.query")
def tags(request: PageRequest, pk: int) -> HttpResponse:
    """How the tags of the newest events spread; asked for after the page, which does not wait for it."""
    found = queries.get_issue(request.actor, pk)
    rows = [
        (TAGS.get(tag.name, tag.name), [(value, count, round(100 * count / tag.total)) for value, count in tag.values])
        for tag in reading.tags(request.actor, found)
    ]
    return render(request, "web/issues/tags.html", {"tags": rows})


@require_GET
@page("telemetry.query")
def events(request: PageRequest, pk: int) -> HttpResponse:
    """An issue's events, newest first."""
    found = queries.get_issue(request.actor, pk)
    context, status = _head(request, found), 200
    try:
        rows, cursor = reading.events(request.actor, found, limit=EVENT_ROWS, after=request.GET.get("after", ""))
        context |= {"rows": rows, "next_cursor": cursor}
    except Unavailable as error:
        context["unavailable"], status = error, error.status
    return render(request, "web/issues/events.html", context, status=status)


@require_GET
@page("telemetry.query")
def payload(request: PageRequest, pk: int, event_id: str) -> JsonResponse:
    """An event as the SDK sent it, after redaction."""
    found = reading.get_event(request.actor, queries.get_issue(request.actor, pk), event_id)
    return JsonResponse(found.payload, json_dumps_params={"indent": 2, "ensure_ascii": False})


@require_GET
@page("telemetry.query")
def find(request: PageRequest, event_id: str) -> HttpResponse:
    """Lead to the issue of an event, which is all that some logs and users know."""
    pk, event = reading.find_event(request.actor, event_id)
    return HttpResponseRedirect(f"{reverse('web:issue', args=[pk])}?{urlencode({'event': event.event_id})}")
