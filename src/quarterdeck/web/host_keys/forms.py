"""The form that takes a known_hosts file."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

_MAX_BYTES = 8 << 20


class KnownHostsForm(forms.Form):
    """A file, or its text."""

    file = forms.FileField(label=_("File"), required=False)
    text = forms.CharField(
        label=_("Or its text"),
        required=False,
        max_length=_MAX_BYTES,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false", "class": "form-control font-monospace"}),
        help_text=_("The lines of known_hosts, or what ssh-keyscan prints."),
    )

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        file = found.get("file")
        if file is not None and file.size > _MAX_BYTES:
            self.add_error("file", _("at most 8 MB are taken"))
        elif file is None and not str(found.get("text", "")).strip():
            self.add_error("file", _("Choose a file, or paste its text."))
        return found

    def content(self) -> str:
        """Return the text of the valid form; what is no text is told line by line later."""
        file = self.cleaned_data["file"]
        text = file.read().decode(errors="replace") if file else self.cleaned_data["text"]
        return str(text).replace("\0", "")
