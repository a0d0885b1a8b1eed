"""The forms of job templates: the file that one is, and the questions that one asks."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from quarterdeck.audit.actor import Actor
from quarterdeck.core import yamls
from quarterdeck.core.errors import BadInput, OpsError
from quarterdeck.jobs.templates.definitions import Definition, Field, shown
from quarterdeck.jobs.templates.surveys import ITEMS_SHOWN, answer, item_names
from quarterdeck.web.formatting import in_sentences

_MONO = {"spellcheck": "false", "autocapitalize": "none", "autocomplete": "off", "class": "font-mono"}
_PREFIX = "answer_"


class TemplateForm(forms.Form):
    """A template as its file has it. What it holds is checked by the action."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=60,
        help_text=gettext_lazy("Small letters, digits, - and _; commands and schedules call it so."),
    )
    definition = forms.CharField(
        label=gettext_lazy("Definition"),
        max_length=1 << 20,
        widget=forms.Textarea(attrs={"rows": 26, **_MONO}),
        help_text=gettext_lazy(
            'YAML. A command or script gets each answer as a variable of its name: write "$service", with the quotes.'
        ),
    )

    def __init__(self, *args: Any, is_new: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not is_new:
            del self.fields["name"]

    def clean_definition(self) -> Any:
        try:
            return yamls.load(self.cleaned_data["definition"], _("The definition"), may_have_aliases=False)
        except BadInput as error:
            raise forms.ValidationError(in_sentences(error.message, error.hint)) from error


class SurveyForm(forms.Form):
    """The questions of a template, each as the control of its kind. `answers` are what a valid form holds."""

    def __init__(self, *args: Any, actor: Actor, survey: list[Field], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._actor, self._survey = actor, survey
        self.answers: dict[str, Any] = {}
        for field in survey:
            self.fields[_PREFIX + field.name] = _control(actor, field)

    @staticmethod
    def initial_of(survey: list[Field], answers: dict[str, Any]) -> dict[str, Any]:
        return {_PREFIX + field.name: answers.get(field.name, field.default) for field in survey}

    def clean(self) -> None:
        for field in self._survey:
            name = _PREFIX + field.name
            if name in self.errors:
                continue
            # An empty one is an answer here: its default stood in the form, and was taken out.
            given = self.answers[field.name] = self.cleaned_data[name]
            try:
                answer(self._actor, field, given)
            except OpsError as error:
                self.add_error(name, in_sentences(error.message, error.hint))


class StartForm(SurveyForm):
    """The questions, on which hosts, and why."""

    query = forms.CharField(widget=forms.HiddenInput, required=False, max_length=20_000)
    is_check = forms.BooleanField(
        label=gettext_lazy("Only tell what would change"), required=False, help_text=gettext_lazy("Nothing is changed.")
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"), required=False, max_length=500, help_text=gettext_lazy("For the audit log.")
    )

    def __init__(self, *args: Any, actor: Actor, definition: Definition, can_check: bool, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, survey=definition.survey, **kwargs)
        if not can_check:
            del self.fields["is_check"]
        self.order_fields([*(_PREFIX + field.name for field in definition.survey), "is_check", "reason"])


def _control(actor: Actor, field: Field) -> forms.Field:
    common: dict[str, Any] = {"label": field.title(), "help_text": shown(field.help), "required": field.required}
    if field.kind == "boolean":
        return forms.BooleanField(**{**common, "required": False})
    if field.kind == "choices":
        return forms.MultipleChoiceField(
            choices=list(field.choice_titles().items()), widget=forms.CheckboxSelectMultiple, **common
        )
    if field.kind == "choice":
        return forms.ChoiceField(choices=_with_none(field, field.choice_titles()), **common)
    if field.kind == "item":
        names = item_names(actor, field)
        if len(names) <= ITEMS_SHOWN:
            return forms.ChoiceField(choices=_with_none(field, dict(zip(names, names, strict=True))), **common)
    return forms.CharField(widget=_widget(field), strip=field.kind != "lines", **common)


def _with_none(field: Field, choices: dict[str, str]) -> list[tuple[str, str]]:
    is_open = not field.required or field.default is None
    return [*([("", "–")] if is_open else []), *choices.items()]


def _widget(field: Field) -> forms.Widget:
    if field.kind == "lines":
        return forms.Textarea(attrs={"rows": 4, **_MONO})
    if field.kind in ("integer", "number"):
        bounds = {name: bound for name, bound in (("min", field.min), ("max", field.max)) if bound is not None}
        return forms.NumberInput(attrs={**bounds, "step": "1" if field.kind == "integer" else "any"})
    if field.kind == "date":
        return forms.TextInput(attrs={"type": "date", "min": field.min or "", "max": field.max or ""})
    return forms.TextInput(attrs={"autocomplete": "off"})
