"""Pages of the rules of redaction, with a box that tries them on a text."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from quarterdeck.core.errors import BadInput, NotFound, Unavailable
from quarterdeck.telemetry.mapping import Rule
from quarterdeck.telemetry.models import RedactionRule
from quarterdeck.telemetry.redaction_rules import delete_rule, rules_with_hits, set_rule, switch_rule, try_rules
from quarterdeck.web.forms import errors_into, form_status, posted
from quarterdeck.web.intake.forms import RuleForm
from quarterdeck.web.pages import PageRequest, page


def _rule(name: str) -> RedactionRule:
    rule = RedactionRule.objects.filter(name=name).first()
    if rule is None:
        raise NotFound(_('there is no rule "%(name)s"') % {"name": name[:60]})
    return rule


@require_GET
@page("telemetry.keys")
def listing(request: PageRequest) -> HttpResponse:
    context: dict[str, Any] = {}
    try:
        found = rules_with_hits(request.actor)
    except Unavailable as error:
        found, context["error"] = rules_with_hits(request.actor, with_hits=False), error
    context["rules"] = [{"rule": one.rule, "hits": one.hits, "title": _title(one.rule)} for one in found]
    return render(request, "web/intake/rules.html", context)


def _title(rule: RedactionRule) -> str:
    """Titles of built-in rules are English in the table."""
    return _(rule.title) if rule.builtin and rule.title else rule.title


@require_POST
@page("telemetry.keys")
def trial(request: PageRequest) -> HttpResponse:
    """Answer with what the rules, and the one that is being written, make of a text. Nothing is kept."""
    pattern = request.POST.get("pattern", "")
    draft = Rule(request.POST.get("name") or "draft", pattern, request.POST.get("replacement", "")) if pattern else None
    context: dict[str, Any] = {}
    try:
        context["trial"] = try_rules(request.actor, request.POST.get("text", "").replace("\r\n", "\n"), draft)
    except (BadInput, Unavailable) as error:
        context["error"] = error
    response = render(request, "web/intake/trial.html", context)
    response.headers["Cache-Control"] = "no-store"
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@page("telemetry.keys")
def new(request: PageRequest) -> HttpResponseBase:
    form = RuleForm(posted(request)[0], is_new=True)
    if form.is_valid() and RedactionRule.objects.filter(name=form.cleaned_data["name"]).exists():
        form.add_error("name", _("Another rule has this name."))
    return _saved(request, form, is_enabled=True) or _form(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
@page("telemetry.keys")
def edit(request: PageRequest, name: str) -> HttpResponseBase:
    rule = _rule(name)
    initial = {"name": rule.name, "title": rule.title, "pattern": rule.pattern, "replacement": rule.replacement}
    form = RuleForm(posted(request)[0], initial=initial, is_new=False)
    return _saved(request, form, is_enabled=rule.is_enabled) or _form(request, form, rule)


def _saved(request: PageRequest, form: RuleForm, *, is_enabled: bool) -> HttpResponseBase | None:
    """Save a valid form; None when there is something to correct first."""
    if not form.is_valid():
        return None
    values = form.cleaned_data
    with errors_into(form):
        set_rule(
            request.actor,
            values["name"],
            pattern=values["pattern"],
            replacement=values["replacement"],
            title=values["title"],
            is_enabled=is_enabled,
        )
        messages.success(request, _("The rule is saved. It holds for what comes in from now on."))
        return redirect("web:intake_rules")
    return None


def _form(request: PageRequest, form: RuleForm, rule: RedactionRule | None) -> HttpResponse:
    context = {
        "form": form,
        "rule": rule,
        "title": rule.name if rule else _("New rule"),
        "back": reverse("web:intake_rules"),
    }
    return render(request, "web/intake/rule.html", context, status=form_status(form))


@require_POST
@page("telemetry.keys")
def switch(request: PageRequest, name: str) -> HttpResponseBase:
    rule = switch_rule(request.actor, name, is_enabled=request.POST.get("enabled") == "1")
    text = _("Rule %(name)s is on.") if rule.is_enabled else _("Rule %(name)s is off.")
    messages.success(request, text % {"name": rule.name})
    return redirect("web:intake_rules")


@require_POST
@page("telemetry.keys")
def delete(request: PageRequest, name: str) -> HttpResponseBase:
    delete_rule(request.actor, name)
    messages.success(request, _("Rule %(name)s is deleted.") % {"name": name})
    return redirect("web:intake_rules")
