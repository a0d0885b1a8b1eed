"""Making and changing schedules, and what a button does with one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from msgspec.structs import replace

from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, OpsError
from quarterdeck.jobs.schedules import actions, queries
from quarterdeck.jobs.schedules.actions import VERB
from quarterdeck.jobs.schedules.definitions import Plan, read
from quarterdeck.jobs.schedules.times import rhythm_of, zones
from quarterdeck.jobs.templates import definitions
from quarterdeck.jobs.templates.definitions import Definition, shown
from quarterdeck.jobs.templates.queries import template_of, templates
from quarterdeck.web.forms import errors_into, form_status, posted
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.schedules.forms import ScheduleForm, lines_of
from quarterdeck.web.schedules.views import local_times


@require_http_methods(["GET", "HEAD", "POST"])
@page(VERB)
def new(request: PageRequest) -> HttpResponseBase:
    """The form of a command, or of the template that the address names."""
    plan = Plan(template=request.GET.get("template", ""), query=request.GET.get("q", ""), cron="0 3 * * *")
    form, definition = _form_of(request, plan, is_new=True)
    if form.is_valid():
        with errors_into(form):
            saved = actions.save_schedule(request.actor, form.cleaned_data["name"], form.plan(), version=0)
            return redirect("web:schedule", saved.name)
    chooses = [(one.name, shown(one.definition["title"])) for one in templates(request.actor)]
    return _form(request, form, plan, definition, _("New schedule"), reverse("web:schedules"), templates=chooses)


@require_http_methods(["GET", "HEAD", "POST"])
@page(VERB)
def edit(request: PageRequest, name: str) -> HttpResponseBase:
    found = queries.schedule_of(request.actor, name)
    plan = read(found.plan)
    form, definition = _form_of(request, plan, is_new=False)
    given = request.POST.get("version", "")
    version = int(given) if given.isdecimal() and len(given) < 10 else found.version
    if form.is_valid():
        with errors_into(form):
            actions.save_schedule(request.actor, name, form.plan(), version=version)
            messages.success(request, _("The schedule is saved; it runs with your rights."))
            return redirect("web:schedule", name)
    return _form(request, form, plan, definition, name, reverse("web:schedule", args=[name]), version=version)


def _form_of(request: PageRequest, plan: Plan, *, is_new: bool) -> tuple[ScheduleForm, Definition | None]:
    definition = definitions.read(template_of(request.actor, plan.template).definition) if plan.template else None
    survey = definition.survey if definition else []
    form = ScheduleForm(
        posted(request)[0],
        initial=ScheduleForm.initial_of(plan, survey),
        actor=request.actor,
        survey=survey,
        plan=replace(plan, cron="") if is_new else plan,
        is_new=is_new,
    )
    return form, definition


def _form(
    request: PageRequest, form: ScheduleForm, plan: Plan, definition: Definition | None, heading: str, back: str,
    **more: Any,
) -> HttpResponse:  # fmt: skip
    when = {"name", "rhythm", "when", "time_zone", "not_on", "missed", "overlap", "reason", "query"}
    context = {
        "form": form,
        "what": [field for field in form if field.name not in when],
        "plan": plan,
        "template_query": definition.query if definition else "",
        "heading": heading,
        "back": back,
        **more,
    }
    return render(request, "web/schedules/form.html", context, status=form_status(form))


@require_GET
@page(VERB)
def times(request: PageRequest) -> HttpResponse:
    """When a schedule would be due, for who is about to write one."""
    given = {name: request.GET.get(name, "")[:255].strip() for name in ("rhythm", "when", "time_zone")}
    if given["rhythm"] not in ("cron", "every", "at") or not given["when"]:
        return render(request, "web/schedules/times.html", {})
    zone = given["time_zone"] if given["time_zone"] in zones() else "UTC"
    not_on = lines_of(request.GET.get("not_on", "")[:20_000])
    try:
        plan = read({given["rhythm"]: given["when"], "time_zone": zone, "not_on": not_on})
        upcoming = rhythm_of(plan, now()).upcoming(now(), queries.SHOWN)
    except OpsError as error:
        return render(request, "web/schedules/times.html", {"error": error})
    context = {"upcoming": local_times(upcoming, zone), "is_never": not upcoming}
    return render(request, "web/schedules/times.html", context)


@require_POST
@page("jobs.view")
def act(request: PageRequest, name: str) -> HttpResponseBase:
    """Switch on or off, start now, or delete, whichever button it was."""
    what = request.POST.get("act", "")
    if what in ("enable", "disable"):
        actions.switch_schedule(request.actor, name, is_enabled=what == "enable")
    elif what == "run":
        return redirect("web:run", actions.run_schedule(request.actor, name).pk)
    elif what == "delete":
        actions.delete_schedule(request.actor, name)
        messages.success(request, _("The schedule is deleted; its runs stay."))
        return redirect("web:schedules")
    else:
        raise BadInput(_("There is no such operation."), hint="enable, disable, run, delete")
    return redirect("web:schedule", name)
