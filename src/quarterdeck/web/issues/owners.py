"""The page of the rules that say whose issues are, with a box to try them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from quarterdeck.core.errors import BadInput
from quarterdeck.errors import owner_actions, owning
from quarterdeck.errors.artifacts.actions import PROJECT_MAX
from quarterdeck.errors.models import Ownership
from quarterdeck.web.forms import chosen, form_status, is_saved
from quarterdeck.web.issues.lists import tabs_of
from quarterdeck.web.pages import PageRequest, page


class OwnersForm(forms.Form):
    """The rules of a project."""

    project = forms.IntegerField(
        label=gettext_lazy("Project"),
        min_value=0,
        max_value=PROJECT_MAX,
        help_text=gettext_lazy("The number at the end of the DSN."),
    )
    text = forms.CharField(
        label=gettext_lazy("Rules"),
        max_length=owning.TEXT_MAX,
        required=False,
        strip=False,
        widget=forms.Textarea({"rows": 14, "class": "form-control font-mono", "spellcheck": "false"}),
        help_text=gettext_lazy("path:src/payments/* ann #payments; the last line that matches counts."),
    )
    assigns = forms.BooleanField(label=gettext_lazy("Assign new issues to their owner"), required=False, initial=True)


@require_http_methods(["GET", "POST"])
@page(owner_actions.OWNERS)
def owners(request: PageRequest) -> HttpResponse:
    """The rules of `?project=`; `?try=` says what an event has."""
    found = owner_actions.ownerships(request.actor)
    if request.method == "POST":
        form = OwnersForm(request.POST)
        if is_saved(form, lambda values: owner_actions.set_owners(request.actor, **values)):
            messages.success(request, _("The rules are saved. Issues that are new from now on obey them."))
            address = reverse("web:issue_owners")
            return HttpResponseRedirect(f"{address}?{urlencode({'project': form.cleaned_data['project']})}")
        project = str(request.POST.get("project", ""))
    else:
        project, form = _chosen(request, found)
    context: dict[str, Any] = {
        "ownerships": found,
        "project": project,
        "form": form,
        "tabs": tabs_of(request, "owners"),
        **_tried(request, project),
    }
    return render(request, "web/issues/owners.html", context, status=form_status(form))


def _chosen(request: PageRequest, found: list[Ownership]) -> tuple[str, OwnersForm]:
    """Return the project and its form: the asked one, else the first that has rules."""
    project = request.GET.get("project", "")
    if not project.isdecimal() or len(project) > 18:
        project = str(found[0].project) if found else ""
    row = chosen(found, "project", project)
    initial = {"project": project, "text": row.text if row else "", "assigns": row.assigns if row else True}
    return project, OwnersForm(initial=initial)


def _tried(request: PageRequest, project: str) -> dict[str, Any]:
    text = request.GET.get("try", "")
    if not text or not project.isdecimal():
        return {}
    try:
        return {"tried": text, "rule": owner_actions.tried(request.actor, int(project), text)}
    except BadInput as error:
        return {"tried": text, "problem": error}
