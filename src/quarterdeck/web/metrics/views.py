"""The metrics explorer: PromQL over the time range of the shell, drawn, listed, compared, shared."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from quarterdeck.access.checks import may
from quarterdeck.core.errors import BadInput, Unavailable
from quarterdeck.monitoring import prometheus
from quarterdeck.telemetry.promql.errors import BadExpression
from quarterdeck.telemetry.promql.parsing import parse
from quarterdeck.telemetry.promql.positions import located
from quarterdeck.telemetry.samples import is_counter
from quarterdeck.telemetry.turns import turns
from quarterdeck.web.items.listing import marked
from quarterdeck.web.metrics import completing
from quarterdeck.web.metrics.answers import EXPORTED_MAX, as_json, found, grid_between, grid_of
from quarterdeck.web.metrics.exporting import as_csv
from quarterdeck.web.metrics.states import QUERIES_MAX, REFRESHES_SECONDS, VIEWS, State, state_of
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.viewing import range_of, window_of

_PROPOSED_MAX = 60


@require_GET
@page("telemetry.query")
def metrics(request: PageRequest) -> HttpResponse:
    """The boxes and what draws their answers; without a query, the metrics to begin with."""
    state = state_of(request)
    boxes = [box_of(index, query, state) for index, query in enumerate(state.queries)]
    is_adding = "add" in request.GET and len(boxes) < QUERIES_MAX
    if is_adding or not boxes:
        boxes.append({"id": f"q{len(boxes)}", "query": "", "without": "", "is_new": is_adding})
    context: dict[str, Any] = {
        "state": state,
        "boxes": boxes,
        "may_add": len(boxes) < QUERIES_MAX and state.queries and not is_adding,
        "views": views_of(state),
        "refreshes": REFRESHES_SECONDS,
        "parameters": state.parameters(),
        "shared": request.build_absolute_uri(state.address(range_code=range_of(request).code)),
    }
    if not state.queries:
        context |= _proposals(request)
    return render(request, "web/metrics/explorer.html", context)


def box_of(index: int, query: str, state: State) -> dict[str, Any]:
    """Return what a query's box shows."""
    box: dict[str, Any] = {"id": f"q{index}", "query": query, "error_id": f"q{index}-error"}
    box["without"] = state.without_query(index)
    try:
        parse(query)
    except BadExpression as error:
        told = located(query, error)
        box |= {"error": told, "marked": marked(query, told)}
    return box


def views_of(state: State, *, is_changed: bool = False) -> list[dict[str, Any]]:
    """Return the tabs: how answers are drawn, and what changed."""
    drawn = [
        {"title": title, "url": state.address(view=code), "current": code == state.view and not is_changed}
        for code, title in VIEWS.items()
    ]
    return [*drawn, {"title": _("Changed?"), "url": state.changed_address(), "current": is_changed}]


def _proposals(request: PageRequest) -> dict[str, Any]:
    """The names of metrics, each with the query that it is usually looked at with."""
    ask = prometheus.label_values(request.actor, "__name__", limit=_PROPOSED_MAX + 1)
    try:
        with turns.place(ask.caller):
            names: list[str] = ask.answer()
    except Unavailable as error:
        return {"unavailable": error}
    proposals = [(name, f"rate({name}[5m])" if is_counter(name) else name) for name in names[:_PROPOSED_MAX]]
    return {
        "proposals": [(name, State((query,)).address()) for name, query in proposals],
        "has_more": len(names) > _PROPOSED_MAX,
        "may_connect": may(request.actor, "telemetry.intake"),
    }


@require_GET
@page("telemetry.query")
def data(request: PageRequest) -> JsonResponse:
    """The series of the address's queries, in its window or the page's range; see islands/explorer.ts."""
    state = state_of(request)
    window = window_of(request)
    grid = grid_between(*window) if window else grid_of(range_of(request))
    answer = JsonResponse(as_json(request.actor, state, found(request.actor, state, grid)))
    answer.headers["Cache-Control"] = "no-store"
    return answer


@require_GET
@page("telemetry.query")
def completions(request: PageRequest) -> JsonResponse:
    """What may stand at the cursor: `[{"text": "up", "hint": "metric", "start": 0, "end": 1}]`."""
    text, cursor = request.GET.get("text", ""), request.GET.get("cursor", "")
    at = int(cursor) if cursor.isdecimal() and len(cursor) < 7 else len(text)
    return JsonResponse([asdict(one) for one in completing.completions(request.actor, text, at)], safe=False)


@require_GET
@page("telemetry.query")
def export(request: PageRequest) -> HttpResponse:
    """The series as CSV. A query that fails is an error, not a file without it."""
    state = state_of(request)
    if not state.queries:
        raise BadInput(_("There is no query."), hint=_("Write one on the page of the metrics."), field="q")
    answer = found(request.actor, state, grid_of(range_of(request)), EXPORTED_MAX)
    for error in answer.errors.values():
        raise error
    if answer.left_out:
        raise BadInput(
            _("A file takes %(max)d series, these are %(found)d.")
            % {"max": EXPORTED_MAX, "found": EXPORTED_MAX + answer.left_out},
            hint=_("Narrow the query, or combine series with sum by (...)."),
        )
    file = HttpResponse(as_csv(state, answer), content_type="text/csv; charset=utf-8")
    file.headers["Content-Disposition"] = 'attachment; filename="metrics.csv"'
    file.headers["Cache-Control"] = "no-store"
    return file
