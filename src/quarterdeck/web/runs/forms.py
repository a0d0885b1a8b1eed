"""The form that starts a run."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from quarterdeck.core.durations import seconds_of
from quarterdeck.jobs.runs.planning import MAX_AT_ONCE, Options

_MONO = {"spellcheck": "false", "autocapitalize": "none", "autocomplete": "off", "class": "form-control font-monospace"}


class RunForm(forms.Form):
    """A command or a script, on which hosts, and in which way."""

    query = forms.CharField(widget=forms.HiddenInput, required=False, max_length=20_000)
    command = forms.CharField(
        label=_("Command"),
        required=False,
        max_length=64 << 10,
        widget=forms.Textarea(attrs={"rows": 2, **_MONO}),
        help_text=_("For the shell of the hosts, as you would type it there."),
    )
    script = forms.CharField(
        label=_("Or a script"),
        required=False,
        max_length=1 << 20,
        widget=forms.Textarea(attrs={"rows": 5, **_MONO}),
        help_text=_(
            "Its first line says what runs it (#!/usr/bin/env python3), /bin/sh else. Nothing of it stays on the host."
        ),
    )
    arguments = forms.CharField(
        label=_("Arguments of the script"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, **_MONO}),
        help_text=_("One on each line. No shell looks into them."),
    )
    becomes = forms.BooleanField(
        label=_("Become another user"),
        required=False,
        help_text=_("Root by sudo, unless a credential that is attached says otherwise."),
    )
    credential = forms.ChoiceField(label=_("Credential"), required=False)
    accepts_new_host_keys = forms.BooleanField(
        label=_("Accept new host keys"),
        required=False,
        help_text=_("The key that a host shows at first contact counts from then on. A changed one is never accepted."),
    )
    batch = forms.CharField(
        label=_("Batches"),
        required=False,
        max_length=200,
        help_text=_("Sizes that follow each other, the last one again and again: 1,10%,50%. Empty: all at once."),
    )
    pauses_after_first = forms.BooleanField(label=_("Wait for my word after the first batch"), required=False)
    max_fail = forms.CharField(
        label=_("Stop when more fail"),
        required=False,
        max_length=20,
        help_text=_("Of one batch: 5% or 3. Nothing more begins then."),
    )
    timeout = forms.CharField(
        label=_("Time for each host"),
        required=False,
        max_length=20,
        help_text=_("30s, 5m or 2h; the processes are ended then."),
    )
    at_once = forms.IntegerField(label=_("Hosts at the same time"), min_value=1, max_value=MAX_AT_ONCE, initial=200)
    reason = forms.CharField(label=_("Reason"), required=False, max_length=500, help_text=_("For the audit log."))

    def __init__(self, *args: Any, credentials: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["credential"]
        field.choices = [("", _("as attached to each host")), *((name, name) for name in credentials)]  # type: ignore[attr-defined]

    def clean_timeout(self) -> float | None:
        text = str(self.cleaned_data["timeout"]).strip()
        if not text:
            return None
        try:
            return seconds_of(text)
        except ValueError:
            raise forms.ValidationError(_("This is no time; write 30s, 5m or 2h.")) from None

    def work(self) -> dict[str, Any]:
        """Return the work of the valid form, as the runner reads it."""
        values = self.cleaned_data
        work: dict[str, Any] = {name: values[name] for name in ("command", "script") if values[name].strip()}
        if arguments := values["arguments"].splitlines():
            work["arguments"] = arguments
        return work

    def options(self) -> Options:
        values = self.cleaned_data
        same = (
            "becomes",
            "credential",
            "accepts_new_host_keys",
            "batch",
            "pauses_after_first",
            "max_fail",
            "at_once",
            "reason",
        )
        return Options(timeout_seconds=values["timeout"], **{name: values[name] for name in same})
