"""The page of the metrics that are counted from log lines."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from django.views.decorators.http import require_http_methods, require_POST

from quarterdeck.access.checks import may
from quarterdeck.logs import measuring, metric_actions
from quarterdeck.logs.models import LogMetric
from quarterdeck.telemetry.naming import label_name
from quarterdeck.web.forms import chosen, form_status, is_saved
from quarterdeck.web.pages import PageRequest, page

_FIELDS = ("name", "query", "unit", "kind", "field", "parse", "series_max", "is_enabled")


class MetricForm(forms.Form):
    """A metric of log lines."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=120, help_text=gettext_lazy("checkout_failures"))
    query = forms.CharField(
        label=gettext_lazy("Query"),
        max_length=20_000,
        required=False,
        help_text=gettext_lazy("Which lines: service:shop level:>=error"),
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("What is measured"),
        choices=[
            (LogMetric.COUNT, gettext_lazy("How many lines a minute")),
            (LogMetric.DISTRIBUTION, gettext_lazy("The numbers in a field: count, sum, least, most")),
        ],
    )
    field = forms.CharField(
        label=gettext_lazy("Field with the numbers"),
        max_length=140,
        required=False,
        help_text=gettext_lazy("Only for numbers: duration_ms"),
    )
    unit = forms.CharField(
        label=gettext_lazy("Unit"),
        max_length=40,
        required=False,
        help_text=gettext_lazy("The last word of the stored name: seconds, bytes"),
    )
    labels = forms.CharField(
        label=gettext_lazy("Labels"),
        max_length=1500,
        required=False,
        help_text=gettext_lazy("Fields to keep, with commas between: service,status"),
    )
    parse = forms.CharField(
        label=gettext_lazy("Take fields out of messages"),
        max_length=1000,
        required=False,
        help_text=gettext_lazy("json, logfmt, access, or grok: with a pattern"),
    )
    series_max = forms.IntegerField(
        label=gettext_lazy("At most so many series"),
        initial=100,
        min_value=1,
        max_value=metric_actions.SERIES_MAX,
        help_text=gettext_lazy("What is beyond them is counted under labels that say “other”."),
    )
    is_enabled = forms.BooleanField(label=gettext_lazy("It is counted"), required=False, initial=True)


@require_http_methods(["GET", "POST"])
@page("telemetry.query")
def metrics(request: PageRequest) -> HttpResponse:
    """The metrics, with a form that makes one or changes the one of `?metric=`; `?q=` is the query of a new one."""
    found = metric_actions.metrics(request.actor)
    if request.method == "POST":
        form = MetricForm(request.POST)
        if is_saved(form, lambda values: _save(request, values)):
            messages.success(request, _("The metric is saved. Minutes from now on are counted."))
            return HttpResponseRedirect(reverse("web:log_metrics"))
    else:
        form = MetricForm(initial=_initial(request, found))
    context: dict[str, Any] = {
        "metrics": [(one, _explorer(one)) for one in found],
        "form": form,
        "may_edit": may(request.actor, metric_actions.METRICS),
        "hours_max": measuring.BEHIND_HOURS_MAX,
        "tabs": tabs("metrics"),
    }
    return render(request, "web/logs/metrics.html", context, status=form_status(form))


def tabs(current: str, address: str = "") -> list[dict[str, Any]]:
    """Return the tabs of the pages of logs; `address` is the query of those that show a search."""
    pages = {"lines": (pgettext("of a log", "Lines"), "logs"), "patterns": (_("Patterns"), "log_patterns")}
    pages |= {"changed": (_("Changed?"), "log_changed"), "metrics": (_("Metrics"), "log_metrics")}
    return [
        {
            "title": title,
            "url": reverse(f"web:{name}") + (f"?{address}" if address and code != "metrics" else ""),
            "current": code == current,
        }
        for code, (title, name) in pages.items()
    ]


def _save(request: PageRequest, values: dict[str, Any]) -> None:
    labels = [one.strip() for one in values.pop("labels").split(",") if one.strip()]
    metric_actions.set_metric(request.actor, labels=labels, **values)


def _initial(request: PageRequest, found: list[LogMetric]) -> dict[str, Any] | None:
    metric = chosen(found, "name", request.GET.get("metric", ""))
    if metric:
        return {name: getattr(metric, name) for name in _FIELDS} | {"labels": ",".join(metric.labels)}
    query = request.GET.get("q", "")
    return {"query": query, "series_max": 100, "is_enabled": True} if query else None


def _explorer(metric: LogMetric) -> str:
    """The address of the metric's chart."""
    labels = f" by ({', '.join(label_name(one) for one in metric.labels)})" if metric.labels else ""
    expression = f"sum{labels} ({metric.series[0]})"
    return f"{reverse('web:metrics')}?{urlencode({'q': expression})}"


@require_POST
@page(metric_actions.METRICS)
def backfill(request: PageRequest, name: str) -> HttpResponse:
    hours = request.POST.get("hours", "")
    metric_actions.backfill_metric(request.actor, name, int(hours) if hours.isascii() and hours.isdigit() else 0)
    messages.success(request, _("Past hours are counted from the next minute on; the list tells how far that is."))
    return HttpResponseRedirect(reverse("web:log_metrics"))


@require_POST
@page(metric_actions.METRICS)
def delete(request: PageRequest, name: str) -> HttpResponse:
    metric_actions.delete_metric(request.actor, name)
    messages.success(request, _("The metric is deleted; its samples stay as long as others."))
    return HttpResponseRedirect(reverse("web:log_metrics"))
