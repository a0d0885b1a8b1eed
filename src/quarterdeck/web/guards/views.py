"""Pages of guard rules: the list, one rule, and what a run that is being typed would meet."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from quarterdeck.access.checks import may
from quarterdeck.core.errors import OpsError
from quarterdeck.jobs.guards import actions, queries
from quarterdeck.jobs.guards.models import Applies, Ask
from quarterdeck.jobs.guards.patterns import patterns_of
from quarterdeck.jobs.runners import runners
from quarterdeck.web.forms import errors_into, form_status, posted
from quarterdeck.web.pages import PageRequest, page

_MONO = {"spellcheck": "false", "autocapitalize": "none", "autocomplete": "off", "class": "form-control font-monospace"}
# Of the rule that comes with the product: it is a row like any other, in English.
USUAL = (
    gettext_noop("Hard to undo"),
    gettext_noop("These commands are hard to undo; a reason keeps one from typing them in passing."),
)


class GuardForm(forms.Form):
    """A guard rule."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=100)
    description = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=500,
        required=False,
        help_text=gettext_lazy("Who meets the rule reads it."),
    )
    asks = forms.ChoiceField(label=gettext_lazy("It asks for"), choices=Ask.choices)
    commands = forms.CharField(
        label=gettext_lazy("Commands"),
        max_length=20_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 6, **_MONO}),
        help_text=gettext_lazy(
            "One pattern on a line: reboot, or rm -r /* for a call of rm with the option r and a word that begins with "
            "a slash. $ is a program whose name only the host knows. Empty: any work."
        ),
    )
    runners = forms.MultipleChoiceField(
        label=gettext_lazy("Only of these runners"), required=False, widget=forms.CheckboxSelectMultiple
    )
    query = forms.CharField(
        label=gettext_lazy("Only on these hosts"),
        max_length=20_000,
        required=False,
        widget=forms.TextInput(attrs=_MONO),
        help_text=gettext_lazy("A query: env:prod role:db. One such host is enough. Empty: any hosts."),
    )
    applies = forms.ChoiceField(label=gettext_lazy("It applies"), choices=Applies.choices)
    windows = forms.CharField(
        label=gettext_lazy("Windows of the week"),
        max_length=5000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "placeholder": "Mon-Fri 22:00-06:00", **_MONO}),
        help_text=gettext_lazy("One on a line: Mon-Fri 22:00-06:00, Sat,Sun or Daily 12:00-13:00."),
    )
    zone = forms.ChoiceField(label=gettext_lazy("Time zone of the windows"), initial="UTC")
    is_enabled = forms.BooleanField(label=gettext_lazy("Enabled"), required=False, initial=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["runners"].choices = [(name, one.title) for name, one in runners().items()]  # type: ignore[attr-defined]
        self.fields["zone"].choices = [(zone, zone) for zone in sorted(available_timezones())]  # type: ignore[attr-defined]

    def rule(self) -> actions.Rule:
        return actions.rule_from(self.cleaned_data)


@require_GET
@page("jobs.view")
def guards(request: PageRequest) -> HttpResponse:
    rows = [(rule, patterns_of(rule.commands)) for rule in queries.rules(request.actor)]
    context = {"rows": rows, "may_edit": may(request.actor, actions.VERB)}
    return render(request, "web/guards/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@page(actions.VERB)
def guard(request: PageRequest, pk: int | None = None) -> HttpResponseBase:
    """One rule, or a new one, as a form."""
    found = queries.rule_of(request.actor, pk) if pk is not None else None
    form = GuardForm(posted(request)[0], initial=actions.values_of(found) if found else None)
    if form.is_valid():
        with errors_into(form):
            if found is None:
                actions.add_rule(request.actor, form.rule())
            else:
                actions.change_rule(request.actor, found.pk, form.rule())
            messages.success(request, _("The rule is saved. It counts for every run from now on."))
            return redirect("web:guards")
    return render(request, "web/guards/form.html", {"form": form, "rule": found}, status=form_status(form))


@require_POST
@page(actions.VERB)
def delete(request: PageRequest, pk: int) -> HttpResponseBase:
    actions.delete_rule(request.actor, pk)
    messages.success(request, _("The rule is deleted."))
    return redirect("web:guards")


_TYPED = {"ssh": ("command", "script"), "ansible": ("playbook", "module", "arguments")}


@require_POST
@page("jobs.run")
def met(request: PageRequest) -> HttpResponse:
    """What guard rules will ask of the command that is being typed. What cannot be read yet asks for nothing yet."""
    runner = "ansible" if "playbook" in request.POST else "ssh"
    work = {name: request.POST[name] for name in _TYPED[runner] if request.POST.get(name, "").strip()}
    try:
        found = queries.tried(request.actor, runner, work, request.POST.get("query", "")) if work else []
    except OpsError:
        found = []
    return render(request, "web/guards/met.html", {"met": found})
