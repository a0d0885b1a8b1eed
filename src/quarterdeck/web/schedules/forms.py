"""The form of a schedule: what runs, where, and when. What it holds is checked by the action."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from quarterdeck.audit.actor import Actor
from quarterdeck.jobs.schedules.definitions import MISSED, OVERLAP, Plan, plain
from quarterdeck.jobs.schedules.times import zones
from quarterdeck.jobs.templates.definitions import Field
from quarterdeck.web.job_templates.forms import SurveyForm

_MONO = {"spellcheck": "false", "autocapitalize": "none", "autocomplete": "off", "class": "font-mono"}
_RHYTHMS = {"cron": _("by a cron expression"), "every": _("every so often"), "at": _("once")}


class ScheduleForm(SurveyForm):
    """A schedule of a template, with its questions, or of a command. Other work stays as it is."""

    name = forms.CharField(
        label=_("Name"), max_length=60, help_text=_("Small letters, digits, - and _; commands call it so.")
    )
    command = forms.CharField(
        label=_("Command"),
        max_length=64 << 10,
        widget=forms.Textarea(attrs={"rows": 2, **_MONO}),
        help_text=_("For the shell of the hosts, as you would type it there."),
    )
    becomes = forms.BooleanField(
        label=_("Become another user"),
        required=False,
        help_text=_("Root by sudo, unless a credential that is attached says otherwise."),
    )
    query = forms.CharField(widget=forms.HiddenInput, required=False, max_length=20_000)
    rhythm = forms.ChoiceField(label=_("When"), choices=list(_RHYTHMS.items()))
    when = forms.CharField(
        label=_("Expression, period or time"),
        max_length=255,
        widget=forms.TextInput(attrs=_MONO),
        help_text=_("30 3 * * mon-fri (minute, hour, day, month, day of week), 15m, or 2026-12-24T18:00."),
    )
    time_zone = forms.ChoiceField(label=_("Time zone"))
    not_on = forms.CharField(
        label=_("Never on"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, **_MONO}),
        help_text=_("One in each line: 2026-12-24, 2026-12-24/2027-01-02, sat,sun, mon-fri 08:00-18:00."),
    )
    missed = forms.ChoiceField(label=_("When no worker was there at its time"), choices=list(MISSED.items()))
    overlap = forms.ChoiceField(label=_("While the run before still goes"), choices=list(OVERLAP.items()))
    reason = forms.CharField(label=_("Reason"), required=False, max_length=500, help_text=_("For the audit log."))

    def __init__(self, *args: Any, actor: Actor, survey: list[Field], plan: Plan, is_new: bool, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, survey=survey, **kwargs)
        self._plan = plan
        self.fields["time_zone"].choices = [(name, name) for name in zones()]  # type: ignore[attr-defined]
        if not is_new:
            del self.fields["name"]
        if plan.template or not _is_command(plan):
            del self.fields["command"], self.fields["becomes"]

    @staticmethod
    def initial_of(plan: Plan, survey: list[Field]) -> dict[str, Any]:  # type: ignore[override]
        rhythm = next((name for name in _RHYTHMS if getattr(plan, name)), "cron")
        same = {name: getattr(plan, name) for name in ("query", "time_zone", "missed", "overlap", "reason")}
        return {
            **SurveyForm.initial_of(survey, plan.values),
            **same,
            "command": plan.work.get("command", ""),
            "becomes": plan.options.becomes,
            "rhythm": rhythm,
            "when": getattr(plan, rhythm),
            "not_on": "\n".join(plan.not_on),
        }

    def plan(self) -> dict[str, Any]:
        """Return the plan of the valid form; what the form does not have is as it was."""
        values, found = self.cleaned_data, plain(self._plan)
        found |= {name: values[name] for name in ("query", "time_zone", "missed", "overlap", "reason")}
        found |= dict.fromkeys(_RHYTHMS, "") | {values["rhythm"]: values["when"].strip()}
        found["not_on"] = lines_of(values["not_on"])
        if self._plan.template:
            found["values"] = self.answers
        elif "command" in values:
            found["work"] = {**self._plan.work, "command": values["command"]}
            found["options"] = {**found.get("options", {}), "becomes": values["becomes"]}
        return found


def _is_command(plan: Plan) -> bool:
    return plan.runner == "ssh" and (not plan.work or "command" in plan.work)


def lines_of(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
