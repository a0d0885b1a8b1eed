"""Forms of the types editor: from what a person types to the `spec` that the inventory's actions take."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from quarterdeck.inventory.actions.types import MAX_FILE_CHARACTERS
from quarterdeck.inventory.catalogue import AttributeSpec, TypeSpec, catalogue
from quarterdeck.inventory.models import Kind

_CODE = forms.RegexField(
    r"^[a-z][a-z0-9_]{0,47}$",
    label=_("Code"),
    help_text=_("Small letters, digits and underscores. Used in queries and files; it never changes."),
    error_messages={"invalid": _("Use small letters, digits and underscores, beginning with a letter.")},
)


class TypeForm(forms.Form):
    """A type's own properties."""

    code = _CODE
    title_en = forms.CharField(label=_("Title in English"), max_length=80)
    title_zh = forms.CharField(label=_("Title in Chinese"), max_length=80, required=False)
    group = forms.CharField(
        label=_("Group"),
        max_length=40,
        help_text=_("Types of one group stand together in lists."),
        widget=forms.TextInput(attrs={"list": "groups"}),
    )
    icon = forms.CharField(label=_("Icon"), max_length=40, initial="box")
    stale_after_days = forms.IntegerField(
        label=_("Retire after"),
        min_value=1,
        max_value=36500,
        initial=60,
        help_text=_("Days for which an absent item is kept before it retires."),
    )
    description = forms.CharField(
        label=_("Description"), required=False, widget=forms.Textarea(attrs={"rows": 2}), max_length=2000
    )

    def __init__(self, *args: Any, of: TypeSpec | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if of is not None:
            self.fields["code"].disabled = True
            self.initial = {**{name: getattr(of, name) for name in self.fields}, **self.initial}

    def spec(self) -> dict[str, Any]:
        return dict(self.cleaned_data)


class LinesField(forms.CharField):
    """A list of texts, one per line."""

    widget = forms.Textarea(attrs={"rows": 4})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list | tuple) else value

    def to_python(self, value: Any) -> Any:
        lines = (line.strip() for line in str(value or "").splitlines())
        return list(dict.fromkeys(line for line in lines if line))


class _FigureField(forms.FloatField):
    """A number that is shown as people write it: 1, not 1.0."""

    def prepare_value(self, value: Any) -> Any:
        return int(value) if isinstance(value, float) and value.is_integer() else value


class ValueField(forms.CharField):
    """A value as it stands in JSON; text may stand without quotes: `8`, `true`, `["a", "b"]`, `debian`."""

    def prepare_value(self, value: Any) -> Any:
        return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    def to_python(self, value: Any) -> Any:
        text = str(value or "").strip()
        if not text:
            return None
        try:
            return json.loads(text)
        except ValueError:
            return text


class AttributeForm(forms.Form):
    """Every property of an attribute. Which of them apply depends on the kind; the page shows those only."""

    code = _CODE
    title_en = forms.CharField(label=_("Title in English"), max_length=80)
    title_zh = forms.CharField(label=_("Title in Chinese"), max_length=80, required=False)
    description = forms.CharField(label=_("Description"), required=False, max_length=2000)
    kind = forms.ChoiceField(label=_("Kind"), choices=Kind.choices, initial=Kind.TEXT)
    unit = forms.CharField(label=_("Unit"), required=False, max_length=24)
    is_list = forms.BooleanField(label=_("Several values"), required=False)
    required = forms.BooleanField(label=_("Required"), required=False)
    unique = forms.BooleanField(label=_("Unique within the type"), required=False)
    indexed = forms.BooleanField(label=_("Indexed for fast filters"), required=False)
    regex = forms.CharField(
        label=_("Pattern"),
        required=False,
        max_length=500,
        help_text=_("A regular expression that the text must match."),
    )
    minimum = _FigureField(label=_("Minimum"), required=False)
    maximum = _FigureField(label=_("Maximum"), required=False)
    choices = LinesField(label=_("Choices"), required=False, help_text=_("One per line."))
    reference_type = forms.ChoiceField(label=_("Refers to"), required=False)
    default = ValueField(label=_("Default"), required=False, help_text=_("For new items; text, a number, or JSON."))
    deadband = _FigureField(
        label=_("Dead-band"),
        required=False,
        min_value=0,
        help_text=_("Smaller changes of the number are not written to the history."),
    )
    track_history = forms.BooleanField(label=_("Keep history"), required=False, initial=True)
    authority = LinesField(
        label=_("Authority"),
        required=False,
        help_text=_("Sources, strongest first, one per line. The first source that has a value wins."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    position = forms.IntegerField(label=_("Position"), min_value=0, max_value=100_000, initial=100)

    def __init__(self, *args: Any, of: AttributeSpec | None = None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        targets = [(kind.code, kind.title) for kind in catalogue().types.values()]
        self.fields["reference_type"].choices = [("", _("any type")), *targets]  # type: ignore[attr-defined]
        if of is not None:
            self.fields["code"].disabled = True
            self.fields["kind"].help_text = _("Values that do not fit another kind keep the change from being saved.")
            self.initial = {**{name: getattr(of, name) for name in self.fields}, **self.initial}

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        low, high = values.get("minimum"), values.get("maximum")
        if low is not None and high is not None and low > high:
            self.add_error("maximum", _("The maximum is smaller than the minimum."))
        if values.get("kind") == Kind.CHOICE and not values.get("choices"):
            self.add_error("choices", _("Give at least one choice."))
        return values

    def spec(self) -> dict[str, Any]:
        return dict(self.cleaned_data)


class ImportTypesForm(forms.Form):
    """Types and attributes as a YAML file or pasted text."""

    file = forms.FileField(label=_("File"), required=False)
    text = forms.CharField(
        label=_("YAML"), required=False, strip=False, widget=forms.Textarea(attrs={"rows": 14, "spellcheck": "false"})
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        file = values.get("file")
        if file and file.size > MAX_FILE_CHARACTERS * 4:
            self.add_error("file", _("The file is too large."))
        elif file:
            try:
                values["text"] = file.read().decode("utf-8")
            except UnicodeDecodeError:
                self.add_error("file", _("The file is not text in UTF-8."))
        if not self.errors and not values.get("text", "").strip():
            self.add_error("text", _("Choose a file or paste its text."))
        return values
