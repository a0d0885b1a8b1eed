"""What changed about the series of a query: labels' values in a window and in the one before it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from quarterdeck.core.clock import now
from quarterdeck.core.errors import OpsError
from quarterdeck.monitoring import prometheus
from quarterdeck.telemetry.differing import Share
from quarterdeck.telemetry.promql.changing import Combine, LabelDifferences
from quarterdeck.telemetry.promql.errors import BadExpression
from quarterdeck.telemetry.promql.positions import located
from quarterdeck.telemetry.turns import turns
from quarterdeck.web.changed import group
from quarterdeck.web.formatting import with_unit
from quarterdeck.web.items.listing import marked
from quarterdeck.web.metrics.states import State, state_of
from quarterdeck.web.metrics.views import box_of, views_of
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.viewing import range_of, window_of


@require_GET
@page("telemetry.query")
def changed(request: PageRequest) -> HttpResponse:
    """The labels that differ most from the time before; `?of=1` compares the second query of the address."""
    state = state_of(request)
    of = _number(request, len(state.queries))
    query = state.queries[of] if state.queries else ""
    since, until = _times(request)
    context: dict[str, Any] = {
        "state": state,
        "box": box_of(0, query, state),
        "queries": [
            (one, _address(request, state, of=str(index)), index == of) for index, one in enumerate(state.queries)
        ],
        "views": views_of(state, is_changed=True),
        "ways": [(way, title, _address(request, state, combine=way)) for way, title in _ways().items()],
        "since": since,
        "until": until,
        "chart": _chart(query, since, until),
        "here": reverse("web:metrics_changed") + f"?{urlencode({'q': query})}",
    }
    if not query:
        return render(request, "web/metrics/changed.html", context)
    try:
        found = _asked(request, query, since, until)
    except BadExpression as error:
        told = located(query, error)
        context["box"] |= {"error": told, "marked": marked(query, told)}
        return render(request, "web/metrics/changed.html", context, status=error.status)
    except OpsError as error:
        return render(request, "web/metrics/changed.html", context | {"unavailable": error}, status=error.status)
    return render(request, "web/metrics/changed.html", context | _shown(request, state, of, found))


def _number(request: PageRequest, count: int) -> int:
    text = request.GET.get("of", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 3 and int(text) < count else 0


def _times(request: PageRequest) -> tuple[datetime, datetime]:
    if window := window_of(request):
        since, until = (datetime.fromtimestamp(ms / 1000, UTC) for ms in window)
        return since, until
    return range_of(request).since, now()


def _asked(request: PageRequest, query: str, since: datetime, until: datetime) -> LabelDifferences:
    ask = prometheus.changed(request.actor, query, since, until, combine=request.GET.get("combine", ""))
    with turns.place(ask.caller):
        return cast("LabelDifferences", ask.answer())


def _shown(request: PageRequest, state: State, of: int, found: LabelDifferences) -> dict[str, Any]:
    def address(query: str) -> str:
        changes = {"q": list(state.with_text(of, query))}
        return f"{reverse('web:metrics_changed')}?{urlencode(_kept(request) | changes, doseq=True)}"

    def values(share: Share) -> str:
        return f"{with_unit(share.before, found.unit)} → {with_unit(share.now, found.unit)}"

    groups = [group(one, one.field, lambda _label, value: value, address, values) for one in found.fields]
    return {"found": found, "groups": groups, "sum": _sum(found)}


def _sum(found: LabelDifferences) -> str:
    """What all series make together, in a sentence."""
    values = {
        "n": found.series,
        "now": with_unit(found.now or 0.0, found.unit),
        "before": with_unit(found.before or 0.0, found.unit),
    }
    sentences: dict[Combine, str] = {
        "sum": ngettext(
            "%(n)d series makes %(now)s, it made %(before)s before.",
            "%(n)d series make %(now)s together, they made %(before)s before.",
            found.series,
        ),
        "mean": ngettext(
            "%(n)d series is at %(now)s, it was at %(before)s before.",
            "%(n)d series are at %(now)s on average, they were at %(before)s before.",
            found.series,
        ),
        "count": _("There are %(now)s series, there were %(before)s before."),
    }
    return sentences[found.combine] % values


def _ways() -> dict[str, str]:
    return {"sum": _("Sums"), "mean": _("Means"), "count": _("Number of series")}


def _kept(request: PageRequest) -> dict[str, Any]:
    """What stays in the address."""
    return {name: request.GET[name] for name in ("since", "until", "range", "of", "combine") if request.GET.get(name)}


def _address(request: PageRequest, state: State, **changes: str) -> str:
    return "?" + urlencode(_kept(request) | {"q": list(state.queries)} | changes, doseq=True)


def _chart(query: str, since: datetime, until: datetime) -> str:
    """The address of the drawing: both times."""
    start = since - (until - since)
    ends = {"since": round(start.timestamp() * 1000), "until": round(until.timestamp() * 1000)}
    return f"{reverse('web:metrics_data')}?{urlencode({'q': query, **ends})}"
