"""Forms of the import wizard."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from quarterdeck.inventory.catalogue import catalogue
from quarterdeck.inventory.exchange.detect import formats

# What a row may be matched by besides indexed attributes: columns that every item has.
_COMMON_KEYS = (("name", _("Name")), ("primary_ip", _("Primary IP address")), ("id", _("Number of the item")))


def format_choices() -> list[tuple[str, Any]]:
    return [("", _("Find out from the file")), *((code, gettext(plugin.title)) for code, plugin in formats().items())]


class UploadForm(forms.Form):
    """The file and, where its name does not tell, its format."""

    file = forms.FileField(label=_("File"))
    format = forms.ChoiceField(label=_("Format"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["format"].choices = format_choices()  # type: ignore[attr-defined]


class MatchForm(forms.Form):
    """What the rows are, and by which field a row finds the item that it updates."""

    type = forms.ChoiceField(
        label=_("Type of the items"), help_text=_("For rows that do not name a type of their own."), required=False
    )
    key = forms.ChoiceField(
        label=_("Match by"), help_text=_("A row whose value here is known updates that item; any other row makes one.")
    )
    format = forms.ChoiceField(label=_("Format"), required=False)

    def __init__(self, *args: Any, type_code: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        types = catalogue().types
        self.fields["type"].choices = [  # type: ignore[attr-defined]
            ("", _("as each row says")),
            *((code, spec.title) for code, spec in types.items()),
        ]
        attributes = types[type_code].attributes.values() if type_code in types else ()
        self.fields["key"].choices = [  # type: ignore[attr-defined]
            *_COMMON_KEYS,
            *((spec.code, spec.title) for spec in attributes if spec.indexed),
        ]
        self.fields["format"].choices = format_choices()[1:]  # type: ignore[attr-defined]
