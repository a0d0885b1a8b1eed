"""Pages of job templates: the list with the library, one with its form, and its file."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from quarterdeck.access.checks import may, require
from quarterdeck.core import yamls
from quarterdeck.jobs.runners import runners
from quarterdeck.jobs.runs.queries import counts_by_run, run_of, runs
from quarterdeck.jobs.templates import actions, queries
from quarterdeck.jobs.templates.actions import VERB
from quarterdeck.jobs.templates.definitions import Definition, read, shown
from quarterdeck.web.forms import errors_into, form_status, posted
from quarterdeck.web.job_templates.forms import StartForm, TemplateForm
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.runs.tallies import Tally

_LAST_RUNS = 5
_EXAMPLE = """\
title: {en: Restart a service, zh-hans: 重启服务}
runner: ssh
work:
  command: systemctl restart -- "$service"
query: type:host role:web
options: {batch: "1,10%", becomes: true, timeout_seconds: 300}
survey:
- name: service
  label: {en: Service, zh-hans: 服务}
  required: true
  regex: '[A-Za-z0-9][\\w.@-]*'
"""


@require_GET
@page("jobs.view")
def listing(request: PageRequest) -> HttpResponse:
    mine = list(queries.templates(request.actor))
    taken = {one.name for one in mine}
    rows = [_shown(one.name, read(one.definition)) | {"template": one} for one in mine]
    library = [
        _shown(one.name, read(one.definition)) for one in queries.library(request.actor) if one.name not in taken
    ]
    context = {"rows": rows, "library": library, "may_change": may(request.actor, VERB)}
    return render(request, "web/job_templates/list.html", context)


def _shown(name: str, definition: Definition) -> dict[str, Any]:
    return {
        "name": name,
        "title": shown(definition.title),
        "description": shown(definition.description),
        "query": definition.query,
        "runner": runners()[definition.runner].title if definition.runner in runners() else definition.runner,
        "questions": len(definition.survey),
    }


@require_http_methods(["GET", "HEAD", "POST"])
@page("jobs.view")
def template(request: PageRequest, name: str) -> HttpResponseBase:
    """The form that a template's questions make; sent, it starts a run."""
    found = queries.template_of(request.actor, name)
    definition = read(found.definition)
    may_run = may(request.actor, "jobs.run")
    how = runners().get(definition.runner)
    form = StartForm(
        posted(request)[0],
        initial=_initial(request, definition),
        actor=request.actor,
        definition=definition,
        can_check=bool(how and how.checks and not definition.options.is_check),
    )
    if request.method == "POST":
        require(request.actor, "jobs.run")
        if form.is_valid():
            with errors_into(form):
                values = form.cleaned_data
                run = actions.start_template(
                    request.actor, name, form.answers, query=values["query"],
                    is_check=values.get("is_check", False), reason=values["reason"],
                )  # fmt: skip
                return redirect("web:run", run.pk)
    last = list(runs(request.actor, template=name)[:_LAST_RUNS])
    counts = counts_by_run(last)
    context = {
        **_shown(name, definition),
        "template": found,
        "form": form,
        "definition": definition,
        "text": yamls.written(queries.definition_of(request.actor, found)),
        "may_run": may_run,
        "may_change": may(request.actor, VERB),
        "may_schedule": may_run and may(request.actor, "jobs.schedules"),
        "runs": [(run, Tally(counts[run.pk])) for run in last],
    }
    return render(request, "web/job_templates/template.html", context, status=form_status(form))


def _initial(request: PageRequest, definition: Definition) -> dict[str, Any]:
    again = request.GET.get("again", "")
    if not again.isdecimal() or len(again) > 18:
        return {"query": request.GET.get("q", ""), **StartForm.initial_of(definition.survey, {})}
    before = run_of(request.actor, int(again))
    query = "" if definition.query else before.query
    return {"query": query, **StartForm.initial_of(definition.survey, before.answers)}


@require_http_methods(["GET", "HEAD", "POST"])
@page(VERB)
def new(request: PageRequest) -> HttpResponseBase:
    form = TemplateForm(posted(request)[0], initial={"definition": _EXAMPLE}, is_new=True)
    if form.is_valid():
        with errors_into(form):
            values = form.cleaned_data
            saved = actions.save_template(request.actor, values["name"], values["definition"], version=0)
            return redirect("web:template", saved.name)
    return _form(request, form, _("New template"), reverse("web:templates"))


@require_http_methods(["GET", "HEAD", "POST"])
@page(VERB)
def edit(request: PageRequest, name: str) -> HttpResponseBase:
    found = queries.template_of(request.actor, name)
    form = TemplateForm(posted(request)[0], initial={"definition": yamls.written(found.definition)}, is_new=False)
    given = request.POST.get("version", "")
    version = int(given) if given.isdecimal() and len(given) < 10 else found.version
    if form.is_valid():
        with errors_into(form):
            actions.save_template(request.actor, name, form.cleaned_data["definition"], version=version)
            messages.success(request, _("The template is saved."))
            return redirect("web:template", name)
    return _form(request, form, name, reverse("web:template", args=[name]), version=version)


def _form(request: PageRequest, form: TemplateForm, heading: str, back: str, **more: Any) -> HttpResponse:
    context = {"form": form, "heading": heading, "back": back, **more}
    return render(request, "web/job_templates/form.html", context, status=form_status(form))


@require_GET
@page("jobs.view")
def export(request: PageRequest, name: str) -> HttpResponse:
    """The file that `qd templates apply` takes."""
    found = queries.template_of(request.actor, name)
    text = yamls.written({"name": name, **queries.definition_of(request.actor, found)})
    file = HttpResponse(text, content_type="application/yaml; charset=utf-8")
    file.headers["Content-Disposition"] = f'attachment; filename="{name}.yaml"'
    return file


@require_POST
@page(VERB)
def take(request: PageRequest, name: str) -> HttpResponse:
    taken = actions.take_from_library(request.actor, name)
    messages.success(request, _("The template is taken; change it as you need it."))
    return redirect("web:template", taken.name)


@require_POST
@page(VERB)
def delete(request: PageRequest, name: str) -> HttpResponse:
    actions.delete_template(request.actor, name)
    messages.success(request, _("The template is deleted; its runs stay."))
    return HttpResponseRedirect(reverse("web:templates"))
