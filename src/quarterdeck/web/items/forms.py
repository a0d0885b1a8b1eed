"""The form of an item, made from its type's attribute definitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from quarterdeck.core.errors import BadInput, Conflict
from quarterdeck.inventory.catalogue import AttributeSpec, TypeSpec
from quarterdeck.inventory.models import Item, Kind, State
from quarterdeck.web.formatting import in_sentences
from quarterdeck.web.items.titles import COLUMNS
from quarterdeck.web.items.values import as_text, labels_as_text, labels_of, typed_value

ATTRIBUTE = "a_"
_HOT = ("env", "owner", "primary_ip", "provider", "account", "region")
_LINES = {"rows": 3, "class": "font-mono"}
_INPUT_TYPES = {Kind.INTEGER: "number", Kind.URL: "url", Kind.EMAIL: "email"}


def _hint(spec: AttributeSpec) -> str:
    """Say what is allowed, in a line under the field."""
    parts = [spec.description]
    if spec.unit:
        parts.append(str(_("Unit: %(unit)s.")) % {"unit": spec.unit})
    if spec.is_list and spec.kind != Kind.JSON:
        parts.append(str(_("One per line.")))
    if spec.kind == Kind.REFERENCE:
        parts.append(str(_("Name of an item, or # and its number.")))
    if spec.kind == Kind.DATETIME:
        parts.append(str(_("UTC, for example 2026-05-01T12:30:00Z.")))
    return " ".join(filter(None, parts))


def _widget(spec: AttributeSpec) -> forms.Widget:
    if spec.kind == Kind.SECRET:
        return forms.PasswordInput(attrs={"autocomplete": "new-password"})
    if spec.kind == Kind.JSON:
        return forms.Textarea(attrs={"rows": 6, "class": "font-mono", "spellcheck": "false"})
    if spec.is_list or spec.kind == Kind.LONG_TEXT:
        return forms.Textarea(attrs=_LINES)
    if spec.kind == Kind.DATE:
        return forms.DateInput(attrs={"type": "date"})
    return forms.TextInput(attrs={"type": _INPUT_TYPES.get(Kind(spec.kind), "text")})


def field_for(spec: AttributeSpec) -> forms.Field:
    """Return the form's field. Only its shape is decided here; whether a value is valid is the inventory's to say."""
    common: dict[str, Any] = {"label": spec.title, "help_text": _hint(spec), "required": False}
    common["show_hidden_initial"] = spec.kind != Kind.SECRET
    if spec.kind == Kind.BOOLEAN and not spec.is_list:
        return forms.ChoiceField(choices=[("", "–"), ("true", _("yes")), ("false", _("no"))], **common)
    if spec.kind == Kind.CHOICE and not spec.is_list:
        return forms.ChoiceField(choices=[("", "–"), *((choice, choice) for choice in spec.choices)], **common)
    return forms.CharField(widget=_widget(spec), strip=False, **common)


class ItemForm(forms.Form):
    """Name, common columns, labels, and a field `a_<code>` per attribute.

    Each field carries its first value along (`show_hidden_initial`), so that what this person changed can be told from
    what somebody else changed meanwhile.
    """

    name = forms.CharField(label=_("Name"), max_length=255, show_hidden_initial=True)
    state = forms.ChoiceField(label=_("State"), choices=State.choices, required=False, show_hidden_initial=True)
    labels = forms.CharField(
        label=_("Labels"),
        required=False,
        widget=forms.Textarea(attrs=_LINES),
        help_text=_("One name=value per line."),
        show_hidden_initial=True,
    )

    def __init__(self, spec: TypeSpec, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.spec = spec
        for code in _HOT:
            self.fields[code] = forms.CharField(
                label=COLUMNS[code], required=False, max_length=128, show_hidden_initial=True
            )
        for code, attribute in spec.attributes.items():
            self.fields[ATTRIBUTE + code] = field_for(attribute)

    @property
    def common(self) -> list[forms.BoundField]:
        return [self[name] for name in ("name", "state", *_HOT, "labels")]

    @property
    def simple(self) -> list[forms.BoundField]:
        return [self[ATTRIBUTE + code] for code, spec in self.spec.attributes.items() if spec.kind != Kind.JSON]

    @property
    def structured(self) -> list[forms.BoundField]:
        """JSON values, mostly written by sources; they stand folded at the end."""
        return [self[ATTRIBUTE + code] for code, spec in self.spec.attributes.items() if spec.kind == Kind.JSON]

    def changes(self) -> dict[str, Any]:
        """Return what this person changed: `{"cpu_count": 8, "label.role": None, "env": "prod"}`. Raises BadInput."""
        result: dict[str, Any] = {}
        for name in self.changed_data:
            if name == "labels":
                result |= self._label_changes()
            elif name.startswith(ATTRIBUTE):
                code = name.removeprefix(ATTRIBUTE)
                result[code] = typed_value(self.spec.attributes[code], self.cleaned_data[name])
            else:
                result[name] = self.cleaned_data[name] or None
        return result

    def _label_changes(self) -> dict[str, Any]:
        before, after = labels_of(self._initial_labels()), labels_of(self.cleaned_data["labels"])
        gone: dict[str, Any] = {f"label.{name}": None for name in before if name not in after}
        return gone | {f"label.{name}": value for name, value in after.items() if before.get(name) != value}

    def _initial_labels(self) -> str:
        return str(self.data.get(self.add_initial_prefix("labels"), ""))

    def refuse(self, error: BadInput | Conflict) -> None:
        """Put the inventory's complaint at the field that it is about."""
        text = in_sentences(error.message, error.hint)
        names = (error.field, ATTRIBUTE + error.field, "labels" if error.field.startswith("label.") else "")
        self.add_error(next((name for name in names if name in self.fields), None), text)


def initial_of(item: Item, spec: TypeSpec) -> dict[str, str]:
    """Return what the form shows of an item; secrets are never among it."""
    values: dict[str, str] = {code: str(getattr(item, code) or "") for code in ("name", "state", *_HOT)}
    values["labels"] = labels_as_text(item.labels)
    for code, attribute in spec.attributes.items():
        if attribute.kind != Kind.SECRET:
            values[ATTRIBUTE + code] = as_text(attribute, item.attributes.get(code))
    return values


def defaults_of(spec: TypeSpec) -> dict[str, str]:
    """Return what a new item's form starts with."""
    defaults: Mapping[str, Any] = {
        code: one.default for code, one in spec.attributes.items() if one.default is not None
    }
    return {ATTRIBUTE + code: as_text(spec.attributes[code], value) for code, value in defaults.items()}
