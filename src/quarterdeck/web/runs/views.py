"""Pages of runs: the list, the form, one run, and what is done with it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_GET, require_POST

from quarterdeck.access.checks import may
from quarterdeck.core.errors import BadInput
from quarterdeck.jobs.runs import actions, approving, queries
from quarterdeck.jobs.runs.models import Run, RunState
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.paging import newest_first
from quarterdeck.web.runs.live import context_of
from quarterdeck.web.runs.tallies import Tally

_FILTERS = (
    ("", gettext_noop("All")),
    ("running,queued,cancelling,stopping", gettext_noop("Running")),
    ("paused,approval", gettext_noop("Waiting for a word")),
    ("failed,stopped", gettext_noop("Failed")),
    ("succeeded", gettext_noop("Succeeded")),
)
_ACTS = {
    "cancel": actions.cancel_run,
    "pause": actions.pause_run,
    "resume": actions.resume_run,
    "retry": actions.retry_run,
}
_DECISIONS = {"approve": approving.approve_run, "refuse": approving.refuse_run}


@require_GET
@page("jobs.view")
def runs(request: PageRequest) -> HttpResponse:
    state, text = request.GET.get("state", ""), request.GET.get("q", "")[:200]
    found = queries.runs(request.actor, states=[name for name in state.split(",") if name], text=text)
    rows, cursor = newest_first(found, request.GET.get("after", ""))
    counts = queries.counts_by_run(rows)
    context = {
        "rows": [(run, Tally(counts[run.pk])) for run in rows],
        "next_cursor": cursor,
        "query": text,
        "filters": _filters(state),
        "is_empty": not rows and not queries.runs(request.actor).exists(),
        "may_run": may(request.actor, "jobs.run"),
    }
    return render(request, "web/runs/list.html", context)


def _filters(state: str) -> list[dict[str, Any]]:
    address = reverse("web:runs")
    return [
        {"title": _(title), "url": f"{address}?{urlencode({'state': states})}", "current": states == state}
        for states, title in _FILTERS
    ]


@require_GET
@page("jobs.view")
def run(request: PageRequest, pk: int) -> HttpResponse:
    found = queries.run_of(request.actor, pk)
    return render(request, "web/runs/run.html", context_of(request, found))


@require_POST
@page("jobs.run")
def act(request: PageRequest, pk: int) -> HttpResponseBase:
    """Cancel, pause, resume or retry, whichever button it was."""
    what = request.POST.get("act", "")
    if what not in _ACTS:
        raise BadInput(_("There is no such operation."), hint=", ".join(_ACTS))
    done: Run = _ACTS[what](request.actor, pk)
    if done.state == RunState.CANCELLING:
        messages.info(request, _("It is being cancelled: what runs on the hosts is ended."))
    return redirect("web:run", done.pk)


@require_POST
@page(approving.VERB)
def decide(request: PageRequest, pk: int) -> HttpResponseBase:
    """The second person's word on a run that waits for it."""
    what = request.POST.get("act", "")
    if what not in _DECISIONS:
        raise BadInput(_("There is no such operation."), hint=", ".join(_DECISIONS))
    _DECISIONS[what](request.actor, pk, decision=request.POST.get("decision", ""))
    return redirect("web:run", pk)
