"""The form that adds hosts by a pattern of their names."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from quarterdeck.jobs.onboarding.planning import Wanted, values_of

_MONO = {"class": "form-control font-monospace", "spellcheck": "false", "autocomplete": "off", "autocapitalize": "none"}


class HostsForm(forms.Form):
    """Who is to be added, how they are reached, and what they have in common."""

    names = forms.CharField(
        label=_("Names"),
        max_length=100_000,
        widget=forms.Textarea(attrs={**_MONO, "rows": 3, "placeholder": "web[01:50].example"}),
        help_text=_("Names or patterns, one a line: web[01:50].example, db[a:c], app[1,3,7]."),
    )
    address_pattern = forms.CharField(
        label=_("Addresses"),
        max_length=4000,
        required=False,
        widget=forms.TextInput(attrs={**_MONO, "placeholder": "10.0.0.[1:50]"}),
        help_text=_("As many as names, in their order. Without them hosts are reached by name."),
    )
    user = forms.CharField(label=_("User"), max_length=64, required=False, help_text=_("Whom to sign in as."))
    port = forms.IntegerField(label=_("Port"), min_value=1, max_value=65535, required=False)
    jump = forms.CharField(
        label=_("Jump hosts"),
        max_length=4000,
        required=False,
        widget=forms.TextInput(attrs={**_MONO, "placeholder": "ops@bastion:22,inner"}),
    )
    credential = forms.ChoiceField(
        label=_("Credential"), required=False, help_text=_("It is attached to these hosts by the label sign_in.")
    )
    values = forms.CharField(
        label=_("Values and labels"),
        max_length=20_000,
        required=False,
        widget=forms.Textarea(attrs={**_MONO, "rows": 3, "placeholder": "env=prod\nlabel.role=web"}),
        help_text=_("key=value for each host, one a line."),
    )

    def __init__(self, *args: Any, credentials: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", _("None")), *((name, name) for name in credentials)]
        self.fields["credential"].choices = choices  # type: ignore[attr-defined]

    def wanted(self) -> Wanted:
        """Return what the valid form asks for. Raises BadInput for a value that is no key=value."""
        found = self.cleaned_data
        return Wanted(
            _lines(found["names"]), found["address_pattern"].strip(), found["user"], found["port"], found["jump"],
            found["credential"], values_of(_lines(found["values"])),
        )  # fmt: skip


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
