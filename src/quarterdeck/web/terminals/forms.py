"""The form that opens a terminal."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

_PLAIN = {"spellcheck": "false", "autocapitalize": "none", "autocomplete": "off", "list": "containers"}


class TerminalForm(forms.Form):
    container = forms.CharField(
        label=_("Container"),
        required=False,
        max_length=255,
        widget=forms.TextInput(attrs=_PLAIN),
        help_text=_("Its name or id, for a shell in it by the docker command of the host. Empty: the host itself."),
    )
    reason = forms.CharField(label=_("Reason"), required=False, max_length=500, help_text=_("For the audit log."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = settings.QD["terminal_asks_reason"]
