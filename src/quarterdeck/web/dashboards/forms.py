"""Forms of dashboards. What they hold is checked by the action: the same words in the page, the API and the command."""

from __future__ import annotations

from typing import Any

import yaml
from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from quarterdeck.core import yamls
from quarterdeck.core.errors import BadInput
from quarterdeck.monitoring.dashboards.definitions import Panel
from quarterdeck.web.dashboards.boards import REFRESHES_SECONDS
from quarterdeck.web.viewing import RANGES

KINDS = {
    "timeseries": gettext_lazy("Time series"),
    "stat": gettext_lazy("Number"),
    "gauge": gettext_lazy("Gauge"),
    "bars": gettext_lazy("Bars"),
    "table": gettext_lazy("Table"),
    "heatmap": gettext_lazy("Heat map"),
    "text": gettext_lazy("Text"),
    "row": gettext_lazy("Heading"),
}
DRAWS = {
    "line": gettext_lazy("Lines"),
    "area": gettext_lazy("Areas"),
    "stacked": gettext_lazy("Stacked"),
    "bar": gettext_lazy("Bars"),
}
REDUCES = {
    "last": gettext_lazy("last"),
    "mean": gettext_lazy("mean"),
    "min": gettext_lazy("lowest"),
    "max": gettext_lazy("highest"),
    "sum": gettext_lazy("sum"),
}
LEVELS = ("ok", "warn", "bad")
_CODE = {"spellcheck": "false", "class": "font-mono"}


class NewForm(forms.Form):
    title = forms.CharField(label=gettext_lazy("Title"), max_length=120)
    slug = forms.CharField(
        label=gettext_lazy("Short name"),
        max_length=60,
        required=False,
        help_text=gettext_lazy("In addresses and files; made of the title when left out."),
    )


class ImportForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("File"), help_text=gettext_lazy("YAML of Quarterdeck's, or JSON that Grafana exports.")
    )
    slug = forms.CharField(
        label=gettext_lazy("Short name"),
        max_length=60,
        required=False,
        help_text=gettext_lazy("Replaces the one in the file; one that exists gets a new version."),
    )


class SettingsForm(forms.Form):
    """All of a dashboard but its panels; variables as the file has them."""

    title = forms.CharField(label=gettext_lazy("Title"), max_length=120)
    description = forms.CharField(
        label=gettext_lazy("Description"), required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    tags = forms.CharField(
        label=gettext_lazy("Tags"), required=False, help_text=gettext_lazy("Words, with commas between them.")
    )
    range = forms.ChoiceField(label=gettext_lazy("Time range"), required=False)
    refresh_seconds = forms.TypedChoiceField(label=gettext_lazy("Renew"), coerce=int)
    variables = forms.CharField(
        label=gettext_lazy("Variables"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 10, **_CODE}),
        help_text=gettext_lazy(
            "One for each “-”; kind is items, labels, custom, interval or text. The guide lists the fields."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        ranges = [("", _("the one that the person looks at")), *((one.code, one.title) for one in RANGES.values())]
        self.fields["range"].choices = ranges  # type: ignore[attr-defined]
        now = self.initial.get("refresh_seconds", 0)
        self.fields["refresh_seconds"].choices = [  # type: ignore[attr-defined]
            (seconds, _("every %(n)d seconds") % {"n": seconds} if seconds else _("by hand"))
            for seconds in sorted({*REFRESHES_SECONDS, now})
        ]

    @staticmethod
    def initial_of(definition: dict[str, Any]) -> dict[str, Any]:
        variables = definition.get("variables")
        text = yaml.safe_dump(variables, allow_unicode=True, sort_keys=False) if variables else ""
        usual = {"description": "", "range": "", "refresh_seconds": 0}
        return {**usual, **definition, "tags": ", ".join(definition.get("tags", [])), "variables": text}

    def clean_tags(self) -> list[str]:
        return [tag.strip() for tag in self.cleaned_data["tags"].replace("，", ",").split(",") if tag.strip()]

    def clean_variables(self) -> list[Any]:
        try:
            found = yamls.load(self.cleaned_data["variables"] or "[]", _("Variables"))
        except BadInput as error:
            raise forms.ValidationError(str(error.message)) from error
        if not isinstance(found, list):
            raise forms.ValidationError(_("Begin each variable with “- name: ...”."))
        return found


class PanelForm(forms.Form):
    """A panel without its place in the grid, except its size."""

    title = forms.CharField(label=gettext_lazy("Title"), max_length=255, required=False)
    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=list(KINDS.items()))
    queries = forms.CharField(
        label=gettext_lazy("Queries"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, **_CODE}),
        help_text=gettext_lazy(
            "PromQL, one in each line; after “#” the name of its series, such as # {{item}} {{state}}."
        ),
    )
    text = forms.CharField(
        label=gettext_lazy("Text"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=gettext_lazy("Markdown, of a text panel."),
    )
    draw = forms.ChoiceField(
        label=gettext_lazy("Drawn as"), choices=list(DRAWS.items()), help_text=gettext_lazy("Of a time series.")
    )
    reduce = forms.ChoiceField(
        label=gettext_lazy("Value of a series"),
        choices=list(REDUCES.items()),
        help_text=gettext_lazy("What a number, gauge, bar or cell shows of it."),
    )
    unit = forms.CharField(
        label=gettext_lazy("Unit"),
        max_length=24,
        required=False,
        help_text=gettext_lazy(
            "bytes, bytes/s, seconds, ratio, percent, /s, none, or a word; by itself from the metric's name."
        ),
    )
    decimals = forms.IntegerField(label=gettext_lazy("Decimals"), min_value=0, max_value=10, required=False)
    minimum = forms.FloatField(label=gettext_lazy("Lowest value of the scale"), required=False)
    maximum = forms.FloatField(label=gettext_lazy("Highest value of the scale"), required=False)
    thresholds = forms.CharField(
        label=gettext_lazy("Thresholds"),
        required=False,
        help_text=gettext_lazy("From a value on: 80 warn, 95 bad. The levels are ok, warn, bad."),
    )
    w = forms.IntegerField(
        label=gettext_lazy("Width"), min_value=1, max_value=24, help_text=gettext_lazy("In columns of 24.")
    )
    h = forms.IntegerField(
        label=gettext_lazy("Height"), min_value=1, max_value=100, help_text=gettext_lazy("In rows of 36 pixels.")
    )
    description = forms.CharField(
        label=gettext_lazy("Description"), required=False, widget=forms.Textarea(attrs={"rows": 2})
    )

    @staticmethod
    def initial_of(panel: Panel) -> dict[str, Any]:
        lines = [
            f"{query.expr}  # {query.legend}" if query.legend else query.expr
            for query in panel.queries
            if not query.hidden
        ]
        thresholds = ", ".join(f"{one.value:g} {one.level}" for one in panel.thresholds)
        names = (
            "title",
            "kind",
            "text",
            "draw",
            "reduce",
            "unit",
            "decimals",
            "minimum",
            "maximum",
            "w",
            "h",
            "description",
        )
        return {name: getattr(panel, name) for name in names} | {
            "queries": "\n".join(" ".join(line.split()) for line in lines),
            "thresholds": thresholds,
        }

    def clean_queries(self) -> list[dict[str, str]]:
        found = []
        for line in filter(None, map(str.strip, self.cleaned_data["queries"].splitlines())):
            expr, mark, legend = line.rpartition(" # ")
            found.append({"expr": expr.strip(), "legend": legend.strip()} if mark else {"expr": line})
        return found

    def clean_thresholds(self) -> list[dict[str, Any]]:
        found = []
        for part in filter(None, map(str.strip, self.cleaned_data["thresholds"].replace("，", ",").split(","))):
            value, _separator, level = part.partition(" ")
            try:
                found.append({"value": float(value), "level": level.strip() or "bad"})
            except ValueError:
                raise forms.ValidationError(_('"%(text)s" is no number with a level.') % {"text": part}) from None
            if found[-1]["level"] not in LEVELS:
                raise forms.ValidationError(_('"%(text)s" is none of ok, warn, bad.') % {"text": level})
        return found
