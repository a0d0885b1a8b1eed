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
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from quarterdeck.access.checks import may
from quarterdeck.access.vault.queries import credentials
from quarterdeck.core.errors import BadInput, OpsError
from quarterdeck.jobs.runs import actions, approving, queries
from quarterdeck.jobs.runs.models import Run, RunState
from quarterdeck.jobs.runs.planning import chosen
from quarterdeck.web.forms import errors_into, form_status, posted
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.paging import newest_first
from quarterdeck.web.runs.forms import RunForm
from quarterdeck.web.runs.live import context_of
from quarterdeck.web.runs.tallies import Tally

_FILTERS = (
    ("", gettext_noop("All")),
    ("running,queued,cancelling,stopping", gettext_noop("Running")),
    ("paused,approval", gettext_noop("Waiting for a word")),
    ("failed,stopped", gettext_noop("Failed")),
    ("succeeded", gettext_noop("Succeeded")),
)
_NAMES_SHOWN = 12
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


@require_http_methods(["GET", "HEAD", "POST"])
@page("jobs.run")
def new(request: PageRequest) -> HttpResponseBase:
    """The form, filled in as the address says: with a query, or as a run before."""
    names = (
        list(credentials(request.actor).values_list("name", flat=True))
        if may(request.actor, "credentials.view")
        else []
    )
    form = RunForm(posted(request)[0], initial=_initial(request), credentials=names)
    if form.is_valid():
        with errors_into(form):
            run = actions.start_run(request.actor, "ssh", form.work(), form.cleaned_data["query"], form.options())
            return redirect("web:run", run.pk)
    query = form["query"].value() or ""
    context = {"form": form, "query": query, **_hosts(request, query)}
    return render(request, "web/runs/new.html", context, status=form_status(form))


def _initial(request: PageRequest) -> dict[str, Any]:
    again = request.GET.get("again", "")
    if not again.isdecimal():
        return {"query": request.GET.get("q", ""), "command": request.GET.get("command", "")}
    before = queries.run_of(request.actor, int(again))
    options = actions.options_of(before)
    same = {name: getattr(options, name) for name in ("becomes", "credential", "at_once")}
    work = {name: before.work.get(name, "") for name in ("command", "script")}
    seconds = f"{options.timeout_seconds:g}s" if options.timeout_seconds else ""
    arguments = "\n".join(before.work.get("arguments", ()))
    return {"query": before.query, "timeout": seconds, "arguments": arguments, **work, **same}


@require_GET
@page("jobs.run")
def chosen_hosts(request: PageRequest) -> HttpResponse:
    """What a query selects, for who is about to run something there."""
    return render(request, "web/runs/hosts_chosen.html", _hosts(request, request.GET.get("query", "")[:20_000]))


def _hosts(request: PageRequest, query: str) -> dict[str, Any]:
    if not query.strip():
        return {}
    try:
        hosts = chosen(request.actor, query)
    except OpsError as error:
        return {"hosts_error": error}
    return {"hosts_count": len(hosts), "hosts_names": [host.name for host in hosts[:_NAMES_SHOWN]],
            "hosts_more": max(0, len(hosts) - _NAMES_SHOWN)}  # fmt: skip


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
