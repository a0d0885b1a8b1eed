"""The page of log lines, and that of their patterns."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from quarterdeck.access.checks import may
from quarterdeck.core.errors import BadInput, BadQuery, OpsError, TooMany, Unavailable
from quarterdeck.core.query import narrowed
from quarterdeck.logs import queries
from quarterdeck.logs.actions import saved_searches
from quarterdeck.logs.queries import Changes, Line, Pattern
from quarterdeck.web.changed import Bars, Group, group
from quarterdeck.web.items.listing import marked
from quarterdeck.web.logs.asked import Asked, asked
from quarterdeck.web.logs.metrics import tabs
from quarterdeck.web.logs.titles import facet_title, level_title
from quarterdeck.web.pages import PageRequest, page

PAGE_ROWS = 100
_OWN = ("level", "service", "host", "component", "source", "trace_id", "span_id")


def _cells(line: Line, columns: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return `(column, text)` of the chosen columns; a column that the line does not have is empty."""
    return [(name, value_of(line, name)) for name in columns]


def value_of(line: Line, name: str) -> str:
    """Return what the line has under a field's name."""
    if name in _OWN:
        return str(getattr(line, name))
    for fields in (line.attributes, line.resource, line.parsed):
        if name in fields:
            return fields[name]
    return ""


def _context(request: PageRequest, one: Asked, tab: str) -> dict[str, Any]:
    return {
        "asked": one,
        "query": one.search.query,
        "address": one.address(),
        "unzoomed": one.address(since=None, until=None),
        "tabs": tabs(tab, one.address()),
        "views": saved_searches(request.actor),
        "may_share": may(request.actor, "inventory.edit"),
        "intake_url": reverse("web:intake") if may(request.actor, "telemetry.intake") else "",
    }


def _wrong(error: OpsError, query: str) -> tuple[dict[str, Any], int]:
    if isinstance(error, BadQuery):
        return {"query_error": error, "marked": marked(query, error)}, error.status
    return {"unavailable": error}, error.status


@require_GET
@page("telemetry.query")
def logs(request: PageRequest) -> HttpResponse:
    """The lines of `?q=` in the page's time range, or from `?since=` to `?until=` in milliseconds; newest first."""
    one, status = asked(request), 200
    context = _context(request, one, "lines")
    try:
        found = queries.find(request.actor, one.search, limit=PAGE_ROWS, after=request.GET.get("after", ""))
        context["rows"] = [(line, _cells(line, one.columns)) for line in found.lines]
        context["next_cursor"] = found.next
        context["is_first"] = not request.GET.get("after")
    except (BadInput, Unavailable, TooMany) as error:
        wrong, status = _wrong(error, one.search.query)
        context |= wrong
    return render(request, "web/logs/logs.html", context, status=status)


@require_GET
@page("telemetry.query")
def patterns(request: PageRequest) -> HttpResponse:
    """What kinds of lines there are, with their trend and whether the time before had them."""
    one, status = asked(request), 200
    order = request.GET.get("order", "count")
    context = _context(request, one, "patterns") | {"orders": _orders(), "order": order}
    try:
        found = queries.patterns(request.actor, one.search, order=order)
        context["patterns"] = [_row(one, pattern) for pattern in found]
    except (BadInput, Unavailable, TooMany) as error:
        wrong, status = _wrong(error, one.search.query)
        context |= wrong
    return render(request, "web/logs/patterns.html", context, status=status)


@require_GET
@page("telemetry.query")
def changed(request: PageRequest) -> HttpResponse:
    """What differs from the same length of time before: fields with their values, and patterns."""
    one, status = asked(request), 200
    context = _context(request, one, "changed")
    try:
        found = queries.changed(request.actor, one.search)
        context |= {"found": found, "groups": _groups(one, found)}
    except (BadInput, Unavailable, TooMany) as error:
        wrong, status = _wrong(error, one.search.query)
        context |= wrong
    return render(request, "web/logs/changed.html", context, status=status)


def _groups(one: Asked, found: Changes) -> list[Group]:
    def address(condition: str) -> str:
        return f"{reverse('web:logs')}?{one.address(q=narrowed(one.search.query, condition))}"

    def title(field: str, value: str) -> str | Promise:
        return level_title(value) if field == "level" else value

    rows = [
        Bars(
            row.template, address(row.query), row.now, row.before, row.now_share, row.before_share, row.is_new,
            row.is_gone, is_code=True,
        )
        for row in found.patterns
    ]  # fmt: skip
    fields = [group(field, facet_title(field.field), title, address) for field in found.fields.fields]
    return [*fields, *([Group(_("Patterns"), 0, rows, "")] if rows else [])]


def _orders() -> dict[str, str]:
    return {"count": _("Most frequent"), "rare": _("Rarest"), "new": _("New first"), "change": _("Most changed")}


def _row(one: Asked, pattern: Pattern) -> dict[str, Any]:
    """A pattern with its trend as heights in percent, and the address of its lines."""
    highest = max([*pattern.trend, 1])
    heights = [round(20 * count / highest) for count in pattern.trend]
    query = f"{one.search.query} {pattern.query}" if " OR " not in one.search.query else pattern.query
    return {
        "pattern": pattern,
        "trend": [(index * 4, 20 - height, height) for index, height in enumerate(heights)],
        "url": f"{reverse('web:logs')}?{one.address(q=query.strip())}",
    }
