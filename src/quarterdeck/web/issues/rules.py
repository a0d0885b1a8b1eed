"""The page of the rules of grouping."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from quarterdeck.errors import rule_actions
from quarterdeck.web.forms import chosen, form_status, is_saved
from quarterdeck.web.issues.lists import tabs_of
from quarterdeck.web.pages import PageRequest, page


class RuleForm(forms.Form):
    """A rule of grouping."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=60)
    query = forms.CharField(
        label=gettext_lazy("Query"),
        max_length=2000,
        help_text=gettext_lazy("Which events: type:TimeoutError stack.module:shop.* tags.region:eu"),
    )
    fingerprint = forms.CharField(
        label=gettext_lazy("Fingerprint"),
        max_length=1000,
        help_text=gettext_lazy("Parts with commas between; {{ service }}, {{ type }}, {{ tags.x }} stand for values."),
    )
    position = forms.IntegerField(label=gettext_lazy("Position"), initial=0, min_value=-1_000_000, max_value=1_000_000)
    is_enabled = forms.BooleanField(label=gettext_lazy("The rule is obeyed"), required=False, initial=True)


@require_http_methods(["GET", "POST"])
@page(rule_actions.RULES)
def rules(request: PageRequest) -> HttpResponse:
    """The rules, with a form that makes one or changes the one of `?rule=`."""
    found = rule_actions.rules(request.actor)
    if request.method == "POST":
        form = RuleForm(request.POST)
        if is_saved(form, lambda values: rule_actions.set_rule(request.actor, **values)):
            messages.success(request, _("The rule is saved. Groups that come from now on obey it."))
            return HttpResponseRedirect(reverse("web:issue_rules"))
    else:
        rule = chosen(found, "name", request.GET.get("rule", ""))
        names = ("name", "query", "fingerprint", "position", "is_enabled")
        form = RuleForm(initial={name: getattr(rule, name) for name in names} if rule else None)
    context: dict[str, Any] = {"rules": found, "form": form, "tabs": tabs_of(request, "rules")}
    return render(request, "web/issues/rules.html", context, status=form_status(form))


@require_POST
@page(rule_actions.RULES)
def delete(request: PageRequest, name: str) -> HttpResponse:
    rule_actions.delete_rule(request.actor, name)
    messages.success(request, _("The rule is deleted."))
    return HttpResponseRedirect(reverse("web:issue_rules"))
