"""The forms that start a run: a command or a script, files to hosts, files from hosts, a playbook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO, cast

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from quarterdeck.access.checks import may
from quarterdeck.access.vault.queries import credentials
from quarterdeck.core.errors import OpsError
from quarterdeck.jobs.files.actions import SHA256, upload
from quarterdeck.jobs.runs import actions, queries
from quarterdeck.jobs.runs.planning import chosen
from quarterdeck.web.forms import errors_into, form_status, posted
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.runs.forms import PlaybookForm, PullForm, PushForm, RunForm, WaysForm

Form = RunForm | PushForm | PullForm | PlaybookForm
_NAMES_SHOWN = 12


@require_http_methods(["GET", "HEAD", "POST"])
@page("jobs.run")
def new(request: PageRequest) -> HttpResponseBase:
    """The form, filled in as the address says: with a query, or as a run before."""
    form = RunForm(*posted(request), initial=_initial(request, RunForm), credentials=_credentials(request))
    return _started(request, form, form.work) or _shown(request, form)


@require_http_methods(["GET", "HEAD", "POST"])
@page("jobs.run")
def new_push(request: PageRequest) -> HttpResponseBase:
    """Files are stored whatever else is wrong in the form, so that nobody has to choose them again."""
    form = PushForm(*posted(request), initial=_initial(request, PushForm), credentials=_credentials(request))
    kept = _kept(request)
    if form.is_bound:
        form.full_clean()
        with errors_into(form):
            kept += [_uploaded(request, file) for file in request.FILES.getlist("files")]
    return _started(request, form, lambda: form.work(kept)) or _shown(request, form, kept=kept)


@require_http_methods(["GET", "HEAD", "POST"])
@page("jobs.run")
def new_pull(request: PageRequest) -> HttpResponseBase:
    form = PullForm(*posted(request), initial=_initial(request, PullForm), credentials=_credentials(request))
    return _started(request, form, form.work) or _shown(request, form)


@require_http_methods(["GET", "HEAD", "POST"])
@page("jobs.run_local")
def new_playbook(request: PageRequest) -> HttpResponseBase:
    """What Ansible plays can run on the worker too, which takes a right of its own."""
    form = PlaybookForm(*posted(request), initial=_initial(request, PlaybookForm), credentials=_credentials(request))
    return _started(request, form, form.work) or _shown(request, form)


def _credentials(request: PageRequest) -> list[str]:
    if not may(request.actor, "credentials.view"):
        return []
    return list(credentials(request.actor).values_list("name", flat=True))


def _started(
    request: PageRequest, form: RunForm | PushForm | PullForm | PlaybookForm, work: Any
) -> HttpResponseBase | None:
    if form.is_valid():
        with errors_into(form):
            query, options = form.cleaned_data["query"], form.options()
            run = actions.start_run(request.actor, form.runner, work(), query, options)
            return redirect("web:run", run.pk)
    return None


def _shown(request: PageRequest, form: WaysForm, **more: Any) -> HttpResponse:
    query = form["query"].value() or ""
    context = {"form": form, "query": query, "tabs": _tabs(request, query), **_hosts(request, query), **more}
    return render(request, "web/runs/new.html", context, status=form_status(form))


def _tabs(request: PageRequest, query: str) -> list[dict[str, Any]]:
    pages = [("run_new", _("Command")), ("run_new_push", _("Push files")), ("run_new_pull", _("Pull files"))]
    if may(request.actor, "jobs.run_local"):
        pages.append(("run_new_playbook", _("Ansible")))
    tail = f"?{urlencode({'q': query})}" if query else ""
    found = [(reverse(f"web:{name}"), title) for name, title in pages]
    return [{"title": title, "url": url + tail, "current": request.path == url} for url, title in found]


def _initial(request: PageRequest, form: type[Form]) -> dict[str, Any]:
    again = request.GET.get("again", "")
    if not again.isdecimal():
        return {"query": request.GET.get("q", ""), "command": request.GET.get("command", "")}
    before = queries.run_of(request.actor, int(again))
    options = actions.options_of(before)
    same = {name: getattr(options, name) for name in ("becomes", "credential", "at_once", "is_check")}
    seconds = f"{options.timeout_seconds:g}s" if options.timeout_seconds else ""
    return {"query": before.query, "timeout": seconds, **form.initial_of(before.work), **same}


def _kept(request: PageRequest) -> list[dict[str, str]]:
    """Return the files that were uploaded already: of the posted form, or of the run that is done again."""
    if request.method == "POST":
        pairs = [text.partition(" ") for text in request.POST.getlist("kept")]
        return [{"sha256": sha256, "name": name} for sha256, _space, name in pairs if SHA256.fullmatch(sha256)]
    again = request.GET.get("again", "")
    if not again.isdecimal():
        return []
    files: Sequence[dict[str, str]] = queries.run_of(request.actor, int(again)).work.get("files", ())
    return [{"sha256": file["sha256"], "name": file["name"]} for file in files]


def _uploaded(request: PageRequest, file: Any) -> dict[str, str]:
    name = file.name or ""
    return {"sha256": upload(request.actor, name, cast(BinaryIO, file.file)).sha256, "name": name}


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
