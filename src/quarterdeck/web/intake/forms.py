"""Forms of the intake's pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from quarterdeck.telemetry.loading import receivers
from quarterdeck.telemetry.models import IntakeKey
from quarterdeck.web.access.forms import Checks


class ConnectKeyForm(forms.Form):
    """A new key for one protocol, made where its configuration is shown."""

    name = forms.CharField(label=_("Name of the new key"), max_length=120)


class KeyForm(forms.Form):
    """An intake key: who sends with it, what, from where, how much."""

    name = forms.CharField(label=_("Name"), max_length=120, help_text=_("Who sends with it, for example lab or shop."))
    protocols = forms.MultipleChoiceField(
        label=_("Protocols"), required=False, widget=Checks, help_text=_("None chosen means all of them.")
    )
    labels = forms.CharField(
        label=_("Labels"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "placeholder": "env=prod"}),
        help_text=_("One name=value in each line; they are added to everything that comes with the key."),
    )
    networks = forms.CharField(
        label=_("Networks"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false", "placeholder": "10.0.0.0/8"}),
        help_text=_("Who sends from there needs not show the key: for syslog, StatsD and other protocols without one."),
    )
    records_per_second = forms.IntegerField(
        label=_("Records per second"), min_value=0, max_value=2**31 - 1, initial=0, help_text=_("0 is no limit.")
    )
    records_per_day = forms.IntegerField(
        label=_("Records per day"),
        min_value=0,
        max_value=2**31 - 1,
        initial=0,
        help_text=_("0 is no limit. A day is UTC's."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = sorted((name, str(_(receiver.title))) for name, receiver in receivers().items())
        self.fields["protocols"].choices = choices  # type: ignore[attr-defined]

    def clean_labels(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for line in filter(None, map(str.strip, self.cleaned_data["labels"].splitlines())):
            name, equals, value = line.partition("=")
            if not equals:
                raise forms.ValidationError(_("“%(line)s” has no =."), params={"line": line[:60]})
            found[name.strip()] = value.strip()
        return found

    def clean_networks(self) -> list[str]:
        return [part for part in self.cleaned_data["networks"].replace(",", " ").split() if part]

    @staticmethod
    def initial_of(key: IntakeKey) -> dict[str, Any]:
        return {
            "name": key.name,
            "protocols": key.protocols,
            "labels": "\n".join(f"{name}={value}" for name, value in key.labels.items()),
            "networks": "\n".join(key.networks),
            "records_per_second": key.records_per_second,
            "records_per_day": key.records_per_day,
        }


class RuleForm(forms.Form):
    """A rule of redaction."""

    name = forms.RegexField(
        r"^[a-z0-9][a-z0-9_-]*$",
        label=_("Name"),
        max_length=60,
        help_text=_("Small letters, digits, - and _. It never changes."),
        error_messages={"invalid": _("Use small letters, digits, - and _ only.")},
    )
    title = forms.CharField(label=_("Title"), max_length=120, required=False)
    pattern = forms.CharField(
        label=_("Pattern"),
        max_length=1000,
        strip=False,
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocapitalize": "none", "autocomplete": "off"}),
        help_text=_("A regular expression in RE2's syntax, for example E[0-9]{6}. (?i) ignores case."),
    )
    replacement = forms.CharField(
        label=_("Replacement"),
        max_length=200,
        initial="***",
        required=False,
        strip=False,
        help_text=_("What stands there instead; \\1 is what the first parentheses hold."),
    )

    def __init__(self, *args: Any, is_new: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].disabled = not is_new
