"""Changing dashboards: new ones, files, settings, panels, earlier versions."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from quarterdeck.core.errors import BadInput
from quarterdeck.monitoring.dashboards import actions, editing, importing, queries
from quarterdeck.monitoring.dashboards.actions import VERB
from quarterdeck.monitoring.dashboards.definitions import Panel, read
from quarterdeck.web.dashboards.forms import ImportForm, NewForm, PanelForm, SettingsForm
from quarterdeck.web.dashboards.reading import panel_of
from quarterdeck.web.forms import errors_into, form_status, posted
from quarterdeck.web.pages import PageRequest, page

FILE_MAX_BYTES = 5 << 20


def _to_board(slug: str, *, is_editing: bool = True) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("web:dashboard", args=[slug]) + ("?edit=1" if is_editing else ""))


def _form(request: PageRequest, form: Any, **context: Any) -> HttpResponse:
    return render(request, "web/dashboards/form.html", {"form": form, **context}, status=form_status(form))


@require_http_methods(["GET", "HEAD", "POST"])
@page(VERB)
def new(request: PageRequest) -> HttpResponseBase:
    form = NewForm(posted(request)[0])
    if form.is_valid():
        title = form.cleaned_data["title"]
        slug = form.cleaned_data["slug"] or actions.free_slug(title)
        with errors_into(form):
            return _to_board(actions.save_dashboard(request.actor, slug, {"title": title}, version=0).slug)
    back = reverse("web:dashboards")
    return _form(request, form, heading=_("New dashboard"), submit=_("Make the dashboard"), back=back)


@require_http_methods(["GET", "HEAD", "POST"])
@page(VERB)
def import_file(request: PageRequest) -> HttpResponseBase:
    """Take a file; where something of it could not be taken, a page tells what."""
    form = ImportForm(*posted(request))
    if form.is_valid():
        with errors_into(form):
            file = form.cleaned_data["file"]
            if file.size > FILE_MAX_BYTES:
                raise BadInput(_("The file is too large."), hint=_("At most 5 MB are taken."), field="file")
            found = importing.import_text(request.actor, file.read(), file.name, slug=form.cleaned_data["slug"])
            if found.notes:
                return render(request, "web/dashboards/imported.html", {"imported": found})
            messages.success(request, _('The dashboard "%(title)s" is saved.') % {"title": found.dashboard.title})
            return _to_board(found.dashboard.slug, is_editing=False)
    back = reverse("web:dashboards")
    return _form(request, form, heading=_("Import a dashboard"), submit=_("Import"), back=back, is_file=True)


@require_http_methods(["GET", "HEAD", "POST"])
@page(VERB)
def settings(request: PageRequest, slug: str) -> HttpResponseBase:
    dashboard = queries.dashboard(request.actor, slug)
    form = SettingsForm(posted(request)[0], initial=SettingsForm.initial_of(dashboard.definition))
    if form.is_valid():
        with errors_into(form):
            values = {**dashboard.definition, **form.cleaned_data}
            actions.save_dashboard(request.actor, slug, values, note=_("settings"), version=_version(request))
            return _to_board(slug)
    back = reverse("web:dashboard", args=[slug]) + "?edit=1"
    heading = _("Settings of %(title)s") % {"title": dashboard.title}
    return _form(
        request, form, heading=heading, submit=_("Save"), back=back, version=_version(request) or dashboard.version
    )


def _version(request: PageRequest) -> int | None:
    """The version that the form was made of."""
    given = request.POST.get("version", "")
    return int(given) if given.isdecimal() and len(given) < 10 else None


@require_http_methods(["GET", "HEAD", "POST"])
@page(VERB)
def new_panel(request: PageRequest, slug: str) -> HttpResponseBase:
    dashboard = queries.dashboard(request.actor, slug)
    initial = PanelForm.initial_of(Panel(id=1))
    if query := request.GET.get("q", ""):
        initial["queries"] = query
    form = PanelForm(posted(request)[0], initial=initial)
    if form.is_valid():
        with errors_into(form):
            editing.add_panel(request.actor, slug, form.cleaned_data, _version(request))
            return _to_board(slug)
    return _panel_form(request, form, slug, _("New panel"), dashboard.version)


@require_http_methods(["GET", "HEAD", "POST"])
@page(VERB)
def panel(request: PageRequest, slug: str, number: int) -> HttpResponseBase:
    dashboard = queries.dashboard(request.actor, slug)
    now = panel_of(read(dashboard.definition), number)
    form = PanelForm(posted(request)[0], initial=PanelForm.initial_of(now))
    if form.is_valid():
        with errors_into(form):
            changes = dict(form.cleaned_data)
            changes["queries"] += [
                {"expr": one.expr, "legend": one.legend, "hidden": True} for one in now.queries if one.hidden
            ]
            editing.change_panel(request.actor, slug, number, changes, _version(request))
            return _to_board(slug)
    return _panel_form(request, form, slug, now.title or _("Panel"), dashboard.version)


def _panel_form(request: PageRequest, form: PanelForm, slug: str, heading: str, version: int) -> HttpResponse:
    back = reverse("web:dashboard", args=[slug]) + "?edit=1"
    return _form(request, form, heading=heading, submit=_("Save"), back=back, version=_version(request) or version)


@require_POST
@page(VERB)
def move(request: PageRequest, slug: str, number: int) -> JsonResponse:
    """Move a panel, or change its size: `x`, `y`, `w`, `h`, any of them. Answers the places of all."""
    place = {}
    for name in ("x", "y", "w", "h"):
        if (given := request.POST.get(name)) is not None:
            if not given.isdecimal() or len(given) > 6:
                raise BadInput(
                    _("%(name)s is no number") % {"name": name}, hint=_("A whole number from 0."), field=name
                )
            place[name] = int(given)
    dashboard = editing.move_panel(request.actor, slug, number, place, _version(request))
    return JsonResponse({"version": dashboard.version})


@require_POST
@page(VERB)
def remove(request: PageRequest, slug: str, number: int) -> HttpResponse:
    editing.remove_panel(request.actor, slug, number, _version(request))
    messages.success(request, _("The panel is removed. An earlier version brings it back."))
    return _to_board(slug)


@require_POST
@page(VERB)
def delete(request: PageRequest, slug: str) -> HttpResponse:
    actions.delete_dashboard(request.actor, slug)
    messages.success(request, _("The dashboard is deleted."))
    return HttpResponseRedirect(reverse("web:dashboards"))


@require_POST
@page(VERB)
def restore(request: PageRequest, slug: str, number: int) -> HttpResponse:
    actions.restore_dashboard(request.actor, slug, number)
    messages.success(request, _("Version %(number)d is the newest again.") % {"number": number})
    return _to_board(slug, is_editing=False)
